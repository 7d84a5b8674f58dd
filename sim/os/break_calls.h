// BreakCalls: brk of a modelled kernel (row 9).
//
// The break area begins where the image says ([heap], or the end of the data) and is one more mapping: it may
// merge, be unmapped, or be in the way.
//
// Ownership: none; the state and the map calls outlive it. Threads: one.
#ifndef REHEAP_SIM_OS_BREAK_CALLS_H_
#define REHEAP_SIM_OS_BREAK_CALLS_H_

#include "sim/os/map_calls.h"
#include "sim/os/process_state.h"

namespace reheap {

class BreakCalls {
 public:
  BreakCalls(ProcessState* state, MapCalls* map) : s_(*state), map_(*map) {}

  // The new break. The system call answers the old one instead of an error; here that is the refusal.
  OsResult<Addr> Brk(Addr addr);

 private:
  Refusal GrowBreak(AddrRange more);

  ProcessState& s_;
  MapCalls& map_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_BREAK_CALLS_H_
