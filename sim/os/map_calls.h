// MapCalls: mmap and munmap of a modelled kernel (row 9).
//
// The checks of each call stand in the order in which the kernel makes them, since that decides which error a
// program sees. Policies come from the Platform.
//
// Ownership: none; the state outlives it. Threads: one. Limits: what is locked or populated is not this class's
// business; devices are not mapped.
#ifndef REHEAP_SIM_OS_MAP_CALLS_H_
#define REHEAP_SIM_OS_MAP_CALLS_H_

#include <cstdint>

#include "alloc/os.h"
#include "sim/os/drawn_placement.h"
#include "sim/os/map_flags.h"
#include "sim/os/process_state.h"

namespace reheap {

using MmapResult = OsResult<Addr>;

// What a mapping shows when it is not anonymous.
struct MapFile {
  int descriptor = -1;
  uint64_t offset = 0;
};

class MapCalls {
 public:
  explicit MapCalls(ProcessState* state) : s_(*state), drawn_(state) {}

  // `flags` in the platform's numbers (Platform::machine.bits and map_extras).
  MmapResult Mmap(Addr addr, uint64_t bytes, int protection, int flags, MapFile file = {});
  OsResult<Done> Munmap(Addr addr, uint64_t bytes);

  // ---- parts, for the calls that map as well ----
  // Whether `range` may be mapped locked; `asked` = by MAP_LOCKED, else only when all that is new is to be locked.
  Refusal CheckLock(AddrRange range, bool asked) const;
  // Limits, with what lies in `range` already taken into account; then removes it.
  Refusal MakeRoom(AddrRange range, const MappingTraits& traits);
  // Memory of no file, as yet unplaced.
  MappingTraits NewTraits(int protection, bool shared, bool no_reserve);
  // A place that must be exactly there.
  Refusal CheckFixedPlace(AddrRange range) const;

 private:
  // In which way a mapping shares what is written to it.
  enum class Sharing : uint8_t { kPrivate, kShared, kSharedValidated, kDroppable, kUnknown };
  // What an mmap asks for, but for its place.
  struct Request {
    int protection = 0;
    int flags = 0;
    MapFlags extra;
    MemoryObjects::Id file = MemoryObjects::kNone;
    uint64_t file_offset = 0;
    uint64_t huge_bytes = 0;  // pages of the pool that are wanted; 0 = ordinary ones
  };
  // The size of the pages that a request for huge ones means; 0 = there are none such.
  uint64_t HugeBytesOf(int flags) const;
  struct Overlap {
    uint64_t bytes = 0;
    uint64_t charged_bytes = 0;  // counted as committed
  };
  Sharing SharingOf(const Request& request) const;
  // The file behind `file`, or none for anonymous memory.
  OsResult<MemoryObjects::Id> FileOf(const Request& request, MapFile file, AddrRange asked) const;
  OsResult<Addr> ChoosePlace(AddrRange range, const Request& request);
  PlaceRequest PlaceOf(AddrRange range, const Request& request) const;
  Refusal CheckSharing(AddrRange range, const Request& request) const;
  MappingTraits TraitsOf(AddrRange range, const Request& request);
  // Notes the new object in `traits` when they need one.
  Refusal MakeObject(AddrRange range, const Request& request, MappingTraits* traits);
  // Whether the mappings that stick out of `range` may be split where it begins and ends.
  Refusal CheckEdges(AddrRange range);
  Refusal CheckSeals(AddrRange range) const;
  Refusal CheckUnmapHole(AddrRange range) const;
  Overlap OverlapOf(AddrRange range) const;
  static Demand DemandOf(AddrRange range, const MappingTraits& traits, const Overlap& overlap);

  ProcessState& s_;
  DrawnPlacement drawn_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_MAP_CALLS_H_
