// EventBuilder: ordered records of one process image become trace events (row 3 of the walk).
//
// Addresses become object slots here (the last slot freed is the next one used), the two records of a realloc become one
// event, and threads get their (tid, generation). Where events were dropped the rest may contradict itself; the
// builder keeps the trace whole with two rules, and counts each use:
//   a free or realloc of an address that holds nothing      is left out (a realloc becomes an allocation)
//   a realloc whose end was dropped                         is a free
//   an allocation at an address that holds an object        frees that object first
//   a sized delete, after losses, of another size           is of an object that was missed: its size is left out
//
// Ownership: the sink is the caller's and outlives the builder. Threads: one. Limits: about 50 bytes per live object.
#ifndef REHEAP_TRACES_EVENT_BUILDER_H_
#define REHEAP_TRACES_EVENT_BUILDER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "proto/trace.pb.h"
#include "traces/lane_merger.h"
#include "traces/trace_event.h"

namespace reheap {

// Where events go: a TraceWriter, or a test's list.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual uint32_t AddThread(const proto::TraceThread& thread) = 0;
  virtual absl::Status Append(const TraceEvent* events, size_t count) = 0;
};

struct LiveObject {
  uint64_t address;
  uint64_t size;
  uint64_t alignment;
};
// Everything alive in a process at the moment it forked.
using HeapSnapshot = std::shared_ptr<const std::vector<LiveObject>>;

struct EventBuilderOptions {
  // Clock readings to nanoseconds since the image's start.
  std::function<uint64_t(const OrderedRecord&)> time_ns;
  std::function<std::string(int32_t tid)> thread_name;
  // What the image inherited by fork: allocations of its first thread, before everything else.
  HeapSnapshot inherited;
  std::function<void(uint32_t fork_number, HeapSnapshot)> on_fork;
  // Whether events are missing so far; null: never.
  std::function<bool()> lossy;
};

class EventBuilder {
 public:
  EventBuilder(EventBuilderOptions options, EventSink* sink);

  void Take(const OrderedRecord& record);
  // The lane's thread is gone, and all its records were taken: its kThreadEnd.
  void EndThread(uint32_t lane);
  // Lanes whose threads have said that they end: lane, tid.
  const absl::flat_hash_map<uint32_t, int32_t>& ending_lanes() const { return ending_lanes_; }

  // RSS and VSIZE as the collector saw them now. Waits for the first thread if there is none.
  void AddMemorySample(uint64_t vsize_bytes, uint64_t rss_bytes);
  // Hands buffered events to the sink; its first refusal, now or earlier. After one nothing more is handed over.
  absl::Status Flush();

  uint64_t events() const { return events_; }
  uint64_t live_objects() const { return slots_.size() - free_slots_.size() - resizing_; }
  uint64_t unmatched_records() const { return unmatched_records_; }
  uint64_t repaired_addresses() const { return repaired_addresses_; }

 private:
  struct Thread {
    uint32_t number = 0;             // in the sink
    bool resizing = false;           // between the two records of a realloc
    std::optional<uint32_t> object;  // the one resized; none: it was not known
    uint64_t old_address = 0;
  };
  struct Slot {
    uint64_t address = 0;  // 0: free, or being resized
    uint64_t size = 0;
    uint64_t alignment = 0;
  };

  Thread& ThreadOf(const OrderedRecord& record);
  void TakeCall(const OrderedRecord& record, CallKind call, Thread& thread);
  void TakeAllocation(TraceEvent event, uint64_t address);
  void TakeFree(TraceEvent event, uint64_t address);
  void TakeResizeBegin(const OrderedRecord& record, Thread& thread);
  void AbandonResize(Thread& thread);
  void TakeResizeEnd(TraceEvent event, uint64_t address, Thread& thread);
  void TakeSpace(const OrderedRecord& record, spool::Op op, TraceEvent event);
  void AddInherited(uint32_t thread);
  HeapSnapshot Snapshot() const;

  TraceEvent NewEvent(EventKind kind, const Thread& thread);
  uint32_t NewSlot(uint64_t address, uint64_t size, uint64_t alignment);
  // Makes room at an address that should be free.
  void Vacate(uint64_t address, uint32_t thread);
  void FreeSlot(uint32_t slot);
  void Push(const TraceEvent& event);

  const EventBuilderOptions options_;
  EventSink* const sink_;
  absl::Status status_;
  std::vector<TraceEvent> batch_;
  absl::flat_hash_map<uint32_t, Thread> threads_;        // by lane
  absl::flat_hash_map<uint32_t, int32_t> ending_lanes_;  // lane -> tid
  absl::flat_hash_map<int32_t, uint32_t> generations_;   // by tid: the next one
  absl::flat_hash_map<uint64_t, uint32_t> slot_of_;      // by address
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_slots_;
  std::optional<TraceEvent> early_sample_;
  uint64_t now_ns_ = 0;
  uint64_t events_ = 0;
  uint64_t resizing_ = 0;
  uint64_t unmatched_records_ = 0;
  uint64_t repaired_addresses_ = 0;
};

}  // namespace reheap

#endif  // REHEAP_TRACES_EVENT_BUILDER_H_
