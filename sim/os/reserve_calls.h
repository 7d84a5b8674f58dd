// ReserveCalls: VirtualAlloc and VirtualFree of a modelled kernel (row 9).
//
// Address space is reserved in granules and given back whole; memory is committed and decommitted by OS page
// inside one reservation. A reservation is a run of mappings that share an origin, its base.
//
// Ownership: none; the state outlives it. Threads: one. Limits: no MEM_RESET, no VirtualProtect.
#ifndef REHEAP_SIM_OS_RESERVE_CALLS_H_
#define REHEAP_SIM_OS_RESERVE_CALLS_H_

#include <cstdint>
#include <optional>

#include "alloc/os.h"
#include "sim/os/process_state.h"

namespace reheap {

// memoryapi.h
inline constexpr uint32_t kMemCommit = 0x1000;
inline constexpr uint32_t kMemReserve = 0x2000;
inline constexpr uint32_t kMemDecommit = 0x4000;
inline constexpr uint32_t kMemRelease = 0x8000;
inline constexpr uint32_t kPageNoAccess = 0x01;
inline constexpr uint32_t kPageReadOnly = 0x02;
inline constexpr uint32_t kPageReadWrite = 0x04;
inline constexpr uint32_t kPageExecuteReadWrite = 0x40;

class ReserveCalls {
 public:
  explicit ReserveCalls(ProcessState* state) : s_(*state) {}

  // Refusals carry the GetLastError number.
  OsResult<Addr> VirtualAlloc(Addr addr, uint64_t bytes, uint32_t type, uint32_t protection);
  OsResult<Done> VirtualFree(Addr addr, uint64_t bytes, uint32_t type);

 private:
  // The whole reservation that holds `a`.
  std::optional<AddrRange> ReservationOf(Addr a) const;
  OsResult<AddrRange> Reserve(Addr addr, uint64_t bytes);
  OsResult<Done> Commit(AddrRange range, uint32_t protection);
  OsResult<Done> Decommit(AddrRange range);
  void SetRange(AddrRange range, const MappingTraits& traits);

  ProcessState& s_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_RESERVE_CALLS_H_
