// MapCalls: mmap and munmap of a modelled kernel (row 9).
//
// The checks of each call stand in the order in which the kernel makes them, since that decides which error a
// program sees. Policies come from the Platform.
//
// Ownership: none; the state outlives it. Threads: one. Limits: anonymous memory only.
#ifndef REHEAP_SIM_OS_MAP_CALLS_H_
#define REHEAP_SIM_OS_MAP_CALLS_H_

#include <cstdint>

#include "alloc/os.h"
#include "sim/os/process_state.h"

namespace reheap {

using MmapResult = OsResult<Addr>;

class MapCalls {
 public:
  explicit MapCalls(ProcessState* state) : s_(*state) {}

  // `flags` in the platform's numbers (Platform::machine.bits).
  MmapResult Mmap(Addr addr, uint64_t bytes, int protection, int flags);
  OsResult<Done> Munmap(Addr addr, uint64_t bytes);

  // ---- parts, for the calls that map as well ----
  // Limits, with what lies in `range` already taken into account; then removes it.
  Refusal MakeRoom(AddrRange range, const MappingTraits& traits);
  MappingTraits NewTraits(int protection, bool shared, bool no_reserve);
  // Whether a mapping of MappingFlag `flags` may be locked, when it is to be.
  Refusal CheckLock(uint32_t flags, AddrRange range) const;

 private:
  Refusal CheckFixedPlace(AddrRange range) const;
  Refusal CheckMiddleSplit(AddrRange range) const;

  ProcessState& s_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_MAP_CALLS_H_
