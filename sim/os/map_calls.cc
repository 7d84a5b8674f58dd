#include "sim/os/map_calls.h"

#include <algorithm>
#include <limits>

#include "sim/os/gap_stack.h"

namespace reheap {
// ---- mmap: what is asked for ----

MappingTraits MapCalls::NewTraits(int protection, bool shared, bool no_reserve) {
  MappingTraits traits;
  traits.read = protection & kProtRead;
  traits.write = protection & kProtWrite;
  traits.execute = protection & kProtExecute;
  traits.shared = shared;
  // MAP_NORESERVE is ignored when overcommit is off (do_mmap, mm/mmap.c, linux 6.12).
  traits.no_reserve = no_reserve && s_.limits.process().overcommit != OvercommitMode::kNever;
  // Private and writable, of a file or not (accountable_mapping, mm/mmap.c, linux 6.12).
  traits.charged = s_.platform->limits.commit_charge == CommitCharge::kWritablePrivate && traits.write &&
                   !shared && !traits.no_reserve;
  traits.flags = s_.new_mapping_flags;
  return traits;
}

MapCalls::Sharing MapCalls::SharingOf(const Request& request) const {
  const CallBits& bits = s_.platform->machine.bits;
  const MapExtras& extras = s_.platform->machine.map_extras;
  if (extras.type_mask != 0) {
    const int type = request.flags & extras.type_mask;
    if (type == bits.map_shared) return Sharing::kShared;
    if (type == bits.map_private) return Sharing::kPrivate;
    if (type != 0 && type == extras.shared_validate) return Sharing::kSharedValidated;
    if (type != 0 && type == extras.droppable) return Sharing::kDroppable;
    return Sharing::kUnknown;
  }
  const bool shared = HasFlag(request.flags, bits.map_shared);
  const bool is_private = request.extra.is_private || HasFlag(request.flags, bits.map_private);
  if (shared == is_private) return Sharing::kUnknown;
  return shared ? Sharing::kShared : Sharing::kPrivate;
}

OsResult<MemoryObjects::Id> MapCalls::FileOf(const Request& request, MapFile file, AddrRange asked) const {
  const Platform::Machine& machine = s_.platform->machine;
  const Refusal invalid = Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  // Also of anonymous memory, where nobody looks at it again (mmap, arch/x86/kernel/sys_x86_64.c, linux 6.12).
  if (file.offset % machine.os_page_bytes != 0) return invalid;
  const bool is_anonymous =
      request.extra.guard || request.extra.gap_stack || HasFlag(request.flags, machine.bits.map_anonymous);
  if (is_anonymous) return MemoryObjects::kNone;
  const auto object = s_.FileAt(file.descriptor);
  if (object == MemoryObjects::kNone) {
    const int error = machine.errors.bad_descriptor;
    return error == 0 ? invalid : Refused(Rule::kInvalidArgument, error, asked);
  }
  // A file that is not hugetlbfs's (ksys_mmap_pgoff, mm/mmap.c, linux 6.12).
  if (HasFlag(request.flags, machine.map_extras.huge_tlb)) return invalid;
  return object;
}

uint64_t MapCalls::HugeBytesOf(int flags) const {
  const MapExtras& extras = s_.platform->machine.map_extras;
  const uint32_t log2 = (static_cast<uint32_t>(flags) >> extras.huge_size_shift) &
                        static_cast<uint32_t>(extras.huge_size_mask);
  if (log2 == 0) return extras.huge_sizes & -extras.huge_sizes;
  return log2 < 32 ? extras.huge_sizes & (uint32_t{1} << log2) : 0;
}

// What is wrong with the kind of sharing, in the order of do_mmap, mm/mmap.c, linux 6.12.
Refusal MapCalls::CheckSharing(AddrRange range, const Request& request) const {
  const Platform::Machine& machine = s_.platform->machine;
  const MapExtras& extras = machine.map_extras;
  const int flags = request.flags;
  const bool is_file = request.file != MemoryObjects::kNone;
  const Refusal invalid = Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, range);
  if (is_file) {
    // MAX_LFS_FILESIZE, include/linux/fs.h, on a 64-bit kernel.
    const uint64_t most = std::numeric_limits<int64_t>::max();
    if (range.bytes > most || request.file_offset > most - range.bytes) {
      const int error = machine.errors.offset_overflow;
      return error == 0 ? invalid : Refused(Rule::kInvalidArgument, error, range);
    }
  }
  const Sharing sharing = SharingOf(request);
  if (sharing == Sharing::kUnknown) return invalid;
  if (is_file && sharing == Sharing::kDroppable) return invalid;
  if (sharing == Sharing::kSharedValidated) {
    if (!is_file) return invalid;
    if ((flags & ~extras.validated) != 0) {
      return Refused(Rule::kInvalidArgument, machine.errors.not_supported, range);
    }
  }
  if (sharing == Sharing::kDroppable && (flags & (extras.locked | extras.huge_tlb)) != 0) return invalid;
  const bool may_grow = !is_file && sharing == Sharing::kPrivate;
  return HasFlag(flags, extras.grows_down) && !may_grow ? invalid : Refusal();
}

MappingTraits MapCalls::TraitsOf(AddrRange range, const Request& request) {
  const CallBits& bits = s_.platform->machine.bits;
  const MapExtras& extras = s_.platform->machine.map_extras;
  const Sharing sharing = SharingOf(request);
  const bool shared = sharing == Sharing::kShared || sharing == Sharing::kSharedValidated;
  const int flags = request.flags;
  MappingTraits traits = NewTraits(request.protection, shared, HasFlag(flags, bits.map_no_reserve));
  if (request.extra.guard) traits.kind = MappingKind::kGuard;
  // calc_vm_flag_bits, include/linux/mman.h, linux 6.12.
  if (HasFlag(flags, extras.grows_down)) {
    traits.kind = MappingKind::kStack;
    traits.name = s_.space.InternName("[stack]");  // as exec's, which it may become one with
    traits.flags |= kGrowsDown;
  }
  if (HasFlag(flags, extras.locked)) traits.flags |= kLocked;
  if (HasFlag(flags, extras.stack)) traits.flags |= kNoHuge;
  if (HasFlag(flags, extras.sync)) traits.flags |= kSync;
  if (sharing == Sharing::kDroppable) {  // do_mmap, mm/mmap.c, linux 6.12
    traits.flags |= kDroppable | kNotDumped | kWipedOnFork;
    traits.no_reserve = true;
    traits.charged = false;
  }
  if (request.file != MemoryObjects::kNone) {
    traits.kind = MappingKind::kFile;
    traits.name = s_.space.objects()[request.file].name;
    traits.object = request.file;
    traits.origin = range.start.value() - request.file_offset;
  } else if (shared) {
    traits.origin = range.start.value();
  }
  return traits;
}

// ---- mmap: where ----

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

OsResult<Addr> MapCalls::ChoosePlace(AddrRange range, const Request& request) {
  const Platform::Machine& machine = s_.platform->machine;
  const bool no_replace = HasFlag(request.flags, machine.bits.map_no_replace);
  if (no_replace || HasFlag(request.flags, machine.bits.map_fixed)) {
    if (const Refusal r = CheckFixedPlace(range); r.rule != Rule::kNone) return r;
    if (request.huge_bytes != 0 && range.start.value() % request.huge_bytes != 0) {
      return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, range);
    }
    if (no_replace && s_.space.Overlaps(range)) {
      return Refused(Rule::kAddressTaken, machine.errors.address_taken, range);
    }
    return range.start;
  }
  const auto place = drawn_.Handles(request.extra) ? drawn_.Choose(range.start, range.bytes, request.extra)
                                                   : s_.placement.Choose(s_.space, PlaceOf(range, request));
  if (!place) return Refused(Rule::kAddressSpaceExhausted, machine.errors.out_of_memory, range);
  return *place;
}

PlaceRequest MapCalls::PlaceOf(AddrRange range, const Request& request) const {
  const Platform::Machine& machine = s_.platform->machine;
  PlaceRequest place{s_.placement.Effective(range.start), range.bytes};
  place.is_low = HasFlag(request.flags, machine.map_extras.low_window) && s_.platform->placement.low_window_end != 0;
  place.above_4g = HasFlag(request.flags, machine.map_extras.above_4g) && machine.word_bits > 32;
  if (request.file != MemoryObjects::kNone) {
    place.content = PlaceRequest::Content::kFile;
    place.file_offset = request.file_offset;
  } else if (HasFlag(request.flags, machine.bits.map_shared)) {
    place.content = PlaceRequest::Content::kShared;
  }
  return place;
}

// ---- mmap: may it, and what it replaces ----

// Of what lies in `range` nothing may be sealed (vms_gather_munmap_vmas, mm/vma.c, linux 6.18).
Refusal MapCalls::CheckSeals(AddrRange range) const {
  for (AddressSpace::Id id = s_.space.FirstEndingAbove(range.start);
       id != AddressSpace::kNone && s_.space.mapping(id).start < range.end(); id = s_.space.Next(id)) {
    if (!IsSealed(s_.space.mapping(id).traits)) continue;
    return Refused(Rule::kPrivilege, s_.platform->machine.errors.privilege, range);
  }
  return Refusal();
}

Refusal MapCalls::CheckEdges(AddrRange range) {
  const Refusal invalid =
      Refused(Rule::kInvalidArgument, s_.platform->machine.errors.invalid_argument, range);
  const AddressSpace::Id first = s_.space.Containing(range.start);
  if (first != AddressSpace::kNone && s_.space.mapping(first).start < range.start) {
    const Mapping& m = s_.space.mapping(first);
    // A hole in the middle of one mapping makes two of it, which the count must allow before
    // (vms_gather_munmap_vmas, mm/vma.c, linux 6.12).
    if (m.end > range.end()) {
      const Refusal refusal = s_.limits.CheckCount(s_.space.count(), true);
      if (refusal.rule != Rule::kNone) return Where(refusal, range);
    }
    if (IsSealed(m.traits)) return CheckSeals(range);
    if (!MaySplit(m.traits)) return invalid;
  }
  if (const Refusal sealed = CheckSeals(range); sealed.rule != Rule::kNone) {
    s_.space.SplitAt(range.start);  // comes before the look at the next mapping, and stays
    return sealed;
  }
  const AddressSpace::Id last = s_.space.Containing(range.end());
  if (last == AddressSpace::kNone || s_.space.mapping(last).start == range.end()) return Refusal();
  if (MaySplit(s_.space.mapping(last).traits)) return Refusal();
  s_.space.SplitAt(range.start);  // is done by then, and stays
  return invalid;
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
    if (Refusal refusal = CheckEdges(range); refusal.rule != Rule::kNone) return refusal;
    s_.space.SplitAt(range.start);
    s_.space.SplitAt(range.end());
  }
  Overlap overlap = OverlapOf(range);
  const auto remove_if = [&](ReplaceOrder now) -> Refusal {
    if (!replaces || order != now) return Refusal();
    if (Refusal refusal = CheckEdges(range); refusal.rule != Rule::kNone) {
      // Whatever munmap said (__mmap_region, mm/mmap.c, linux 6.1).
      if (order == ReplaceOrder::kRemoveThenCheck) refusal.os_error = s_.platform->machine.errors.out_of_memory;
      return refusal;
    }
    s_.Unmap(range);
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

// can_do_mlock and mlock_future_ok as do_mmap asks them, mm/mmap.c, linux 6.12: EPERM, EAGAIN.
Refusal MapCalls::CheckLock(AddrRange range, bool asked) const {
  if (asked) {
    if (const Refusal r = s_.limits.CheckMayLock(); r.rule != Rule::kNone) return Where(r, range);
  }
  if (!asked && !(s_.new_mapping_flags & kLocked)) return Refusal();
  Refusal r = s_.CheckLocked(range.bytes, 0);
  if (r.rule == Rule::kNone) return r;
  r.os_error = s_.platform->machine.errors.try_again;
  return Where(r, range);
}

// ---- mmap ----

MmapResult MapCalls::Mmap(Addr addr, uint64_t bytes, int protection, int flags, MapFile file) {
  const Platform::Machine& machine = s_.platform->machine;
  const AddrRange asked{addr, bytes};
  if (const Refusal r = CheckMapFlags(*s_.platform, asked, protection, flags, file.descriptor);
      r.rule != Rule::kNone) {
    return r;
  }
  Request request;
  request.protection = protection;
  request.flags = flags;
  request.extra = ReadMapFlags(*s_.platform, flags);
  request.file_offset = file.offset;
  const OsResult<MemoryObjects::Id> object = FileOf(request, file, asked);
  if (!object.ok()) return object.refusal();
  request.file = object.value();
  if (HasFlag(flags, machine.map_extras.huge_tlb)) {
    // Before anything else: a size that there is (ksys_mmap_pgoff, mm/mmap.c, linux 6.12).
    request.huge_bytes = HugeBytesOf(flags);
    if (request.huge_bytes == 0) return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  }
  if (bytes == 0) return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  AddrRange range{addr, RoundUp(bytes, std::max(machine.os_page_bytes, request.huge_bytes))};
  if (range.bytes == 0) return Refused(Rule::kAddressSpaceExhausted, machine.errors.out_of_memory, asked);
  if (const Refusal r = s_.limits.CheckCount(s_.space.count(), false); r.rule != Rule::kNone) {
    return Where(r, range);
  }
  const OsResult<Addr> place = ChoosePlace(range, request);
  if (!place.ok()) return place;
  range.start = place.value();
  const bool locks = HasFlag(flags, machine.map_extras.locked);
  if (const Refusal r = CheckLock(range, locks); r.rule != Rule::kNone) return r;
  if (const Refusal r = CheckSharing(range, request); r.rule != Rule::kNone) return r;

  MappingTraits traits = TraitsOf(range, request);
  Refusal refusal = MakeRoom(range, traits);
  if (refusal.rule == Rule::kNone) refusal = MakeObject(range, request, &traits);
  if (refusal.rule == Rule::kNone && request.extra.gap_stack) refusal = GapStack(&s_).Map(range, traits);
  if (refusal.rule != Rule::kNone) {
    refusal.wanted = addr;
    return refusal;
  }
  if (!request.extra.gap_stack) {
    const bool next_first = s_.platform->mappings.new_joins_next_first;
    s_.space.Insert(range, traits, 0, next_first ? AddressSpace::Join::kNextFirst : AddressSpace::Join::kBoth);
  }
  return range.start;
}

// What the file or the shared memory itself says, when what was there is gone already: a refusal leaves a hole
// (mmap_region, mm/mmap.c, and vms_abort_munmap_vmas, mm/vma.h, linux 6.12).
Refusal MapCalls::MakeObject(AddrRange range, const Request& request, MappingTraits* traits) {
  // No pool of huge pages is configured: the reservation fails (hugetlbfs_file_mmap, fs/hugetlbfs/inode.c, linux
  // 6.12; measured on 6.18). MAP_NORESERVE would put that off to the first touch; it is refused here all the same.
  if (request.huge_bytes != 0) {
    return Refused(Rule::kCommitLimit, s_.platform->machine.errors.out_of_memory, range);
  }
  if (traits->object != MemoryObjects::kNone) {
    // No file here is on a device that could (ext4_file_mmap, fs/ext4/file.c, linux 6.12; measured on 6.18).
    if ((traits->flags & kSync) == 0) return Refusal();
    return Refused(Rule::kInvalidArgument, s_.platform->machine.errors.not_supported, range);
  }
  if (!traits->shared) return Refusal();
  // Shared memory of no file is an object of its own, charged at once whatever its protection
  // (shmem_zero_setup, mm/shmem.c, linux 6.12).
  const bool is_charged =
      !traits->no_reserve && s_.platform->limits.commit_charge == CommitCharge::kWritablePrivate;
  if (is_charged) {
    const Refusal refusal = s_.limits.CheckCommit(s_.space.totals(), range.bytes);
    if (refusal.rule != Rule::kNone) return Where(refusal, range);
  }
  traits->object = s_.space.AddShared(range.bytes, is_charged);
  return Refusal();
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
  if (const Refusal r = CheckEdges(range); r.rule != Rule::kNone) return r;
  s_.Unmap(range);
  return Done();
}

}  // namespace reheap
