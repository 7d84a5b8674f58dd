#include "traces/trace_filter.h"

#include <memory>

#include "absl/strings/str_format.h"
#include "traces/edited_trace.h"
#include "traces/slot_table.h"
#include "traces/sound_events.h"

namespace reheap {
namespace {

class Filter {
 public:
  Filter(const TraceFilterOptions& options, const proto::TraceTrailer& trailer, EditedTrace* out)
      : options_(options),
        by_size_(options.min_size_bytes != 0 || options.max_size_bytes != ~uint64_t{0}),
        threads_(static_cast<size_t>(trailer.threads_size())),
        numbers_(&trailer.threads(), out) {
    for (Thread& thread : threads_) thread.selected = options.threads.empty();
    for (const uint32_t thread : options.threads) threads_[thread].selected = true;
  }

  void Take(const TraceEvent& event) {
    ++report_.read_events;
    if (!Keeps(event)) return;
    Thread& thread = threads_[event.thread];
    if (thread.start_withheld) {
      thread.start_withheld = false;
      TraceEvent start;
      start.kind = EventKind::kThreadStart;
      start.thread = event.thread;
      start.time_ns = event.time_ns;
      Append(start);
    }
    thread.occurs = true;
    Append(event);
  }

  const TraceFilterReport& report() const { return report_; }

 private:
  struct Thread {
    bool selected = false;
    bool start_withheld = false;
    bool occurs = false;
  };
  struct Object {
    uint64_t size = 0;  // now
    bool kept = false;
    bool selected = false;  // by its thread
  };

  bool Fits(uint64_t size) const {
    return size >= options_.min_size_bytes && size <= options_.max_size_bytes;
  }
  bool Keeps(const TraceEvent& event);
  bool KeepsAllocation(const TraceEvent& event);
  bool KeepsFree(const TraceEvent& event);
  bool KeepsResize(const TraceEvent& event);

  void Append(const TraceEvent& event) {
    numbers_.Append(event);
    ++report_.kept_events;
  }

  const TraceFilterOptions& options_;
  const bool by_size_;
  std::vector<Thread> threads_;
  SlotTable<Object> objects_;
  Renumbering numbers_;
  TraceFilterReport report_;
};

bool Filter::Keeps(const TraceEvent& event) {
  Thread& thread = threads_[event.thread];
  switch (event.kind) {
    case EventKind::kAllocate:
      return KeepsAllocation(event);
    case EventKind::kFree:
      return KeepsFree(event);
    case EventKind::kResize:
      return KeepsResize(event);
    case EventKind::kThreadStart:
      thread.start_withheld = !thread.selected;
      return thread.selected;
    case EventKind::kThreadEnd:
      return thread.selected || thread.occurs;
    case EventKind::kMemorySample:
      return false;
    default:
      return options_.mappings;
  }
}

bool Filter::KeepsAllocation(const TraceEvent& event) {
  const bool selected = threads_[event.thread].selected;
  const bool keeps = selected && Fits(event.size);
  if (event.object == kNoObject) return keeps;  // it failed
  Object& object = objects_[event.object];
  object.size = event.size;
  object.kept = keeps;
  object.selected = selected;
  ++report_.objects;
  report_.kept_objects += keeps ? 1 : 0;
  return keeps;
}

bool Filter::KeepsFree(const TraceEvent& event) {
  const bool selected = threads_[event.thread].selected;
  if (event.object == kNoObject) return selected && !by_size_;
  const bool keeps = objects_[event.object].kept;
  report_.kept_frees_by_others += keeps && !selected ? 1 : 0;
  return keeps;
}

bool Filter::KeepsResize(const TraceEvent& event) {
  Object& object = objects_[event.object];
  if (!event.failed) {
    report_.crossing_resizes += object.selected && Fits(object.size) != Fits(event.size) ? 1 : 0;
    object.size = event.size;
  }
  return object.kept;
}

proto::TraceHeader HeaderOf(const proto::TraceHeader& source, const TraceFilterOptions& options) {
  proto::TraceHeader header = source;
  SayHowItWasMade(options.how, &header);
  if (!options.mappings) {
    header.clear_mappings();
    MarkUnknown("mappings", &header);
    MarkUnknown("address space", &header);
  }
  return header;
}

}  // namespace

absl::StatusOr<TraceFilterReport> FilterTrace(const std::string& path, const std::string& out_path,
                                              const TraceFilterOptions& options) {
  absl::StatusOr<std::unique_ptr<SoundEvents>> events = SoundEvents::Open(path);
  if (!events.ok()) return events.status();
  const proto::TraceTrailer& trailer = (*events)->trailer();
  for (const uint32_t thread : options.threads) {
    if (thread < static_cast<uint32_t>(trailer.threads_size())) continue;
    return UnfitRequest(absl::StrFormat("%s: there is no thread %u; they count from 0, and it has %d", path,
                                        thread, trailer.threads_size()));
  }
  absl::StatusOr<std::unique_ptr<EditedTrace>> out =
      EditedTrace::Create(out_path, HeaderOf((*events)->header(), options));
  if (!out.ok()) return out.status();
  Filter filter(options, trailer, out->get());
  while (true) {
    absl::StatusOr<absl::Span<const TraceEvent>> batch = (*events)->NextBatch();
    if (!batch.ok()) return batch.status();
    if (batch->empty()) break;
    for (const TraceEvent& event : *batch) filter.Take(event);
    if (!(*out)->status().ok()) return (*out)->status();
  }
  const absl::Status done = (*out)->Finish(trailer.dropped_events(), trailer.ended_in_order());
  if (!done.ok()) return done;
  return filter.report();
}

}  // namespace reheap
