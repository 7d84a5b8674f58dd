#include "traces/trace_cutter.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_format.h"
#include "traces/edited_trace.h"
#include "traces/mapping_table.h"
#include "traces/slot_table.h"
#include "traces/sound_events.h"

namespace reheap {
namespace {

// What the skipped events left, and the events that make it anew.
class Skipped {
 public:
  explicit Skipped(const proto::TraceHeader& header) : mappings_(header) {}

  void Take(const TraceEvent& event) {
    const uint64_t number = events_++;
    if (event.thread >= threads_.size()) threads_.resize(size_t{event.thread} + 1);
    Thread& thread = threads_[event.thread];
    if (!thread.seen) thread = {number, true, event.kind == EventKind::kThreadStart, false};
    if (event.kind == EventKind::kThreadEnd) thread.ended = true;
    if (event.failed) return;
    if (event.object != kNoObject) {
      TakeObject(event, number);
    } else if (event.kind > EventKind::kThreadEnd) {
      mappings_.Take(event, number);
    }
  }

  void WritePrologue(Renumbering* out, TraceCutReport* report);

 private:
  struct Object {
    uint64_t size = 0;
    uint64_t alignment = 0;
    uint64_t number = 0;  // of its allocation
    uint32_t thread = 0;
    CallKind call = CallKind::kUnknown;
    bool live = false;
  };
  struct Thread {
    uint64_t first_event = 0;
    bool seen = false;
    bool started = false;  // by an event
    bool ended = false;
    bool written = false;
    uint64_t calls_left = 0;  // of the prologue
  };
  struct Step {
    uint64_t number;
    TraceEvent event;
  };

  void TakeObject(const TraceEvent& event, uint64_t number);
  void AddObjects(TraceCutReport* report);
  void AddMappings(TraceCutReport* report);
  void AddThreads(TraceCutReport* report);
  uint32_t AnyThread() const;

  uint64_t events_ = 0;
  SlotTable<Object> objects_;
  std::vector<Thread> threads_;
  MappingTable mappings_;
  std::vector<Step> steps_;
};

void Skipped::TakeObject(const TraceEvent& event, uint64_t number) {
  Object& object = objects_[event.object];
  if (event.kind == EventKind::kAllocate) {
    object = {event.size, event.alignment, number, event.thread, event.call, true};
  } else if (event.kind == EventKind::kFree) {
    object.live = false;
  } else {
    // What realloc returns is aligned as malloc's is (realloc(3)).
    object.size = event.size;
    object.alignment = 0;
    object.call = event.call;
  }
}

// One that lives, so that it need not end again; else any.
uint32_t Skipped::AnyThread() const {
  const auto lives = std::find_if(threads_.begin(), threads_.end(),
                                  [](const Thread& thread) { return thread.seen && !thread.ended; });
  const auto seen =
      std::find_if(threads_.begin(), threads_.end(), [](const Thread& thread) { return thread.seen; });
  return static_cast<uint32_t>((lives == threads_.end() ? seen : lives) - threads_.begin());
}

void Skipped::AddObjects(TraceCutReport* report) {
  objects_.ForEach([&](uint32_t slot, const Object& object) {
    if (!object.live) return;
    TraceEvent event;
    event.call = object.call;
    event.thread = object.thread;
    event.object = slot;
    event.size = object.size;
    event.alignment = object.alignment;
    steps_.push_back({object.number, event});
    ++report->objects;
    report->object_bytes += object.size;
  });
}

void Skipped::AddMappings(TraceCutReport* report) {
  for (const MappingTable::Call& call : mappings_.CallsToRemake()) {
    steps_.push_back({call.number, call.event});
    if (call.by_any_thread) steps_.back().event.thread = AnyThread();
    ++report->mapping_calls;
  }
}

void Skipped::AddThreads(TraceCutReport* report) {
  for (const Step& step : steps_) ++threads_[step.event.thread].calls_left;
  for (size_t i = 0; i < threads_.size(); ++i) {
    const Thread& thread = threads_[i];
    if (!thread.seen || (thread.ended && thread.calls_left == 0)) continue;
    ++report->threads;
    if (!thread.started) continue;
    TraceEvent event;
    event.kind = EventKind::kThreadStart;
    event.thread = static_cast<uint32_t>(i);
    steps_.push_back({thread.first_event, event});
  }
}

void Skipped::WritePrologue(Renumbering* out, TraceCutReport* report) {
  AddObjects(report);
  AddMappings(report);
  AddThreads(report);
  // Changes of the image have number 0, which is some thread's start, too: that one goes first.
  const auto rank = [](const TraceEvent& event) { return event.kind == EventKind::kThreadStart ? 0 : 1; };
  std::stable_sort(steps_.begin(), steps_.end(), [&](const Step& a, const Step& b) {
    return a.number != b.number ? a.number < b.number : rank(a.event) < rank(b.event);
  });
  const auto write = [&](const TraceEvent& event) {
    out->Append(event);
    ++report->prologue_events;
  };
  for (const Step& step : steps_) {
    Thread& thread = threads_[step.event.thread];
    if (step.event.kind != EventKind::kThreadStart) --thread.calls_left;
    // A change of the image may be by a thread that started later.
    TraceEvent border;
    border.kind = EventKind::kThreadStart;
    border.thread = step.event.thread;
    if (thread.started && !thread.written) write(border);
    thread.written = true;
    if (step.event.kind != EventKind::kThreadStart) write(step.event);
    border.kind = EventKind::kThreadEnd;
    if (thread.ended && thread.calls_left == 0) write(border);
  }
  steps_ = {};
}

// Where a cut stands in its source: the batch from the next event on, and that event's number.
struct Place {
  absl::Span<const TraceEvent> batch;
  uint64_t number = 0;
};

bool IsBefore(const TraceEvent& event, uint64_t number, const TraceCutOptions& options) {
  return number < options.from_event || event.time_ns < options.from_time_ns;
}

bool IsBehind(const TraceEvent& event, uint64_t number, const TraceCutOptions& options) {
  return number >= options.to_event || event.time_ns >= options.to_time_ns;
}

// To the first event that is kept; an UnfitRequest when there is none.
absl::StatusOr<Place> SkipToStart(SoundEvents* events, const TraceCutOptions& options, Skipped* skipped) {
  Place place;
  uint64_t last_time_ns = 0;
  while (true) {
    absl::StatusOr<absl::Span<const TraceEvent>> batch = events->NextBatch();
    if (!batch.ok()) return batch.status();
    if (batch->empty()) break;
    for (size_t i = 0; i < batch->size(); ++i, ++place.number) {
      const TraceEvent& event = (*batch)[i];
      if (!IsBefore(event, place.number, options)) {
        place.batch = batch->subspan(i);
        if (!IsBehind(event, place.number, options)) return place;
        return UnfitRequest(
            absl::StrFormat("%s: no event is in the part asked for; event %d at %d ns is the first behind it",
                            events->path(), place.number, event.time_ns));
      }
      skipped->Take(event);
      last_time_ns = event.time_ns;
    }
  }
  return UnfitRequest(absl::StrFormat("%s: the part asked for begins behind its %d events, the last at %d ns",
                                      events->path(), place.number, last_time_ns));
}

// Appends from `place` on, with times from `start_ns` on; leaves `place` at the first event not kept.
absl::Status Keep(SoundEvents* events, const TraceCutOptions& options, uint64_t start_ns, Place* place,
                  Renumbering* numbers, EditedTrace* out) {
  while (!place->batch.empty() && out->status().ok()) {
    for (TraceEvent event : place->batch) {
      if (IsBehind(event, place->number, options)) return absl::OkStatus();
      event.time_ns -= start_ns;
      numbers->Append(event);
      ++place->number;
    }
    absl::StatusOr<absl::Span<const TraceEvent>> batch = events->NextBatch();
    if (!batch.ok()) return batch.status();
    place->batch = *batch;
  }
  return out->status();
}

proto::TraceHeader HeaderOf(const proto::TraceHeader& source, uint64_t start_ns, const std::string& how) {
  proto::TraceHeader header = source;
  SayHowItWasMade(how, &header);
  const uint64_t start_unix_ns = header.process().start_time_unix_ns();
  if (start_unix_ns != 0) header.mutable_process()->set_start_time_unix_ns(start_unix_ns + start_ns);
  return header;
}

}  // namespace

absl::StatusOr<TraceCutReport> CutTrace(const std::string& path, const std::string& out_path,
                                        const TraceCutOptions& options) {
  absl::StatusOr<std::unique_ptr<SoundEvents>> events = SoundEvents::Open(path);
  if (!events.ok()) return events.status();
  auto skipped = std::make_unique<Skipped>((*events)->header());
  absl::StatusOr<Place> place = SkipToStart(events->get(), options, skipped.get());
  if (!place.ok()) return place.status();
  const uint64_t start_ns = place->batch.front().time_ns;
  absl::StatusOr<std::unique_ptr<EditedTrace>> out =
      EditedTrace::Create(out_path, HeaderOf((*events)->header(), start_ns, options.how));
  if (!out.ok()) return out.status();
  const proto::TraceTrailer& trailer = (*events)->trailer();
  Renumbering numbers(&trailer.threads(), out->get());
  TraceCutReport report;
  skipped->WritePrologue(&numbers, &report);
  skipped.reset();
  const uint64_t first = place->number;
  if (absl::Status kept = Keep(events->get(), options, start_ns, &*place, &numbers, out->get()); !kept.ok())
    return kept;
  report.kept_events = place->number - first;
  const bool whole_end = place->number == trailer.events();
  const absl::Status done =
      (*out)->Finish(trailer.dropped_events(), whole_end ? trailer.ended_in_order() : true);
  if (!done.ok()) return done;
  return report;
}

}  // namespace reheap
