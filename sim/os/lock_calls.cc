#include "sim/os/lock_calls.h"

#include <algorithm>

namespace reheap {
namespace {

constexpr uint32_t kLockFlags = kLocked | kLockOnFault;

// vma_supports_mlock, mm/internal.h, linux 6.18; mlock_fixup's special mappings, mm/mlock.c, 6.12.
bool IsLockable(const MappingTraits& traits) {
  return traits.kind != MappingKind::kSpecial && (traits.flags & kDroppable) == 0;
}

MappingTraits WithLock(MappingTraits traits, uint32_t flags) {
  if (IsLockable(traits)) traits.flags = (traits.flags & ~kLockFlags) | flags;
  return traits;
}

}  // namespace

// count_mm_mlocked_page_nr, mm/mlock.c, linux 6.12.
uint64_t LockCalls::LockedIn(AddrRange range) const {
  uint64_t bytes = 0;
  for (AddressSpace::Id id = s_.space.FirstEndingAbove(range.start);
       id != AddressSpace::kNone && s_.space.mapping(id).start < range.end(); id = s_.space.Next(id)) {
    const Mapping& m = s_.space.mapping(id);
    if (m.traits.flags & kLocked) bytes += std::min(m.end, range.end()) - std::max(m.start, range.start);
  }
  return bytes;
}

// apply_vma_lock_flags, mm/mlock.c, linux 6.12.
Refusal LockCalls::Apply(AddrRange range, uint32_t flags) {
  const ErrorNumbers& errors = s_.platform->machine.errors;
  if (range.end() < range.start) return Refused(Rule::kInvalidArgument, errors.invalid_argument, range);
  for (Addr at = range.start; at < range.end();) {
    AddressSpace::Id id = s_.space.Containing(at);
    if (id == AddressSpace::kNone) return Refused(Rule::kOutOfUserRange, errors.out_of_memory, range);
    const Mapping m = s_.space.mapping(id);
    const Addr end = std::min(m.end, range.end());
    const Refusal refusal = ChangeTraits(s_, &id, {at, end - at}, WithLock(m.traits, flags));
    if (refusal.rule != Rule::kNone) return refusal;
    at = end;
  }
  return Refusal();
}

// do_mlock, mm/mlock.c, linux 6.12.
OsResult<Done> LockCalls::Mlock(Addr addr, uint64_t bytes, int flags) {
  const Platform::Machine& machine = s_.platform->machine;
  if (flags & ~kLockPagesOnFault) {
    return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, {addr, bytes});
  }
  const Addr start = RoundDown(addr, machine.os_page_bytes);
  const AddrRange range{start, RoundUp(bytes + (addr - start), machine.os_page_bytes)};
  if (const Refusal r = s_.limits.CheckMayLock(); r.rule != Rule::kNone) return Where(r, range);
  if (const Refusal r = s_.CheckLocked(range.bytes, LockedIn(range));
      r.rule != Rule::kNone) {
    return Where(r, range);
  }
  const uint32_t lock = flags & kLockPagesOnFault ? kLockFlags : uint32_t{kLocked};
  if (const Refusal r = Apply(range, lock); r.rule != Rule::kNone) return r;
  switch (faults_.PopulateMapped(range, false)) {
    case TouchOutcome::kDone:
      return Done();
    case TouchOutcome::kOutOfMemoryKill:
      return s_.killed;
    default:  // EFAULT becomes ENOMEM (__mlock_posix_error_return); the pages stay locked
      return Refused(Rule::kInvalidArgument, machine.errors.out_of_memory, range);
  }
}

OsResult<Done> LockCalls::Munlock(Addr addr, uint64_t bytes) {
  const uint64_t page = s_.platform->machine.os_page_bytes;
  const Addr start = RoundDown(addr, page);
  const Refusal refusal = Apply({start, RoundUp(bytes + (addr - start), page)}, 0);
  return refusal.rule == Rule::kNone ? OsResult<Done>(Done()) : refusal;
}

// apply_mlockall_flags, mm/mlock.c, linux 6.12: errors of single mappings are passed over.
void LockCalls::ApplyToAll(int flags) {
  const uint32_t on_fault = flags & kLockAllOnFault ? uint32_t{kLockOnFault} : 0;
  s_.new_mapping_flags = flags & kLockFuture ? kLocked | on_fault : 0;
  if ((flags & kLockFuture) && !(flags & kLockCurrent)) return;
  const uint32_t lock = flags & kLockCurrent ? kLocked | on_fault : 0;
  Addr at;
  for (AddressSpace::Id id = s_.space.First(); id != AddressSpace::kNone; id = s_.space.FirstEndingAbove(at)) {
    const Mapping m = s_.space.mapping(id);
    (void)ChangeTraits(s_, &id, m.range(), WithLock(m.traits, lock));
    at = m.end;
  }
}

OsResult<Done> LockCalls::Mlockall(int flags) {
  const Platform::Machine& machine = s_.platform->machine;
  const AddrRange all{Addr(), s_.space.totals().mapped_bytes};
  if (flags == 0 || (flags & ~(kLockCurrent | kLockFuture | kLockAllOnFault)) != 0 || flags == kLockAllOnFault) {
    return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, all);
  }
  if (const Refusal r = s_.limits.CheckMayLock(); r.rule != Rule::kNone) return Where(r, all);
  if (flags & kLockCurrent) {
    // The whole process against the limit, whatever was locked before.
    const Refusal r = s_.CheckLocked(all.bytes, s_.LockedBytes());
    if (r.rule != Rule::kNone) return Where(r, all);
  }
  ApplyToAll(flags);
  if ((flags & kLockCurrent) &&
      faults_.PopulateMapped({Addr(), machine.user_end}, true) == TouchOutcome::kOutOfMemoryKill) {
    return s_.killed;
  }
  return Done();
}

OsResult<Done> LockCalls::Munlockall() {
  ApplyToAll(0);
  return Done();
}

}  // namespace reheap
