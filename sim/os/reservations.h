// Reservations: what the reserve-and-commit calls ask an AddressSpace about allocations (row 9).
//
// An allocation is a run of adjacent mappings with one origin. Functions that look at a range look only at
// the mappings inside it; those that look for an allocation's end walk its regions.
//
// Ownership: none. Threads: one.
#ifndef REHEAP_SIM_OS_RESERVATIONS_H_
#define REHEAP_SIM_OS_RESERVATIONS_H_

#include <algorithm>
#include <cstdint>

#include "alloc/addr.h"
#include "sim/os/address_space.h"
#include "sim/os/page_protection.h"

namespace reheap {

// The OS pages that hold a byte of [addr, addr + bytes).
inline AddrRange WholePages(Addr addr, uint64_t bytes, uint64_t os_page_bytes) {
  const Addr start = RoundDown(addr, os_page_bytes);
  return {start, RoundUp(addr.value() + bytes, os_page_bytes) - start.value()};
}

// Whether every OS page of `range` belongs to one allocation.
inline bool IsInOneAllocation(const AddressSpace& space, AddrRange range) {
  AddressSpace::Id id = space.Containing(range.start);
  if (id == AddressSpace::kNone) return false;
  const uint64_t origin = space.mapping(id).traits.origin;
  while (space.mapping(id).end < range.end()) {
    const Addr end = space.mapping(id).end;
    id = space.Next(id);
    if (id == AddressSpace::kNone) return false;
    const Mapping& m = space.mapping(id);
    if (m.start != end || m.traits.origin != origin) return false;
  }
  return true;
}

// The allocation that holds mapping `id`.
inline AddrRange AllocationOf(const AddressSpace& space, AddressSpace::Id id) {
  const Addr base(space.mapping(id).traits.origin);
  Addr end = space.mapping(id).end;
  for (id = space.Next(id); id != AddressSpace::kNone; id = space.Next(id)) {
    const Mapping& m = space.mapping(id);
    if (m.start != end || m.traits.origin != base.value()) break;
    end = m.end;
  }
  return {base, end - base};
}

// Gives `traits`, of an image's mapping that begins at `start` above all others, its allocation and
// protection: an image has one allocation for its file, whatever its sections' protections.
inline void SetImageAllocation(const AddressSpace& space, Addr start, MappingTraits* traits) {
  const AddressSpace::Id below = space.Last();
  const bool is_file = traits->kind == MappingKind::kFile;
  const bool continues = is_file && below != AddressSpace::kNone && space.mapping(below).end == start &&
                         space.mapping(below).traits.name == traits->name;
  traits->origin = continues ? space.mapping(below).traits.origin : start.value();
  traits->page_protection = static_cast<uint16_t>(ProtectionOf(*traits));
  // PAGE_EXECUTE_WRITECOPY for images (measured on Wine 8.0).
  traits->allocation_protection = is_file ? kPageExecuteWriteCopy : traits->page_protection;
}

// Calls visit(piece, mapping) for the part of each mapping that lies in `range`, from the lowest; stops and
// answers false when visit does.
template <class Visit>
bool ForEachPiece(const AddressSpace& space, AddrRange range, Visit visit) {
  for (AddressSpace::Id id = space.FirstEndingAbove(range.start);
       id != AddressSpace::kNone && space.mapping(id).start < range.end(); id = space.Next(id)) {
    const Mapping& m = space.mapping(id);
    const Addr start = std::max(m.start, range.start), end = std::min(m.end, range.end());
    if (!visit(AddrRange{start, end - start}, m)) return false;
  }
  return true;
}

// Changes the traits of every piece of `range`, all of it mapped: change(&traits).
template <class Change>
void ChangePieces(AddressSpace* space, AddrRange range, Change change) {
  for (Addr at = range.start; at < range.end();) {
    const AddressSpace::Id id = space->Containing(at);
    const Mapping m = space->mapping(id);
    const Addr end = std::min(m.end, range.end());
    MappingTraits traits = m.traits;
    change(&traits);
    if (traits != m.traits) space->SetTraits(id, {at, end - at}, traits);
    at = end;
  }
}

}  // namespace reheap

#endif  // REHEAP_SIM_OS_RESERVATIONS_H_
