// TraceTotals: what a stream of events adds up to: the figures of a trace's trailer, counted as events pass
// by.
//
// The writer counts with it what it writes, the checker what it reads. An event that makes no sense
// (free of a free slot) changes nothing but its kind's count. Ownership: owns its slot table. Threads: one at
// a time. Limits: 16 bytes per slot.
#ifndef REHEAP_TRACES_TRACE_TOTALS_H_
#define REHEAP_TRACES_TRACE_TOTALS_H_

#include <algorithm>
#include <array>
#include <cstdint>

#include "traces/slot_table.h"
#include "traces/trace_event.h"

namespace reheap {

class TraceTotals {
 public:
  void Add(const TraceEvent& event) {
    ++events_;
    ++events_by_kind_[static_cast<size_t>(event.kind)];
    end_time_ns_ = event.time_ns;
    if (event.object == kNoObject) return;
    slot_count_ = std::max<uint64_t>(slot_count_, uint64_t{event.object} + 1);
    if (event.failed) return;
    if (event.kind == EventKind::kAllocate) {
      Allocate(event);
    } else if (event.kind == EventKind::kFree) {
      Free(event);
    } else if (event.kind == EventKind::kResize) {
      Resize(event);
    }
  }

  uint64_t events() const { return events_; }
  const std::array<uint64_t, kEventKindCount>& events_by_kind() const { return events_by_kind_; }
  uint64_t slot_count() const { return slot_count_; }
  uint64_t live_bytes() const { return live_bytes_; }
  uint64_t live_objects() const { return live_objects_; }
  uint64_t peak_live_bytes() const { return peak_live_bytes_; }
  uint64_t peak_live_objects() const { return peak_live_objects_; }
  uint64_t allocated_bytes() const { return allocated_bytes_; }
  uint64_t end_time_ns() const { return end_time_ns_; }

  // The same two figures counted again from the slot table.
  struct Live {
    uint64_t bytes = 0;
    uint64_t objects = 0;
  };
  Live SlowRecount() const {
    Live live;
    objects_.ForEach([&](uint32_t, const Object& object) {
      live.bytes += object.live ? object.bytes : 0;
      live.objects += object.live ? 1 : 0;
    });
    return live;
  }

 private:
  struct Object {
    uint64_t bytes = 0;
    bool live = false;
  };

  void Allocate(const TraceEvent& event) {
    Object& object = objects_[event.object];
    if (object.live) return;
    object = {event.size, true};
    allocated_bytes_ += event.size;
    live_bytes_ += event.size;
    ++live_objects_;
    peak_live_objects_ = std::max(peak_live_objects_, live_objects_);
    peak_live_bytes_ = std::max(peak_live_bytes_, live_bytes_);
  }

  void Free(const TraceEvent& event) {
    Object& object = objects_[event.object];
    if (!object.live) return;
    object.live = false;
    live_bytes_ -= object.bytes;
    --live_objects_;
  }

  void Resize(const TraceEvent& event) {
    Object& object = objects_[event.object];
    if (!object.live) return;
    live_bytes_ += event.size - object.bytes;
    object.bytes = event.size;
    allocated_bytes_ += event.size;
    peak_live_bytes_ = std::max(peak_live_bytes_, live_bytes_);
  }

  SlotTable<Object> objects_;
  uint64_t events_ = 0;
  std::array<uint64_t, kEventKindCount> events_by_kind_{};
  uint64_t slot_count_ = 0;
  uint64_t live_bytes_ = 0;
  uint64_t live_objects_ = 0;
  uint64_t peak_live_bytes_ = 0;
  uint64_t peak_live_objects_ = 0;
  uint64_t allocated_bytes_ = 0;
  uint64_t end_time_ns_ = 0;
};

}  // namespace reheap

#endif  // REHEAP_TRACES_TRACE_TOTALS_H_
