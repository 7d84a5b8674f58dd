// CutTrace: a part of a trace that replays on its own (`reheap trace cut`; from row 5 of the walk to row 3).
//
//   source   | . . . . . skipped . . . . . |  A . . . . . . . . B  | not read
//   out                          [prologue]|  A . . . . . . . . B  |
//
// The prologue makes anew what the skipped events left alive, all at time 0, in the order in which it came to
// be:
//   threads   their start, if the source has it
//   objects   one allocation each, by the thread that made them: last size; the same call and alignment, or
//             realloc with none when they were resized. A thread that has ended meanwhile but left objects
//             ends again behind its last one
//   mappings  see mapping_table.h: one call per piece, and the break
// Memory samples of the skipped part are left out. Times count from the first event kept, and the header's
// start time moves with it. dropped_events is the source's: nobody knows where it lost them. ended_in_order
// is the source's when its last event is kept, else true.
//
// Function of files; any thread. Limits: one block, 40 bytes per slot beside SoundEvents, and at the cut
// another 64 per object alive.
#ifndef REHEAP_TRACES_TRACE_CUTTER_H_
#define REHEAP_TRACES_TRACE_CUTTER_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace reheap {

// Kept is what is in both ranges; each from its first value up to, but not including, its last.
struct TraceCutOptions {
  uint64_t from_event = 0;  // numbers as `reheap trace check` prints them, from 0
  uint64_t to_event = ~uint64_t{0};
  uint64_t from_time_ns = 0;  // since the trace's start
  uint64_t to_time_ns = ~uint64_t{0};
  std::string how = "reheap trace cut";  // for the header
};

struct TraceCutReport {
  uint64_t kept_events = 0;
  // Of the prologue.
  uint64_t prologue_events = 0;
  uint64_t objects = 0;
  uint64_t object_bytes = 0;
  uint64_t threads = 0;
  uint64_t mapping_calls = 0;
};

// UnfitRequest (edited_trace.h) when no event is in the ranges.
absl::StatusOr<TraceCutReport> CutTrace(const std::string& path, const std::string& out,
                                        const TraceCutOptions& options);

}  // namespace reheap

#endif  // REHEAP_TRACES_TRACE_CUTTER_H_
