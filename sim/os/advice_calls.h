// AdviceCalls: madvise of a modelled kernel (row 9).
//
// Ownership: none; the state outlives it. Threads: one.
#ifndef REHEAP_SIM_OS_ADVICE_CALLS_H_
#define REHEAP_SIM_OS_ADVICE_CALLS_H_

#include <cstdint>

#include "sim/os/process_state.h"

namespace reheap {

class AdviceCalls {
 public:
  explicit AdviceCalls(ProcessState* state) : s_(*state) {}

  // Only the discarding advice of the platform is known; others are refused.
  OsResult<Done> Madvise(Addr addr, uint64_t bytes, int advice);

 private:
  ProcessState& s_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_ADVICE_CALLS_H_
