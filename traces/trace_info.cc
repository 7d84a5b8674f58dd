#include "traces/trace_info.h"

#include <bit>
#include <memory>
#include <utility>

#include "traces/slot_table.h"
#include "traces/trace_cursor.h"
#include "traces/trace_totals.h"

namespace reheap {
namespace {

// What TraceTotals does not count.
class InfoCounter {
 public:
  explicit InfoCounter(TraceInfo* info) : info_(info) {}

  void Add(const TraceEvent& event) {
    if (info_->events++ == 0) info_->start_time_ns = event.time_ns;
    ++info_->events_by_call[static_cast<size_t>(event.call)];
    info_->failed_calls += event.failed ? 1 : 0;
    bool& seen = threads_[event.thread];
    info_->active_threads += seen ? 0 : 1;
    seen = true;
    AddObject(event);
    const uint64_t peak_before = totals_.peak_live_bytes();
    totals_.Add(event);
    if (totals_.peak_live_bytes() > peak_before) info_->peak_bytes_event = totals_.events() - 1;
  }

  void Finish() {
    info_->events_by_kind = totals_.events_by_kind();
    info_->end_time_ns = totals_.end_time_ns();
    info_->allocated_bytes = totals_.allocated_bytes();
    info_->peak_live_bytes = totals_.peak_live_bytes();
    info_->peak_live_objects = totals_.peak_live_objects();
    info_->end_live_bytes = totals_.live_bytes();
    info_->end_live_objects = totals_.live_objects();
  }

 private:
  void AddObject(const TraceEvent& event) {
    if (event.kind == EventKind::kAllocate && !event.failed) {
      ++info_->size_histogram[static_cast<size_t>(std::bit_width(event.size))];
      if (event.object != kNoObject) owners_[event.object] = event.thread;
    } else if (event.kind == EventKind::kFree && event.object == kNoObject) {
      ++info_->frees_of_null;
    } else if (event.kind == EventKind::kFree) {
      info_->cross_thread_frees += owners_[event.object] != event.thread ? 1 : 0;
    }
  }

  TraceInfo* const info_;
  TraceTotals totals_;
  SlotTable<uint32_t> owners_;  // the thread that allocated
  SlotTable<bool> threads_;
};

}  // namespace

absl::StatusOr<TraceInfo> ReadTraceInfo(const std::string& path) {
  absl::StatusOr<std::unique_ptr<TraceCursor>> opened = TraceCursor::Open(path);
  if (!opened.ok()) return opened.status();
  TraceCursor& cursor = **opened;
  TraceInfo info;
  InfoCounter counter(&info);
  std::vector<TraceEvent> batch(256);  // 14 KiB: stays in the first-level cache
  while (true) {
    absl::StatusOr<size_t> count = cursor.NextBatch(batch.data(), batch.size());
    if (!count.ok()) return count.status();
    if (*count == 0) break;
    if (info.blocks == 0 || cursor.block() + 1 != info.blocks) ++info.blocks;
    for (size_t i = 0; i < *count; ++i) counter.Add(batch[i]);
  }
  counter.Finish();
  info.header = cursor.header();
  info.threads = cursor.reader().threads();
  info.file_bytes = cursor.reader().file_bytes();
  info.cut_off = cursor.reader().cut_off();
  if (cursor.trailer() != nullptr) {
    info.ended_in_order = cursor.trailer()->ended_in_order();
    info.dropped_events = cursor.trailer()->dropped_events();
  }
  return info;
}

}  // namespace reheap
