// LockCalls: mlock, munlock, mlockall and munlockall of a modelled kernel (row 9).
//
// Locked memory is made resident at once, unless it is locked on fault. Checks stand in the order in which the kernel
// makes them.
//
// Ownership: none; the state and the faults outlive it. Threads: one.
#ifndef REHEAP_SIM_OS_LOCK_CALLS_H_
#define REHEAP_SIM_OS_LOCK_CALLS_H_

#include "sim/os/page_faults.h"
#include "sim/os/process_state.h"

namespace reheap {

// mlockall's words and mlock2's (asm-generic/mman.h and mman-common.h, linux 6.12).
inline constexpr int kLockCurrent = 1;  // MCL_CURRENT
inline constexpr int kLockFuture = 2;   // MCL_FUTURE
inline constexpr int kLockAllOnFault = 4;  // MCL_ONFAULT
inline constexpr int kLockPagesOnFault = 1;  // MLOCK_ONFAULT

class LockCalls {
 public:
  LockCalls(ProcessState* state, PageFaults* faults) : s_(*state), faults_(*faults) {}

  // mlock2; `flags` 0 = mlock.
  OsResult<Done> Mlock(Addr addr, uint64_t bytes, int flags);
  OsResult<Done> Munlock(Addr addr, uint64_t bytes);
  OsResult<Done> Mlockall(int flags);
  OsResult<Done> Munlockall();

 private:
  // Gives each mapping of `range` the lock flags `flags` instead of those it has; ENOMEM at the first hole.
  Refusal Apply(AddrRange range, uint32_t flags);
  void ApplyToAll(int flags);
  uint64_t LockedIn(AddrRange range) const;

  ProcessState& s_;
  PageFaults& faults_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_LOCK_CALLS_H_
