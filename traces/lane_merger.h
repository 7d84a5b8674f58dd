// LaneMerger: records of many lanes become one order that is right for every address (row 3 of the walk).
//
// A record's time is the last clock before it in its lane. traces/recorder/README.md proves that of two records
// of one address in different lanes, the one that happened first has the smaller time. What is left to do here is
// never to emit a record before one that belongs in front of it has been seen:
//
//   c1 = what the previous sweep had seen, c2 = what this one has seen, both per lane.
//   Whatever happened before a record of c1 is in c2, because c2 was read after all of c1.
//   T  = the smallest time of any record in c2 that is not in c1.
//   Emit, by time, all records with time < T. They are all in c1, so all their predecessors are in c2, with
//   smaller times, so they are emitted too.
//
// A thread that sleeps between taking its time and storing its record does not hold the others up: its
// record comes out of time order then, and nothing that depends on it can have come before.
//
// Ownership: keeps records until they are emitted. Threads: one. Limits: memory is what running threads record
// between two ticks of the collector's clock.
#ifndef REHEAP_TRACES_LANE_MERGER_H_
#define REHEAP_TRACES_LANE_MERGER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "absl/types/span.h"
#include "traces/recorder/spool.h"

namespace reheap {

// A record in order. `extra` is null unless the record is marked kExtended.
struct OrderedRecord {
  uint32_t lane;
  int32_t tid;
  uint64_t clock;
  uint64_t coarse_us;  // the clock record's address field
  const spool::Record* record;
  const spool::Record* extra;
};

class LaneMerger {
 public:
  using Emit = std::function<void(const OrderedRecord&)>;

  // What one sweep saw of one lane.
  void Add(uint32_t lane, int32_t tid, absl::Span<const spool::Record> records);
  // The sweep is over: emits what is safe.
  void EmitSafe(const Emit& emit);
  // Nothing more will come: emits everything.
  void EmitAll(const Emit& emit);

  // Records of the lane that are not emitted.
  uint64_t pending_records(uint32_t lane) const;
  // The lane has ended and has nothing pending.
  void Forget(uint32_t lane) { lanes_.erase(lane); }

 private:
  struct Lane {
    int32_t tid = 0;
    std::vector<spool::Record> records;
    size_t next = 0;            // first record not emitted
    size_t swept_before = 0;    // records[0 .. swept_before) are in c1
    uint64_t clock = 0;         // of records[next]
    uint64_t coarse_us = 0;
    uint64_t clock_at_sweep = 0;  // the last clock in c1
    const spool::Record* extra = nullptr;
  };

  uint64_t Horizon() const;
  void EmitBefore(uint64_t horizon, const Emit& emit);
  // Walks over clock records; false when the lane has no record left.
  static bool Settle(Lane& lane);
  static void EmitRun(uint32_t number, Lane& lane, const Emit& emit);
  static void Compact(Lane& lane);

  std::map<uint32_t, Lane> lanes_;
};

}  // namespace reheap

#endif  // REHEAP_TRACES_LANE_MERGER_H_
