// MergeTraces: several traces become the trace of one process that does what all of them did (`reheap trace
// merge`; from row 5 of the walk to row 3).
//
// Events are taken by time; of equal times the trace named first goes first, and each trace keeps its own
// order. Clocks are coarse (TraceHeader.time_resolution_ns), so the events of one tick go trace by trace.
//   clocks     kStart: all traces begin together. kWall: as they were recorded, by the start times in their
//              headers; time 0 is the earliest of them. kPosition: by the part of its events that each has
//              done, for traces without times; the result has none either
//   slots      shared: what one frees another may get, as in one heap
//   threads    all of them, with numbers by first event; a (tid, generation) that is taken gets the next
//              generation
//   addresses  trace n (from 0) has its address-space calls moved up by n * 2^56. No process has such
//              addresses, so nothing clashes, order and distances within a trace stay, and a replay puts
//              these mappings where its OS likes. Steps of the break are spelled out, because there is one
//              break for all
//   header     host, limits and the process image are the first trace's; the program is unknown; what one of
//              the sources does not know the result does not know
// Memory samples are of one process each: none is kept. dropped_events are added up; ended_in_order if all
// did.
//
// Function of files; any thread. Limits: one block per trace, SoundEvents' tables for each, 4 bytes per slot.
#ifndef REHEAP_TRACES_TRACE_MERGER_H_
#define REHEAP_TRACES_TRACE_MERGER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace reheap {

// The moves up must stay below 2^63, where a replay stops to believe addresses.
inline constexpr size_t kMaxMergedTraces = 127;

enum class MergeClock : uint8_t { kStart, kWall, kPosition };

struct TraceMergeOptions {
  MergeClock clock = MergeClock::kStart;
  std::string how = "reheap trace merge";  // for the header
};

struct TraceMergeReport {
  uint64_t events = 0;
  uint64_t threads = 0;
  uint64_t dropped_samples = 0;  // memory samples left out
  uint64_t end_time_ns = 0;
};

// UnfitRequest (edited_trace.h) when the clock asked for needs what a trace does not say, or they do not fit
// together.
absl::StatusOr<TraceMergeReport> MergeTraces(const std::vector<std::string>& paths, const std::string& out,
                                             const TraceMergeOptions& options);

}  // namespace reheap

#endif  // REHEAP_TRACES_TRACE_MERGER_H_
