// MapCalls: mmap, munmap, mprotect, madvise and brk of a modelled kernel (row 9).
//
// The checks of each call stand in the order in which the kernel makes them, since that decides which error a
// program sees. Policies come from the Platform.
//
// Ownership: none; the state outlives it. Threads: one. Limits: anonymous memory only; no mremap.
#ifndef REHEAP_SIM_OS_MAP_CALLS_H_
#define REHEAP_SIM_OS_MAP_CALLS_H_

#include <cstdint>

#include "alloc/os.h"
#include "sim/os/process_state.h"

namespace reheap {

// Protection bits: the same numbers on every system with mmap (sys/mman.h).
inline constexpr int kProtRead = 1;
inline constexpr int kProtWrite = 2;
inline constexpr int kProtExecute = 4;

using MmapResult = OsResult<Addr>;

class MapCalls {
 public:
  explicit MapCalls(ProcessState* state) : s_(*state) {}

  // `flags` in the platform's numbers (Platform::machine.bits).
  MmapResult Mmap(Addr addr, uint64_t bytes, int protection, int flags);
  OsResult<Done> Munmap(Addr addr, uint64_t bytes);
  OsResult<Done> Mprotect(Addr addr, uint64_t bytes, int protection);
  // Only the discarding advice of the platform is known; others are refused.
  OsResult<Done> Madvise(Addr addr, uint64_t bytes, int advice);
  // The new break. The system call answers the old one instead of an error; here that is the refusal.
  MmapResult Brk(Addr addr);

 private:
  Refusal CheckFixedPlace(AddrRange range) const;
  Refusal MakeRoom(AddrRange range, const MappingTraits& traits);
  Refusal CheckMiddleSplit(AddrRange range) const;
  OsResult<Done> ProtectPiece(AddressSpace::Id id, AddrRange piece, int protection, AddressSpace::Id* now);
  MappingTraits NewTraits(int protection, bool shared, bool no_reserve);
  Refusal GrowBreak(AddrRange more);

  ProcessState& s_;
  uint64_t shared_objects_ = 0;  // numbers the shared mappings, so that two never merge
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_MAP_CALLS_H_
