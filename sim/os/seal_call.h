// SealCall: mseal of a modelled kernel (row 9): from then on nobody unmaps, moves, resizes or protects the range anew.
//
// Each call that would asks IsSealed by itself, where its kernel does.
//
// Ownership: none; the state outlives it. Threads: one.
#ifndef REHEAP_SIM_OS_SEAL_CALL_H_
#define REHEAP_SIM_OS_SEAL_CALL_H_

#include <cstdint>

#include "alloc/os.h"
#include "sim/os/process_state.h"

namespace reheap {

class SealCall {
 public:
  explicit SealCall(ProcessState* state) : s_(*state) {}

  // There are no flags. Preconditions: the platform has the call.
  OsResult<Done> Mseal(Addr addr, uint64_t bytes, uint64_t flags);

 private:
  ProcessState& s_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_SEAL_CALL_H_
