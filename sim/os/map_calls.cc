#include "sim/os/map_calls.h"

#include <algorithm>

namespace reheap {
namespace {

constexpr bool Has(int flags, int bit) { return bit != 0 && (flags & bit) == bit; }

// Completes a refusal of a limit with what was asked and where.
Refusal Where(Refusal refusal, AddrRange range) {
  if (refusal.asked_bytes == 0) refusal.asked_bytes = range.bytes;
  refusal.wanted = range.start;
  return refusal;
}

}  // namespace

// ---- mmap ----

MappingTraits MapCalls::NewTraits(int protection, bool shared, bool no_reserve) {
  MappingTraits traits;
  traits.read = protection & kProtRead;
  traits.write = protection & kProtWrite;
  traits.execute = protection & kProtExecute;
  traits.shared = shared;
  // MAP_NORESERVE is ignored when overcommit is off (do_mmap, mm/mmap.c, linux 6.12).
  traits.no_reserve = no_reserve && s_.limits.process().overcommit != OvercommitMode::kNever;
  if (s_.platform->limits.commit_charge == CommitCharge::kWritablePrivate && !traits.no_reserve) {
    // Shared memory is charged whole at once, whatever its protection (shmem_zero_setup, mm/shmem.c, linux
    // 6.12).
    traits.charged = shared || traits.write;
  }
  if (shared) traits.origin = ++shared_objects_;
  return traits;
}

Refusal MapCalls::CheckFixedPlace(AddrRange range) const {
  const Platform::Machine& machine = s_.platform->machine;
  if (range.bytes > machine.user_end || range.start.value() > machine.user_end - range.bytes) {
    return Refused(Rule::kOutOfUserRange, machine.errors.out_of_range, range);
  }
  if (range.start.value() % machine.os_page_bytes != 0) {
    return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, range);
  }
  return Refusal();
}

// A hole in the middle of one mapping makes two of it, which the count must allow before
// (vms_gather_munmap_vmas, mm/vma.c, linux 6.12).
Refusal MapCalls::CheckMiddleSplit(AddrRange range) const {
  const AddressSpace::Id id = s_.space.Containing(range.start);
  if (id == AddressSpace::kNone) return Refusal();
  const Mapping& m = s_.space.mapping(id);
  if (m.start == range.start || m.end <= range.end()) return Refusal();
  return Where(s_.limits.CheckCount(s_.space.count(), true), range);
}

// Limits, with what lies in `range` already taken into account; then removes it.
Refusal MapCalls::MakeRoom(AddrRange range, const MappingTraits& traits) {
  Demand demand;
  demand.bytes = range.bytes;
  demand.data = IsData(traits);
  uint64_t replaced_charged_bytes = 0;
  const bool replaces = s_.space.Overlaps(range);
  if (replaces) {
    if (Refusal refusal = CheckMiddleSplit(range); refusal.rule != Rule::kNone) return refusal;
    // The edges stay split even when a check below fails (measured on linux 6.12 and 6.18).
    s_.space.SplitAt(range.start);
    s_.space.SplitAt(range.end());
    for (AddressSpace::Id id = s_.space.FirstEndingAbove(range.start);
         id != AddressSpace::kNone && s_.space.mapping(id).start < range.end(); id = s_.space.Next(id)) {
      const Mapping& m = s_.space.mapping(id);
      demand.replaced_bytes += m.bytes();
      if (m.traits.charged) replaced_charged_bytes += m.bytes();
    }
  }
  if (Refusal refusal = s_.limits.CheckMap(s_.space.totals(), demand); refusal.rule != Rule::kNone) {
    return Where(refusal, range);
  }
  const bool remove_first = s_.platform->mappings.replace == ReplaceOrder::kRemoveThenCheck;
  const auto remove = [&] {
    if (!replaces) return;
    s_.space.Remove(range);
    s_.DropPages(range);
  };
  if (remove_first) remove();
  if (traits.charged && range.bytes > replaced_charged_bytes) {
    const Refusal refusal = s_.limits.CheckCommit(s_.space.totals(), range.bytes - replaced_charged_bytes);
    if (refusal.rule != Rule::kNone) return Where(refusal, range);
  }
  if (!remove_first) remove();
  return Refusal();
}

MmapResult MapCalls::Mmap(Addr addr, uint64_t bytes, int protection, int flags) {
  const Platform::Machine& machine = s_.platform->machine;
  const AddrRange asked{addr, bytes};
  if (bytes == 0) return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  AddrRange range{addr, RoundUp(bytes, machine.os_page_bytes)};
  if (range.bytes == 0) return Refused(Rule::kAddressSpaceExhausted, machine.errors.out_of_memory, asked);
  if (const Refusal r = s_.limits.CheckCount(s_.space.count(), false); r.rule != Rule::kNone) {
    return Where(r, range);
  }
  const bool no_replace = Has(flags, machine.bits.map_no_replace);
  if (no_replace || Has(flags, machine.bits.map_fixed)) {
    if (const Refusal r = CheckFixedPlace(range); r.rule != Rule::kNone) return r;
    if (no_replace && s_.space.Overlaps(range)) {
      return Refused(Rule::kAddressTaken, machine.errors.address_taken, range);
    }
  } else {
    const auto place = s_.placement.Choose(s_.space, s_.placement.Effective(addr), range.bytes);
    if (!place) return Refused(Rule::kAddressSpaceExhausted, machine.errors.out_of_memory, range);
    range.start = *place;
  }
  const bool shared = Has(flags, machine.bits.map_shared), is_private = Has(flags, machine.bits.map_private);
  if (shared == is_private || !Has(flags, machine.bits.map_anonymous)) {
    return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  }
  const MappingTraits traits = NewTraits(protection, shared, Has(flags, machine.bits.map_no_reserve));
  if (Refusal r = MakeRoom(range, traits); r.rule != Rule::kNone) {
    r.wanted = addr;
    return r;
  }
  s_.space.Insert(range, traits);
  return range.start;
}

// ---- munmap ----

OsResult<Done> MapCalls::Munmap(Addr addr, uint64_t bytes) {
  const Platform::Machine& machine = s_.platform->machine;
  const AddrRange asked{addr, bytes};
  const Refusal invalid = Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  if (s_.platform->mappings.unaligned == UnalignedRule::kRoundedDown) {
    bytes += addr.value() % machine.os_page_bytes;
    addr = RoundDown(addr, machine.os_page_bytes);
  }
  if (addr.value() % machine.os_page_bytes != 0) return invalid;
  if (addr.value() > machine.user_end || bytes > machine.user_end - addr.value()) return invalid;
  const AddrRange range{addr, RoundUp(bytes, machine.os_page_bytes)};
  if (asked.bytes == 0) return invalid;
  if (const Refusal r = CheckMiddleSplit(range); r.rule != Rule::kNone) return r;
  s_.space.Remove(range);
  s_.DropPages(range);
  return Done();
}

// ---- mprotect ----

// One mapping's share of an mprotect (mprotect_fixup, mm/mprotect.c, linux 6.12). `*now` = what holds the
// piece after.
OsResult<Done> MapCalls::ProtectPiece(AddressSpace::Id id, AddrRange piece, int protection,
                                      AddressSpace::Id* now) {
  const Mapping m = s_.space.mapping(id);
  MappingTraits traits = m.traits;
  traits.read = protection & kProtRead;
  traits.write = protection & kProtWrite;
  traits.execute = protection & kProtExecute;
  *now = id;
  if (traits == m.traits) return Done();
  const bool counts_commit = s_.platform->limits.commit_charge == CommitCharge::kWritablePrivate;
  if (traits.write) {
    const bool charge =
        counts_commit && !m.traits.charged && !m.traits.write && !m.traits.shared && !m.traits.no_reserve;
    const Refusal refusal =
        s_.limits.CheckProtect(s_.space.totals(), piece.bytes, IsData(m.traits), IsData(traits), charge);
    if (refusal.rule != Rule::kNone) return Where(refusal, piece);
    traits.charged |= charge;
  } else if (s_.platform->limits.protect_uncharges_unwritten && m.traits.kind == MappingKind::kAnonymous &&
             !m.traits.shared && m.writer == 0) {
    traits.charged = false;
  }
  // A piece that joins its neighbour needs no split; each other split must stay below the count limit
  // (vma_modify, mm/vma.c, linux 6.12).
  const bool joins =
      s_.space.WouldJoinPrevious(id, piece, traits) || s_.space.WouldJoinNext(id, piece, traits);
  if (!joins && m.start < piece.start) {
    const Refusal refusal = s_.limits.CheckCount(s_.space.count(), true);
    if (refusal.rule != Rule::kNone) return Where(refusal, piece);
    s_.space.SplitAt(piece.start);
    id = s_.space.Containing(piece.start);
  }
  if (!joins && piece.end() < m.end) {
    const Refusal refusal = s_.limits.CheckCount(s_.space.count(), true);
    if (refusal.rule != Rule::kNone) return Where(refusal, piece);
  }
  *now = s_.space.SetTraits(id, piece, traits);
  s_.AccessChanged(piece);
  return Done();
}

OsResult<Done> MapCalls::Mprotect(Addr addr, uint64_t bytes, int protection) {
  const Platform::Machine& machine = s_.platform->machine;
  const AddrRange asked{addr, bytes};
  if (s_.platform->mappings.unaligned == UnalignedRule::kRoundedDown) {
    bytes += addr.value() % machine.os_page_bytes;
    addr = RoundDown(addr, machine.os_page_bytes);
  }
  // 0xf: read, write, execute and PROT_SEM (do_mprotect_pkey, mm/mprotect.c, linux 6.12).
  if (addr.value() % machine.os_page_bytes != 0 || (protection & ~0xf) != 0) {
    return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  }
  if (asked.bytes == 0) return Done();
  const AddrRange range{addr, RoundUp(bytes, machine.os_page_bytes)};
  const Refusal hole = Refused(Rule::kOutOfUserRange, machine.errors.out_of_memory, asked);
  if (range.end() <= range.start) return hole;
  Addr at = range.start;
  while (at < range.end()) {
    AddressSpace::Id id = s_.space.FirstEndingAbove(at);
    const bool mapped = id != AddressSpace::kNone && s_.space.mapping(id).start <= at;
    if (!mapped && s_.platform->mappings.hole == HoleRule::kError) return hole;
    if (id == AddressSpace::kNone) break;
    if (!mapped) {
      at = std::min(range.end(), s_.space.mapping(id).start);
      continue;
    }
    const Addr end = std::min(range.end(), s_.space.mapping(id).end);
    const OsResult<Done> done = ProtectPiece(id, {at, end - at}, protection, &id);
    if (!done.ok()) return done;
    at = end;
  }
  return Done();
}

// ---- madvise ----

OsResult<Done> MapCalls::Madvise(Addr addr, uint64_t bytes, int advice) {
  const Platform::Machine& machine = s_.platform->machine;
  const AddrRange range{addr, RoundUp(bytes, machine.os_page_bytes)};
  if (advice != machine.bits.advice_discard || addr.value() % machine.os_page_bytes != 0 ||
      (bytes != 0 && range.bytes == 0) || range.end() < range.start) {
    return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, {addr, bytes});
  }
  bool hole = false;
  Addr at = range.start;
  for (AddressSpace::Id id = s_.space.FirstEndingAbove(at);
       id != AddressSpace::kNone && s_.space.mapping(id).start < range.end(); id = s_.space.Next(id)) {
    const Mapping& m = s_.space.mapping(id);
    hole |= m.start > at;
    at = m.end;
  }
  hole |= at < range.end();
  if (s_.platform->mappings.discard == DiscardRule::kDroppedAtOnce) {
    s_.DropPages(range);
  } else {
    s_.ForgetContents(range);
  }
  // A hole is an error after the rest is done (madvise_walk_vmas, mm/madvise.c, linux 6.12).
  if (hole && s_.platform->mappings.hole == HoleRule::kError) {
    return Refused(Rule::kOutOfUserRange, machine.errors.out_of_memory, {addr, bytes});
  }
  return Done();
}

// ---- brk ----

Refusal MapCalls::GrowBreak(AddrRange more) {
  const Platform& platform = *s_.platform;
  const AddressSpace::Id next = s_.space.FirstEndingAbove(more.start);
  if (next != AddressSpace::kNone) {
    // One free page and a stack's guard gap must remain above (brk, mm/mmap.c, linux 6.12).
    const Mapping& above = s_.space.mapping(next);
    const uint64_t guard =
        above.traits.kind == MappingKind::kStack ? platform.placement.stack_guard_bytes : 0;
    if (more.end() + platform.machine.os_page_bytes + guard > above.start) {
      return Refused(Rule::kAddressTaken, platform.machine.errors.out_of_memory, more);
    }
  }
  if (Refusal r = s_.limits.CheckCount(s_.space.count(), false); r.rule != Rule::kNone) return Where(r, more);
  const MappingTraits traits = NewTraits(kProtRead | kProtWrite, false, false);
  if (Refusal r = MakeRoom(more, traits); r.rule != Rule::kNone) return r;
  s_.space.Insert(more, traits);
  return Refusal();
}

MmapResult MapCalls::Brk(Addr addr) {
  const Platform::Machine& machine = s_.platform->machine;
  const AddrRange asked{addr, 0};
  if (!s_.break_start || addr < s_.break_start) {
    return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  }
  if (Refusal r = s_.limits.CheckBreak(addr - s_.break_start, s_.break_end - s_.break_start);
      r.rule != Rule::kNone) {
    r.wanted = addr;
    return r;
  }
  const Addr from = RoundUp(s_.break_end, machine.os_page_bytes), to = RoundUp(addr, machine.os_page_bytes);
  if (to > from) {
    if (const Refusal r = GrowBreak({from, to - from}); r.rule != Rule::kNone) return r;
  } else if (to < from) {
    // Nothing there any more: somebody unmapped it, and the break stays (brk, mm/mmap.c, linux 6.12; by the
    // lockstep test).
    if (!s_.space.Overlaps({to, from - to}))
      return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
    if (const OsResult<Done> done = Munmap(to, from - to); !done.ok()) return done.refusal();
  }
  s_.break_end = addr;
  return addr;
}

}  // namespace reheap
