#include "sim/os/map_calls.h"

#include <algorithm>

namespace reheap {
namespace {

constexpr bool Has(int flags, int bit) { return bit != 0 && (flags & bit) == bit; }

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
  traits.flags = s_.new_mapping_flags;
  return traits;
}

// can_do_mlock and mlock_future_ok as do_mmap asks them, mm/mmap.c, linux 6.12: EPERM, EAGAIN.
Refusal MapCalls::CheckLock(uint32_t flags, AddrRange range) const {
  if (!(flags & kLocked)) return Refusal();
  if (!(s_.new_mapping_flags & kLocked)) {
    if (const Refusal r = s_.limits.CheckMayLock(); r.rule != Rule::kNone) return Where(r, range);
  }
  Refusal r = s_.limits.CheckLocked(s_.space.totals(), range.bytes, 0);
  if (r.rule != Rule::kNone) r.os_error = s_.platform->machine.errors.try_again;
  return r.rule == Rule::kNone ? r : Where(r, range);
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
    s_.Unmap(range);
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
  const uint32_t lock = Has(flags, machine.bits.map_locked) ? uint32_t{kLocked} : 0;
  if (const Refusal r = CheckLock(s_.new_mapping_flags | lock, range); r.rule != Rule::kNone) return r;
  const bool shared = Has(flags, machine.bits.map_shared), is_private = Has(flags, machine.bits.map_private);
  if (shared == is_private || !Has(flags, machine.bits.map_anonymous)) {
    return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  }
  MappingTraits traits = NewTraits(protection, shared, Has(flags, machine.bits.map_no_reserve));
  traits.flags |= lock;
  if (Refusal r = MakeRoom(range, traits); r.rule != Rule::kNone) {
    r.wanted = addr;
    return r;
  }
  if (shared) {
    traits.object = s_.objects.AddShared(range.bytes);
    traits.origin = range.start.value();
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
  s_.Unmap(range);
  return Done();
}

}  // namespace reheap
