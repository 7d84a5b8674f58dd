#include "sim/os/process_state.h"

#include <vector>

namespace reheap {

void ProcessState::Unmap(AddrRange range) {
  NotePeaks();
  std::vector<MemoryObjects::Id> shared;
  if (object_pages.count() != 0) {
    for (AddressSpace::Id id = space.FirstEndingAbove(range.start);
         id != AddressSpace::kNone && space.mapping(id).start < range.end(); id = space.Next(id)) {
      const MemoryObjects::Id object = space.mapping(id).traits.object;
      if (object != MemoryObjects::kNone) shared.push_back(object);
    }
  }
  space.Remove(range);
  for (const MemoryObjects::Id object : shared) {
    if (space.objects()[object].mappings == 0) object_pages.Release(object);
  }
  resident.Clear(range);
  if (resident.tables().count() != 0) {
    const AddressSpace::Id after = space.FirstEndingAbove(range.start);
    const AddressSpace::Id before = after == AddressSpace::kNone ? space.Last() : space.Previous(after);
    const Addr floor = before == AddressSpace::kNone ? Addr() : space.mapping(before).end;
    // Above the last mapping nothing holds a table (USER_PGTABLES_CEILING = 0, linux 6.12).
    const Addr ceiling = after == AddressSpace::kNone ? Addr(uint64_t{1} << 63) : space.mapping(after).start;
    resident.DropTablesWithin({floor, ceiling - floor});
  }
  if (listener != nullptr) listener->OnPagesDropped(range);
}

uint64_t ProcessState::CountMapped(MemoryObjects::Id object, uint64_t offset) const {
  uint64_t count = 0;
  for (AddressSpace::Id id = space.First(); id != AddressSpace::kNone; id = space.Next(id)) {
    const Mapping& m = space.mapping(id);
    if (m.traits.object != object) continue;
    const Addr at(m.traits.origin + offset);
    if (!m.range().Contains(at)) continue;
    const PageState state = resident.At(at);
    count += state == PageState::kShared || state == PageState::kFile;
  }
  return count;
}

// shmem_fallocate, mm/shmem.c, linux 6.12 (FALLOC_FL_PUNCH_HOLE). Copies in private mappings stay. A file keeps its
// pages: they are there again, as zeros.
void ProcessState::RemoveShared(MemoryObjects::Id object, uint64_t offset, uint64_t bytes) {
  NotePeaks();
  for (AddressSpace::Id id = space.First(); id != AddressSpace::kNone; id = space.Next(id)) {
    const Mapping& m = space.mapping(id);
    if (m.traits.object != object) continue;
    const uint64_t first = m.start.value() - m.traits.origin;
    const uint64_t from = std::max(first, offset), to = std::min(first + m.bytes(), offset + bytes);
    if (from >= to) continue;
    const AddrRange gone{m.start + (from - first), to - from};
    resident.ClearMapped(gone);
    if (m.traits.shared) ForgetContents(gone);
  }
  object_pages.Punch(object, offset, bytes);
}

Refusal ChangeTraits(ProcessState& s, AddressSpace::Id* id, AddrRange piece, const MappingTraits& traits) {
  AddressSpace& space = s.space;
  const Mapping m = space.mapping(*id);
  if (traits == m.traits) return Refusal();
  // A piece that joins its neighbour needs no split; each other split must stay below the count limit.
  const Refusal no_split = Refused(Rule::kInvalidArgument, s.platform->machine.errors.invalid_argument, piece);
  const bool joins = space.WouldJoinPrevious(*id, piece, traits) || space.WouldJoinNext(*id, piece, traits);
  if (!joins && m.start < piece.start) {
    if (const Refusal r = s.limits.CheckCount(space.count(), true); r.rule != Rule::kNone) return Where(r, piece);
    if (!MaySplit(m.traits)) return no_split;
    space.SplitAt(piece.start);
    *id = space.Containing(piece.start);
  }
  if (!joins && piece.end() < m.end) {
    if (const Refusal r = s.limits.CheckCount(space.count(), true); r.rule != Rule::kNone) return Where(r, piece);
    if (!MaySplit(m.traits)) return no_split;
  }
  *id = space.SetTraits(*id, piece, traits);
  return Refusal();
}

}  // namespace reheap
