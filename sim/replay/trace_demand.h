// TraceDemand: what a trace asks of any heap, whichever it is (row 6 of the walk).
//
// When are the most bytes alive? How often is each size asked for? Both follow from the trace alone, so they
// are found once, by one reading without a heap, and no row spends anything on them while it replays.
//
// Values. Threads: one. Limits: those of OpStream, whose errors it returns; 8 bytes per slot while it reads.
#ifndef REHEAP_SIM_REPLAY_TRACE_DEMAND_H_
#define REHEAP_SIM_REPLAY_TRACE_DEMAND_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "alloc/size_classes.h"
#include "sim/replay/op_stream.h"

namespace reheap {

struct TraceDemand {
  // The first number of events after which the most bytes are alive, as asked for.
  uint64_t events_at_peak = 0;
  uint64_t peak_live_bytes = 0;
  uint64_t events = 0;
  // Objects made, by size class of heap pages of 4 and of 8 KiB; [0] = larger than classes go. An object that
  // is resized is made again when it needs another class; a large one, another number of heap pages that is
  // not less. Empty: not counted.
  std::vector<uint64_t> allocations_4k, allocations_8k;

  const std::vector<uint64_t>& allocations(uint32_t heap_page_shift) const {
    return heap_page_shift == 12 ? allocations_4k : allocations_8k;
  }
};

absl::StatusOr<TraceDemand> ReadDemand(const std::string& trace_path, bool allow_cut_off);

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_TRACE_DEMAND_H_
