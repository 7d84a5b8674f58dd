#include "sim/os/map_calls.h"

#include <algorithm>

#include "sim/os/gap_stack.h"

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

Refusal MapCalls::SplitEdges(AddrRange range) {
  if (Refusal refusal = CheckMiddleSplit(range); refusal.rule != Rule::kNone) return refusal;
  s_.space.SplitAt(range.start);
  s_.space.SplitAt(range.end());
  return Refusal();
}

MapCalls::Overlap MapCalls::OverlapOf(AddrRange range) const {
  Overlap overlap;
  for (AddressSpace::Id id = s_.space.FirstEndingAbove(range.start);
       id != AddressSpace::kNone && s_.space.mapping(id).start < range.end(); id = s_.space.Next(id)) {
    const Mapping& m = s_.space.mapping(id);
    const uint64_t bytes = std::min(m.end, range.end()) - std::max(m.start, range.start);
    overlap.bytes += bytes;
    if (m.traits.charged) overlap.charged_bytes += bytes;
  }
  return overlap;
}

Demand MapCalls::DemandOf(AddrRange range, const MappingTraits& traits, const Overlap& overlap) {
  Demand demand;
  demand.bytes = range.bytes;
  demand.replaced_bytes = overlap.bytes;
  demand.data = IsData(traits);
  // Shared memory counts whatever its protection; of files, private writable ones (sys_mmap,
  // sys/uvm/uvm_mmap.c 1.193, OpenBSD).
  demand.claims = ClaimsMemory(traits) || traits.shared || (traits.kind == MappingKind::kFile && demand.data);
  return demand;
}

// Limits, with what lies in `range` already taken into account; then removes it.
Refusal MapCalls::MakeRoom(AddrRange range, const MappingTraits& traits) {
  const ReplaceOrder order = s_.platform->mappings.replace;
  const bool replaces = s_.space.Overlaps(range);
  // The edges stay split even when a check below fails, where removing begins with them (measured on linux 6.12
  // and 6.18; vms_gather_munmap_vmas, mm/vma.c, 6.12).
  if (replaces && order == ReplaceOrder::kCheckThenReplace) {
    if (Refusal refusal = SplitEdges(range); refusal.rule != Rule::kNone) return refusal;
  }
  Overlap overlap = OverlapOf(range);
  const auto remove_if = [&](ReplaceOrder now) -> Refusal {
    if (!replaces || order != now) return Refusal();
    if (Refusal refusal = CheckMiddleSplit(range); refusal.rule != Rule::kNone) return refusal;
    s_.space.Remove(range);
    s_.DropPages(range);
    overlap = Overlap();
    return Refusal();
  };
  if (Refusal refusal = remove_if(ReplaceOrder::kRemoveFirst); refusal.rule != Rule::kNone) return refusal;
  if (Refusal refusal = s_.limits.CheckMap(s_.space.totals(), DemandOf(range, traits, overlap));
      refusal.rule != Rule::kNone) {
    return Where(refusal, range);
  }
  // From here the whole is charged, but what it replaced is given back already (mmap_region, mm/mmap.c, linux
  // 6.1).
  if (Refusal refusal = remove_if(ReplaceOrder::kRemoveThenCheck); refusal.rule != Rule::kNone) return refusal;
  if (traits.charged && range.bytes > overlap.charged_bytes) {
    const Refusal refusal = s_.limits.CheckCommit(s_.space.totals(), range.bytes - overlap.charged_bytes);
    if (refusal.rule != Rule::kNone) return Where(refusal, range);
  }
  return remove_if(ReplaceOrder::kCheckThenReplace);
}

MmapResult MapCalls::Mmap(Addr addr, uint64_t bytes, int protection, int flags) {
  const Platform::Machine& machine = s_.platform->machine;
  const AddrRange asked{addr, bytes};
  if (const Refusal r = CheckMapFlags(*s_.platform, asked, protection, flags); r.rule != Rule::kNone) return r;
  const MapFlags extra = ReadMapFlags(*s_.platform, flags);
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
    const auto place = Place(addr, range.bytes, extra);
    if (!place) return Refused(Rule::kAddressSpaceExhausted, machine.errors.out_of_memory, range);
    range.start = *place;
  }
  const bool shared = Has(flags, machine.bits.map_shared);
  const bool is_private = extra.is_private || Has(flags, machine.bits.map_private);
  const bool anonymous = extra.guard || extra.gap_stack || Has(flags, machine.bits.map_anonymous);
  if (shared == is_private || !anonymous) {
    return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  }
  MappingTraits traits = NewTraits(protection, shared, Has(flags, machine.bits.map_no_reserve));
  if (extra.guard) traits.kind = MappingKind::kGuard;
  if (Refusal r = MakeRoom(range, traits); r.rule != Rule::kNone) {
    r.wanted = addr;
    return r;
  }
  if (extra.gap_stack) {
    if (const Refusal r = GapStack(&s_).Map(range, traits); r.rule != Rule::kNone) return r;
  } else {
    s_.space.Insert(range, traits);
  }
  return range.start;
}

std::optional<Addr> MapCalls::Place(Addr hint, uint64_t bytes, const MapFlags& flags) {
  if (drawn_.Handles(flags)) return drawn_.Choose(hint, bytes, flags);
  return s_.placement.Choose(s_.space, s_.placement.Effective(hint), bytes);
}

// ---- munmap ----

// Every page must be mapped (sys_munmap, sys/uvm/uvm_mmap.c 1.193, OpenBSD).
Refusal MapCalls::CheckUnmapHole(AddrRange range) const {
  const int error = s_.platform->mappings.unmap_hole_error;
  if (error == 0) return Refusal();
  Addr at = range.start;
  for (AddressSpace::Id id = s_.space.FirstEndingAbove(at);
       id != AddressSpace::kNone && s_.space.mapping(id).start <= at && at < range.end(); id = s_.space.Next(id)) {
    at = s_.space.mapping(id).end;
  }
  return at < range.end() ? Refused(Rule::kInvalidArgument, error, range) : Refusal();
}

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
  if (asked.bytes == 0) return s_.platform->mappings.unmap_nothing_succeeds ? OsResult<Done>(Done()) : invalid;
  if (const Refusal r = CheckUnmapHole(range); r.rule != Rule::kNone) return r;
  if (const Refusal r = CheckMiddleSplit(range); r.rule != Rule::kNone) return r;
  s_.space.Remove(range);
  s_.DropPages(range);
  return Done();
}

}  // namespace reheap
