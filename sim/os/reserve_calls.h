// ReserveCalls: VirtualAlloc and VirtualFree of a modelled kernel (row 9).
//
// Address space is reserved in granules and given back whole; memory is committed and decommitted by OS page
// inside one reservation. A reservation is a run of mappings that share an origin, its base. The checks stand
// in the order in which the kernel makes them.
//
// Ownership: none; the state outlives it. Threads: one. Limits: memory that is reset is never taken by the
// system, as no pressure is modelled; large pages are refused to everybody, as to a process without
// SeLockMemoryPrivilege. Cost: O(log n) and the regions inside the range.
#ifndef REHEAP_SIM_OS_RESERVE_CALLS_H_
#define REHEAP_SIM_OS_RESERVE_CALLS_H_

#include <cstdint>

#include "alloc/os.h"
#include "sim/os/page_protection.h"
#include "sim/os/process_state.h"

namespace reheap {

// The PAGE_* that gives the access of `protection` (kProtRead, ...).
uint32_t AccessProtection(int protection);

class ReserveCalls {
 public:
  explicit ReserveCalls(ProcessState* state) : s_(*state) {}

  // Refusals carry the GetLastError number. `type` is MEM_*, `protection` PAGE_* (page_protection.h).
  OsResult<Addr> VirtualAlloc(Addr addr, uint64_t bytes, uint32_t type, uint32_t protection);
  OsResult<Done> VirtualFree(Addr addr, uint64_t bytes, uint32_t type);

  // VirtualAlloc; where `is_hint`, a place that is taken is asked for again without the address.
  OsResult<Addr> AllocateNear(AddrRange wanted, uint32_t type, uint32_t protection, bool is_hint);

  // ProcessState::table_charge_bytes from the reservations. O(mappings).
  uint64_t RecountTableCharge() const;

 private:
  Refusal CheckCommit(uint64_t bytes) const;
  // What a reservation of `bytes` is charged for its page tables.
  uint64_t TableCharge(uint64_t bytes) const;
  // Whether `type` and `protection` make sense together; kNone = yes.
  Refusal CheckArguments(AddrRange asked, uint32_t type, uint32_t protection) const;
  OsResult<AddrRange> Reserve(AddrRange asked, uint32_t type, uint32_t protection);
  OsResult<Done> Commit(AddrRange range, uint32_t protection);
  void Decommit(AddrRange range);

  ProcessState& s_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_RESERVE_CALLS_H_
