#include "sim/os/remap_calls.h"

#include <algorithm>

#include "alloc/check.h"

namespace reheap {

Refusal RemapCalls::Invalid(const Request& r) const {
  return Refused(Rule::kInvalidArgument, s_.platform->machine.errors.invalid_argument, r.old_range());
}

Refusal RemapCalls::NotMapped(const Request& r) const {
  return Refused(Rule::kInvalidArgument, s_.platform->machine.errors.not_mapped, r.old_range());
}

// ---- checks ----

OsResult<Addr> RemapCalls::Mremap(Addr old_addr, uint64_t old_bytes, uint64_t new_bytes, int flags,
                                  Addr new_addr) {
  const Platform::Machine& machine = s_.platform->machine;
  REHEAP_CHECK(machine.remap.has_value());
  const RemapCall& call = *machine.remap;
  Request r;
  r.from = old_addr;
  r.old_bytes = RoundUp(old_bytes, machine.os_page_bytes);
  r.new_bytes = RoundUp(new_bytes, machine.os_page_bytes);
  r.to = new_addr;
  r.may_move = (flags & call.may_move) != 0;
  r.fixed = (flags & call.fixed) != 0;
  r.dont_unmap = (flags & call.dont_unmap) != 0;
  if ((flags & ~(call.may_move | call.fixed | call.dont_unmap)) != 0) return Invalid(r);
  OsResult<Addr> result = Carry(r);
  if (result.ok()) return result;
  Refusal refusal = result.refusal();
  refusal.wanted = r.has_place() ? new_addr : old_addr;
  return refusal;
}

// mremap and mremap_to, mm/mremap.c, linux 6.12 (looks first); check_mremap_params and do_mremap, the same file,
// linux 7.0 (checks first; measured on 6.18).
OsResult<Addr> RemapCalls::Carry(const Request& r) {
  if (Refusal refusal = CheckArguments(r); refusal.rule != Rule::kNone) return refusal;
  if (s_.platform->machine.remap->order == RemapOrder::kChecksFirst) {
    if (r.new_bytes > s_.platform->machine.user_end) return Invalid(r);
    if (r.has_place()) {
      if (Refusal refusal = CheckPlace(r); refusal.rule != Rule::kNone) return refusal;
    }
    if (r.fixed && r.old_bytes == r.new_bytes) return MoveEach(r);
    if (s_.space.Containing(r.from) == AddressSpace::kNone) return NotMapped(r);
    if (Refusal refusal = CheckSeal(r); refusal.rule != Rule::kNone) return refusal;
    if (r.has_place() || r.new_bytes > r.old_bytes) {
      if (Refusal refusal = CheckMapping(r, true); refusal.rule != Rule::kNone) return refusal;
    }
    return r.has_place() ? RemapTo(r) : Resize(r);
  }
  if (s_.space.Containing(r.from) == AddressSpace::kNone) return NotMapped(r);
  if (Refusal refusal = CheckSeal(r); refusal.rule != Rule::kNone) return refusal;
  if (!r.has_place()) {
    if (r.new_bytes > r.old_bytes) {
      if (Refusal refusal = CheckMapping(r, true); refusal.rule != Rule::kNone) return refusal;
    }
    return Resize(r);
  }
  if (Refusal refusal = CheckPlace(r); refusal.rule != Rule::kNone) return refusal;
  return RemapTo(r);
}

Refusal RemapCalls::CheckArguments(const Request& r) const {
  if (r.from.value() % s_.platform->machine.os_page_bytes != 0 || r.new_bytes == 0) return Invalid(r);
  if (r.has_place() && !r.may_move) return Invalid(r);
  if (r.dont_unmap && r.old_bytes != r.new_bytes) return Invalid(r);
  return Refusal();
}

Refusal RemapCalls::CheckPlace(const Request& r) const {
  const Platform::Machine& machine = s_.platform->machine;
  const uint64_t room = machine.user_end;
  if (r.new_bytes > room || r.to.value() > room - r.new_bytes) return Invalid(r);
  if (r.to.value() % machine.os_page_bytes != 0) return Invalid(r);
  // In the kernel's words, wrapping included.
  if (r.from + r.old_bytes > r.to && r.to + r.new_bytes > r.from) return Invalid(r);
  // Both ends of both places might be split: five below the limit (the same two functions).
  return CheckCountBefore(r);
}

Refusal RemapCalls::CheckCountBefore(const Request& r) const {
  const Refusal refusal = s_.limits.CheckCount(s_.space.count() + 5, true);
  return refusal.rule == Rule::kNone ? refusal : Where(refusal, r.old_range());
}

// Preconditions: something is mapped at r.from.
Refusal RemapCalls::CheckSeal(const Request& r) const {
  if (!IsSealed(s_.space.mapping(s_.space.Containing(r.from)).traits)) return Refusal();
  return Refused(Rule::kPrivilege, s_.platform->machine.errors.privilege, r.old_range());
}

// vma_to_resize, mm/mremap.c, linux 6.12; check_prep_vma, linux 7.0. `may_unmap_first`: what a shrink cuts off
// is not looked at.
Refusal RemapCalls::CheckMapping(const Request& r, bool may_unmap_first) const {
  const AddressSpace::Id id = s_.space.Containing(r.from);
  if (id == AddressSpace::kNone) return NotMapped(r);
  if (Refusal refusal = CheckSeal(r); refusal.rule != Rule::kNone) return refusal;
  const Mapping& m = s_.space.mapping(id);
  const bool is_special = m.traits.kind == MappingKind::kSpecial;
  if (r.old_bytes == 0 && !m.traits.shared) return Invalid(r);
  if (r.dont_unmap && is_special) return Invalid(r);
  const uint64_t kept = may_unmap_first ? std::min(r.old_bytes, r.new_bytes) : r.old_bytes;
  if (kept > m.end - r.from) return NotMapped(r);
  if (r.new_bytes <= kept) return Refusal();
  if (is_special) return NotMapped(r);
  if (m.traits.flags & kLocked) {
    Refusal locked = s_.CheckLocked(r.new_bytes - r.old_bytes, 0);
    locked.os_error = s_.platform->machine.errors.try_again;
    if (locked.rule != Rule::kNone) return Where(locked, r.old_range());
  }
  Demand demand;
  demand.bytes = r.new_bytes - r.old_bytes;
  demand.data = IsData(m.traits);
  const Refusal refusal = s_.limits.CheckMap(s_.space.totals(), demand);
  return refusal.rule == Rule::kNone ? refusal : Where(refusal, r.old_range());
}

// ---- to a place of the caller's ----

// remap_move, mm/mremap.c, linux 7.0: what is mapped in the range goes one by one, distances kept, and an error
// leaves what went before it. Measured on 6.18.
OsResult<Addr> RemapCalls::MoveEach(Request r) {
  const AddrRange whole = r.old_range();
  Addr target = r.to, at = r.from;
  std::optional<Addr> first;
  while (at < whole.end()) {
    const AddressSpace::Id id = s_.space.FirstEndingAbove(at);
    if (id == AddressSpace::kNone || s_.space.mapping(id).start >= whole.end()) break;
    const Mapping m = s_.space.mapping(id);
    if (!first && m.start > at) return NotMapped(r);
    if (m.start > at) target = target + (m.start - at);
    at = std::max(m.start, at);
    Request one = r;
    one.from = at;
    one.old_bytes = one.new_bytes = std::min(m.end, whole.end()) - at;
    one.to = target;
    if (Refusal refusal = CheckMapping(one, true); refusal.rule != Rule::kNone) return refusal;
    const OsResult<Addr> moved = RemapTo(one);
    if (!moved.ok()) return moved;
    if (!first) first = moved.value();
    at = at + one.old_bytes;
    target = moved.value() + one.old_bytes;
  }
  if (!first) return NotMapped(r);
  return *first;
}

// mremap_to, mm/mremap.c, linux 6.12 and 7.0.
OsResult<Addr> RemapCalls::RemapTo(Request r) {
  if (r.fixed) {
    if (const auto done = map_.Munmap(r.to, r.new_bytes); !done.ok()) return done.refusal();
  }
  if (r.old_bytes > r.new_bytes) {
    const auto done = map_.Munmap(r.from + r.new_bytes, r.old_bytes - r.new_bytes);
    if (!done.ok()) return done.refusal();
    // The difference is charged whichever way it is (measured on 6.18: refused above RAM, mapped or not; 6.12 charges
    // the new length, move_vma).
    if (s_.platform->machine.remap->order == RemapOrder::kChecksFirst) r.cut_bytes = r.old_bytes - r.new_bytes;
    r.old_bytes = r.new_bytes;
  }
  const AddressSpace::Id id = s_.space.Containing(r.from);
  if (id == AddressSpace::kNone) return NotMapped(r);
  if (s_.platform->machine.remap->order == RemapOrder::kLooksFirst) {
    if (Refusal refusal = CheckMapping(r, false); refusal.rule != Rule::kNone) return refusal;
  }
  if (r.dont_unmap) {
    Demand demand;
    demand.bytes = r.old_bytes;
    demand.data = IsData(s_.space.mapping(id).traits);
    const Refusal refusal = s_.limits.CheckMap(s_.space.totals(), demand);
    if (refusal.rule != Rule::kNone) return Where(refusal, r.old_range());
  }
  const OsResult<Addr> place = ChoosePlace(r);
  return place.ok() ? Move(r, place.value()) : place;
}

// vrm_set_new_addr, mm/mremap.c, linux 7.0: as mmap would place the same file or memory, `to` being a hint that
// is neither rounded nor raised to the floor.
OsResult<Addr> RemapCalls::ChoosePlace(const Request& r) const {
  const Platform::Machine& machine = s_.platform->machine;
  const Mapping& m = s_.space.mapping(s_.space.Containing(r.from));
  if (r.fixed) {
    const Refusal refusal = map_.CheckFixedPlace({r.to, r.new_bytes});
    return refusal.rule == Rule::kNone ? OsResult<Addr>(r.to) : refusal;
  }
  PlaceRequest request{r.dont_unmap ? r.to : Addr(), r.new_bytes};
  if (m.traits.kind == MappingKind::kFile) {
    request.content = PlaceRequest::Content::kFile;
    request.file_offset = r.from.value() - m.traits.origin;
  } else if (m.traits.shared) {
    request.content = PlaceRequest::Content::kShared;
  }
  const auto place = s_.placement.Choose(s_.space, request);
  if (!place) return Refused(Rule::kAddressSpaceExhausted, machine.errors.out_of_memory, r.old_range());
  return *place;
}

// ---- to where there is room ----

// mremap_at, mm/mremap.c, linux 7.0.
OsResult<Addr> RemapCalls::Resize(const Request& r) {
  if (r.new_bytes > r.old_bytes) return Grow(r);
  if (r.new_bytes < r.old_bytes) {
    const auto done = map_.Munmap(r.from + r.new_bytes, r.old_bytes - r.new_bytes);
    if (!done.ok()) return done.refusal();
  }
  return r.from;
}

// vma_expandable, mm/mremap.c, linux 6.12: a stack's guard gap may be entered.
bool RemapCalls::MayGrowInPlace(const Mapping& m, const Request& r) const {
  const AddrRange more{m.end, r.new_bytes - r.old_bytes};
  return m.end - r.from == r.old_bytes && more.end() > more.start &&
         more.end().value() <= s_.platform->machine.user_end && !s_.space.Overlaps(more);
}

OsResult<Addr> RemapCalls::Grow(const Request& r) {
  const Platform::Machine& machine = s_.platform->machine;
  const Mapping m = s_.space.mapping(s_.space.Containing(r.from));
  if (MayGrowInPlace(m, r)) {
    const uint64_t more = r.new_bytes - r.old_bytes;
    if (m.traits.charged) {
      const Refusal refusal = s_.limits.CheckCommit(s_.space.totals(), more);
      if (refusal.rule != Rule::kNone) return Where(refusal, r.old_range());
    }
    s_.space.Insert({m.end, more}, m.traits, m.writer);
    return r.from;
  }
  if (!r.may_move) return Refused(Rule::kAddressTaken, machine.errors.out_of_memory, r.old_range());
  const OsResult<Addr> place = ChoosePlace(r);
  return place.ok() ? Move(r, place.value()) : place;
}

// ---- the move ----

// dontunmap_complete, mm/mremap.c, linux 7.0 (without a split ahead; measured on 6.18: VmLck does not fall), and the end
// of move_vma, linux 6.12: the flags change where they are, and nothing is merged for it.
void RemapCalls::UnlockWhereItStays(Addr old) {
  const Mapping m = s_.space.mapping(s_.space.Containing(old));
  MappingTraits traits = m.traits;
  traits.flags &= ~uint32_t{kLocked | kLockOnFault};
  s_.space.Remove(m.range());
  s_.space.Insert(m.range(), traits, m.writer, AddressSpace::Join::kNone);
  if (s_.platform->machine.remap->unlocks_whole_mapping) s_.lost_locked_bytes += m.bytes();
}

// copy_vma, mm/vma.c, linux 6.12 (joins others) and mm/mmap.c, 6.1 (joins nothing).
AddressSpace::Join RemapCalls::CopyJoins(const Request& r, Addr to) const {
  const BesideSource rule = s_.platform->machine.remap->beside_source;
  const Mapping& source = s_.space.mapping(s_.space.Containing(r.from));
  const bool could_join_source = r.dont_unmap && IsPrivateAnonymous(source.traits) && source.writer == 0;
  const bool is_above = to == source.end, is_below = to + r.new_bytes == source.start;
  if (rule == BesideSource::kJoinsSource || !could_join_source || (!is_above && !is_below)) {
    return AddressSpace::Join::kBoth;
  }
  if (rule == BesideSource::kJoinsNothing) return AddressSpace::Join::kNone;
  return is_above ? AddressSpace::Join::kRight : AddressSpace::Join::kLeft;
}

// From the start of the first page table's range on, when both places lie alike in theirs, no mapping is before either,
// and the old one reaches the end of that range (can_realign_addr, mm/mremap.c, linux 6.18; since 6.7).
AddrRange RemapCalls::WithTables(const Request& r, AddressSpace::Id copy, Addr to) const {
  const AddrRange range = r.old_range();
  const uint64_t table = s_.resident.tables().covered_bytes();
  if (table == 0 || range.empty() || !s_.platform->pages.remap_takes_first_table) return range;
  const uint64_t below = range.start.value() % table;
  const auto may_begin_lower = [&](const Mapping& m, Addr start) {
    return m.start == start && !s_.space.Overlaps({start - below, below});
  };
  const bool lower = below != 0 && to.value() % table == below && range.bytes >= table - below &&
                     may_begin_lower(s_.space.mapping(s_.space.Containing(range.start)), range.start) &&
                     may_begin_lower(s_.space.mapping(copy), to);
  return lower ? AddrRange{range.start - below, range.bytes + below} : range;
}

// move_vma, mm/mremap.c, and copy_vma, mm/vma.c, linux 6.12 and 7.0. The limits were asked for what is added;
// while both places are mapped the sums are larger, and nobody looks.
OsResult<Addr> RemapCalls::Move(const Request& r, Addr to) {
  const Mapping m = s_.space.mapping(s_.space.Containing(r.from));
  // Room for the copy and two splits: three below the limit.
  if (Refusal refusal = s_.limits.CheckCount(s_.space.count() + 3, true); refusal.rule != Rule::kNone) {
    return Where(refusal, r.old_range());
  }
  if (!MaySplit(m.traits) && (m.start != r.from || m.end != r.from + r.old_bytes)) return Invalid(r);
  const bool unlocks_old = r.dont_unmap && (m.traits.flags & kLocked);
  // mlock's sum stays right by a split ahead, also of what is refused then (move_vma, linux 6.12).
  if (unlocks_old && !s_.platform->machine.remap->unlocks_whole_mapping) {
    s_.space.SplitAt(r.from);
    s_.space.SplitAt(r.old_range().end());
  }
  if (m.traits.charged) {
    const uint64_t charge = r.dont_unmap ? r.new_bytes : r.new_bytes - r.old_bytes + r.cut_bytes;
    const Refusal refusal = s_.limits.CheckCommit(s_.space.totals(), charge);
    if (refusal.rule != Rule::kNone) return Where(refusal, r.old_range());
  }
  MappingTraits traits = m.traits;
  const bool takes_new_offset = IsPrivateAnonymous(traits) && m.writer == 0;
  traits.origin = takes_new_offset ? 0 : traits.origin + (to - r.from);
  const AddressSpace::Id copy = s_.space.Insert({to, r.new_bytes}, traits, m.writer, CopyJoins(r, to));
  s_.MovePages(r.old_range(), to, WithTables(r, copy, to));
  if (r.dont_unmap) {
    if (unlocks_old) UnlockWhereItStays(r.from);
    // What was moved whole was never written at its old place (dontunmap_complete).
    const AddressSpace::Id old = s_.space.Containing(r.from);
    if (old != copy && s_.space.mapping(old).range() == r.old_range()) {
      s_.space.ForgetWrites(old);
      const bool is_new = s_.platform->machine.remap->emptied_source_is_new;
      if (is_new && IsPrivateAnonymous(m.traits)) s_.space.ForgetOrigin(old);
    }
  } else if (r.old_bytes != 0) {
    s_.Unmap(r.old_range());
  }
  return to;
}

}  // namespace reheap
