#include "traces/trace_merger.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "traces/edited_trace.h"
#include "traces/sound_events.h"

namespace reheap {
namespace {

// x86-64 with five levels of page tables has user addresses below 2^56 (linux,
// Documentation/arch/x86/x86_64/mm.rst).
constexpr int kMoveBits = 56;
constexpr uint64_t kPositionSteps = 1 << 20;

bool HasNoTimes(const SoundEvents& events) {
  const auto& unknown = events.header().unknown();
  return std::find(unknown.begin(), unknown.end(), "time") != unknown.end() ||
         (events.header().time_resolution_ns() == 0 && events.trailer().end_time_ns() == 0);
}

// One of the traces, and where it stands.
class Source {
 public:
  Source(std::unique_ptr<SoundEvents> events, uint64_t index) : events_(std::move(events)), index_(index) {}

  const SoundEvents& events() const { return *events_; }
  void set_shift_ns(uint64_t shift_ns) { shift_ns_ = shift_ns; }
  void WriteTo(EditedTrace* out) {
    numbers_ = std::make_unique<Renumbering>(&events_->trailer().threads(), out);
  }

  // Reads on when the batch is used up.
  absl::Status Settle(MergeClock clock);
  bool done() const { return batch_.empty(); }
  // By what events are taken.
  uint64_t key() const { return key_; }
  uint64_t index() const { return index_; }

  // Appends the next event and settles on the one behind it.
  absl::Status TakeOne(MergeClock clock, TraceMergeReport* report);

 private:
  // False: it is left out.
  absl::StatusOr<bool> Move(TraceEvent* event);
  absl::Status MoveAddress(uint64_t bytes, uint64_t* address) const;
  void FindKey(MergeClock clock);

  std::unique_ptr<SoundEvents> events_;
  std::unique_ptr<Renumbering> numbers_;
  const uint64_t index_;
  uint64_t shift_ns_ = 0;
  absl::Span<const TraceEvent> batch_;  // from the next event on
  uint64_t number_ = 0;                 // of the next event
  uint64_t key_ = 0;
  uint64_t last_break_ = 0;  // as it was recorded; 0 = not known
};

void Source::FindKey(MergeClock clock) {
  if (batch_.empty()) return;
  key_ = clock == MergeClock::kPosition ? number_ * kPositionSteps / events_->trailer().events()
                                        : batch_.front().time_ns + shift_ns_;
}

absl::Status Source::Settle(MergeClock clock) {
  if (batch_.empty()) {
    absl::StatusOr<absl::Span<const TraceEvent>> batch = events_->NextBatch();
    if (!batch.ok()) return batch.status();
    batch_ = *batch;
  }
  FindKey(clock);
  return absl::OkStatus();
}

absl::Status Source::MoveAddress(uint64_t bytes, uint64_t* address) const {
  constexpr uint64_t kLimit = uint64_t{1} << kMoveBits;
  if (*address >= kLimit || bytes > kLimit - *address) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: event %d: address %#x is not below 2^%d: it is a merged trace, or no process's; merge the "
        "traces that it was made of in one go",
        events_->path(), number_, *address, kMoveBits));
  }
  *address += index_ << kMoveBits;
  return absl::OkStatus();
}

absl::StatusOr<bool> Source::Move(TraceEvent* event) {
  if (event->kind <= EventKind::kThreadEnd) return true;
  if (event->kind == EventKind::kMemorySample) return false;
  if (event->failed) return true;  // it is about nothing
  if (event->kind == EventKind::kBreak) {
    if (event->argument == 0 && last_break_ != 0) event->argument = event->address - last_break_;
    last_break_ = event->address;
  }
  if (absl::Status moved = MoveAddress(event->kind == EventKind::kBreak ? 0 : event->size, &event->address);
      !moved.ok()) {
    return moved;
  }
  if (event->kind == EventKind::kRemap) {
    if (absl::Status moved = MoveAddress(event->size, &event->argument); !moved.ok()) return moved;
  }
  return true;
}

absl::Status Source::TakeOne(MergeClock clock, TraceMergeReport* report) {
  TraceEvent event = batch_.front();
  absl::StatusOr<bool> moved = Move(&event);
  if (!moved.ok()) return moved.status();
  if (*moved) {
    event.time_ns = clock == MergeClock::kPosition ? 0 : key_;
    numbers_->Append(event);
    ++report->events;
    report->end_time_ns = event.time_ns;
  } else {
    ++report->dropped_samples;
  }
  batch_.remove_prefix(1);
  ++number_;
  return Settle(clock);
}

// Where each trace's time 0 lies in the merged one.
absl::Status AlignClocks(const TraceMergeOptions& options, std::vector<Source>* sources) {
  for (const Source& source : *sources) {
    if (options.clock == MergeClock::kPosition || !HasNoTimes(source.events())) continue;
    return UnfitRequest(source.events().path() + ": it has no times to be merged by; merge by position");
  }
  if (options.clock != MergeClock::kWall) return absl::OkStatus();
  uint64_t earliest = ~uint64_t{0};
  for (const Source& source : *sources) {
    const uint64_t start = source.events().header().process().start_time_unix_ns();
    if (start == 0)
      return UnfitRequest(source.events().path() + ": its header does not say when the program started");
    earliest = std::min(earliest, start);
  }
  for (Source& source : *sources) {
    const uint64_t shift = source.events().header().process().start_time_unix_ns() - earliest;
    if (shift > ~uint64_t{0} - source.events().trailer().end_time_ns()) {
      return UnfitRequest(source.events().path() +
                          ": its start time is more than 500 years behind the first one's");
    }
    source.set_shift_ns(shift);
  }
  return absl::OkStatus();
}

// Sizes of address-space calls are meant in the header's OS pages: one header cannot have two.
absl::Status CheckPages(const std::vector<Source>& sources) {
  const SoundEvents& first = sources.front().events();
  const uint64_t page = first.header().host().os_page_bytes();
  for (const Source& source : sources) {
    const uint64_t other = source.events().header().host().os_page_bytes();
    if (other == page || other == 0 || page == 0) continue;
    return UnfitRequest(absl::StrFormat("%s has OS pages of %d bytes, %s of %d: one process cannot have both",
                                        first.path(), page, source.events().path(), other));
  }
  return absl::OkStatus();
}

void JoinProcess(const std::vector<Source>& sources, MergeClock clock, proto::TraceHeader* header) {
  proto::Process& process = *header->mutable_process();
  process.clear_pid();
  process.clear_parent_pid();
  process.clear_program();
  process.clear_arguments();
  if (clock != MergeClock::kWall) process.clear_start_time_unix_ns();
  for (const Source& source : sources) {
    const proto::Process& other = source.events().header().process();
    process.set_word_bits(std::max(process.word_bits(), other.word_bits()));
    if (clock != MergeClock::kWall) continue;
    process.set_start_time_unix_ns(std::min(process.start_time_unix_ns(), other.start_time_unix_ns()));
  }
}

proto::TraceHeader HeaderOf(const std::vector<Source>& sources, const TraceMergeOptions& options) {
  proto::TraceHeader header = sources.front().events().header();
  JoinProcess(sources, options.clock, &header);
  std::string writers;
  uint64_t resolution_ns = 0;
  for (const Source& source : sources) {
    const proto::TraceHeader& other = source.events().header();
    for (const std::string& word : other.unknown()) MarkUnknown(word, &header);
    absl::StrAppend(&writers, writers.empty() ? "" : "; ", other.writer());
    const uint64_t step = other.time_resolution_ns();
    if (step != 0) resolution_ns = resolution_ns == 0 ? step : std::min(resolution_ns, step);
  }
  MarkUnknown("program", &header);
  // Two clocks of 1 ms that started apart make steps of any size.
  if (options.clock == MergeClock::kWall && resolution_ns != 0) resolution_ns = 1;
  if (options.clock == MergeClock::kPosition) {
    resolution_ns = 0;
    MarkUnknown("time", &header);
  }
  header.set_time_resolution_ns(resolution_ns);
  header.set_writer(writers);
  SayHowItWasMade(options.how, &header);
  return header;
}

// Runs of events: from the source with the smallest key until another one's is smaller.
absl::Status MergeAll(MergeClock clock, std::vector<Source>* sources, const EditedTrace& out,
                      TraceMergeReport* report) {
  while (out.status().ok()) {
    Source* first = nullptr;
    Source* second = nullptr;
    for (Source& source : *sources) {
      if (source.done()) continue;
      if (first == nullptr || source.key() < first->key()) {
        second = first;
        first = &source;
      } else if (second == nullptr || source.key() < second->key()) {
        second = &source;
      }
    }
    if (first == nullptr) break;
    const auto goes_first = [&] {
      if (second == nullptr || first->key() < second->key()) return true;
      return first->key() == second->key() && first->index() < second->index();
    };
    do {
      if (absl::Status taken = first->TakeOne(clock, report); !taken.ok()) return taken;
    } while (!first->done() && goes_first() && out.status().ok());
  }
  return out.status();
}

}  // namespace

absl::StatusOr<TraceMergeReport> MergeTraces(const std::vector<std::string>& paths,
                                             const std::string& out_path, const TraceMergeOptions& options) {
  if (paths.empty() || paths.size() > kMaxMergedTraces) {
    return UnfitRequest(
        absl::StrFormat("%d traces to merge, expected 1 to %d", paths.size(), kMaxMergedTraces));
  }
  std::vector<Source> sources;
  for (const std::string& path : paths) {
    absl::StatusOr<std::unique_ptr<SoundEvents>> events = SoundEvents::Open(path);
    if (!events.ok()) return events.status();
    sources.emplace_back(*std::move(events), sources.size());
  }
  absl::Status fits = CheckPages(sources);
  if (fits.ok()) fits = AlignClocks(options, &sources);
  if (!fits.ok()) return fits;
  absl::StatusOr<std::unique_ptr<EditedTrace>> out =
      EditedTrace::Create(out_path, HeaderOf(sources, options));
  if (!out.ok()) return out.status();
  uint64_t dropped_events = 0;
  bool ended_in_order = true;
  TraceMergeReport report;
  for (Source& source : sources) {
    source.WriteTo(out->get());
    dropped_events += source.events().trailer().dropped_events();
    ended_in_order = ended_in_order && source.events().trailer().ended_in_order();
    if (absl::Status settled = source.Settle(options.clock); !settled.ok()) return settled;
  }
  const absl::Status merged = MergeAll(options.clock, &sources, **out, &report);
  if (!merged.ok()) return merged;
  report.threads = (*out)->threads();
  const absl::Status done = (*out)->Finish(dropped_events, ended_in_order);
  if (!done.ok()) return done;
  return report;
}

}  // namespace reheap
