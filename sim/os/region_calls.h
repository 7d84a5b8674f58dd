// RegionCalls: VirtualProtect and VirtualQuery of a modelled kernel (row 9).
//
// A region is a run of OS pages of one allocation in one state with one protection.
//
// Ownership: none; the state outlives it. Threads: one. Cost: O(log n) and the regions inside the range.
#ifndef REHEAP_SIM_OS_REGION_CALLS_H_
#define REHEAP_SIM_OS_REGION_CALLS_H_

#include <cstdint>

#include "alloc/os.h"
#include "sim/os/page_protection.h"
#include "sim/os/process_state.h"

namespace reheap {

// MEMORY_BASIC_INFORMATION.
struct RegionInfo {
  Addr base;                           // the OS page asked about
  Addr allocation_base;                // zero where nothing is
  uint32_t allocation_protection = 0;  // PAGE_* when it was reserved; 0 where nothing is
  uint64_t region_bytes = 0;           // from `base` on
  uint32_t state = kMemFree;           // kMemCommit, kMemReserve or kMemFree
  uint32_t protection = 0;             // PAGE_*; 0 = reserved only
  uint32_t type = 0;                   // kMemPrivate or kMemImage; 0 where nothing is

  friend bool operator==(const RegionInfo&, const RegionInfo&) = default;
};

class RegionCalls {
 public:
  explicit RegionCalls(ProcessState* state) : s_(*state) {}

  // Refusals carry the GetLastError number. `old`, unless null, becomes the first page's protection.
  OsResult<Done> VirtualProtect(Addr addr, uint64_t bytes, uint32_t protection, uint32_t* old);
  OsResult<RegionInfo> VirtualQuery(Addr addr) const;

 private:
  ProcessState& s_;
};

// An access to mapping `id` at `a` failed: if that is a guard page, it is none from now on (the program sees
// STATUS_GUARD_PAGE_VIOLATION once).
void DropGuard(ProcessState* state, AddressSpace::Id id, Addr a);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_REGION_CALLS_H_
