// ProtectCalls: mprotect of a modelled kernel (row 9).
//
// Walks mapping by mapping and stops at the first that refuses: what lies before it stays changed. The checks
// stand in the order in which the kernel makes them. Policies come from the Platform.
//
// Ownership: none; the state and the faults outlive it. Threads: one.
#ifndef REHEAP_SIM_OS_PROTECT_CALLS_H_
#define REHEAP_SIM_OS_PROTECT_CALLS_H_

#include <cstdint>

#include "sim/os/page_faults.h"
#include "sim/os/process_state.h"

namespace reheap {

class ProtectCalls {
 public:
  ProtectCalls(ProcessState* state, PageFaults* faults) : s_(*state), faults_(*faults) {}

  OsResult<Done> Mprotect(Addr addr, uint64_t bytes, int protection);

 private:
  // `hole` = the answer where nothing is mapped.
  OsResult<Done> ProtectRange(AddrRange range, int protection, const Refusal& hole);
  Refusal CheckWhole(AddrRange range, int protection, const Refusal& hole) const;
  OsResult<Done> ProtectPiece(AddressSpace::Id id, AddrRange piece, int protection, AddressSpace::Id* now);

  ProcessState& s_;
  PageFaults& faults_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PROTECT_CALLS_H_
