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
#include "sim/os/drawn_placement.h"
#include "sim/os/map_flags.h"
#include "sim/os/process_state.h"

namespace reheap {

using MmapResult = OsResult<Addr>;

class MapCalls {
 public:
  explicit MapCalls(ProcessState* state) : s_(*state), drawn_(state) {}

  // `flags` in the platform's numbers (Platform::machine.bits).
  MmapResult Mmap(Addr addr, uint64_t bytes, int protection, int flags);
  OsResult<Done> Munmap(Addr addr, uint64_t bytes);

  // ---- parts, for the calls that map as well ----
  // Limits, with what lies in `range` already taken into account; then removes it.
  Refusal MakeRoom(AddrRange range, const MappingTraits& traits);
  MappingTraits NewTraits(int protection, bool shared, bool no_reserve);

 private:
  Refusal CheckFixedPlace(AddrRange range) const;
  Refusal CheckMiddleSplit(AddrRange range) const;
  Refusal SplitEdges(AddrRange range);
  struct Overlap {
    uint64_t bytes = 0;
    uint64_t charged_bytes = 0;  // counted as committed
  };
  Overlap OverlapOf(AddrRange range) const;
  static Demand DemandOf(AddrRange range, const MappingTraits& traits, const Overlap& overlap);

  std::optional<Addr> Place(Addr hint, uint64_t bytes, const MapFlags& flags);
  Refusal CheckUnmapHole(AddrRange range) const;

  ProcessState& s_;
  DrawnPlacement drawn_;
  uint64_t shared_objects_ = 0;  // numbers the shared mappings, so that two never merge
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_MAP_CALLS_H_
