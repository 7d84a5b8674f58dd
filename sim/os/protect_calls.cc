#include "sim/os/protect_calls.h"

#include <algorithm>

namespace reheap {

// One mapping's share of an mprotect (the loop of do_mprotect_pkey, and mprotect_fixup, mm/mprotect.c, linux 6.12). `*now` = what holds the
// piece after.
OsResult<Done> ProtectCalls::ProtectPiece(AddressSpace::Id id, AddrRange piece, int protection,
                                      AddressSpace::Id* now) {
  const Mapping m = s_.space.mapping(id);
  MappingTraits traits = m.traits;
  traits.read = protection & kProtRead;
  traits.write = protection & kProtWrite;
  traits.execute = protection & kProtExecute;
  *now = id;
  if ((m.traits.flags & kReadForGood) && (traits.write || traits.execute)) {
    return Refused(Rule::kPrivilege, s_.platform->machine.errors.no_access, piece);
  }
  if (IsSealed(m.traits)) return Refused(Rule::kPrivilege, s_.platform->machine.errors.privilege, piece);
  if (traits == m.traits) return Done();
  const bool counts_commit = s_.platform->limits.commit_charge == CommitCharge::kWritablePrivate;
  if (traits.write) {
    const bool charge =
        counts_commit && !m.traits.charged && !m.traits.write && !m.traits.shared && !m.traits.no_reserve;
    const Refusal refusal =
        s_.limits.CheckProtect(s_.space.totals(), piece.bytes, IsData(m.traits), IsData(traits), charge);
    if (refusal.rule != Rule::kNone) return Where(refusal, piece);
    traits.charged |= charge;
  } else if (s_.platform->limits.protect_uncharges_unwritten && IsPrivateAnonymous(m.traits) && m.writer == 0) {
    traits.charged = false;
  }
  if (const Refusal r = ChangeTraits(s_, now, piece, traits); r.rule != Rule::kNone) return r;
  // What is locked and becomes writable is copied at once.
  if ((m.traits.flags & kLocked) && !m.traits.write && !m.traits.shared && traits.write) {
    (void)faults_.PopulateMapped(piece, true);
  }
  s_.AccessChanged(piece);
  return Done();
}

// What must hold for the whole range before any of it is changed: no hole (vm_map_protect, osfmk/vm/vm_map.c:5787,
// xnu-11417.101.15), room for what becomes accessible (uvm_map_protect, sys/uvm/uvm_map.c 1.338, OpenBSD).
Refusal ProtectCalls::CheckWhole(AddrRange range, int protection, const Refusal& hole) const {
  uint64_t claimed_bytes = 0;
  Addr at = range.start;
  for (AddressSpace::Id id = s_.space.FirstEndingAbove(at);
       id != AddressSpace::kNone && s_.space.mapping(id).start < range.end(); id = s_.space.Next(id)) {
    const Mapping& m = s_.space.mapping(id);
    if (m.start > at && hole.os_error != 0) return hole;
    at = m.end;
    if (m.traits.kind == MappingKind::kAnonymous && protection != 0 && !ClaimsMemory(m.traits)) {
      claimed_bytes += std::min(m.end, range.end()) - std::max(m.start, range.start);
    }
  }
  if (at < range.end() && hole.os_error != 0) return hole;
  if (claimed_bytes == 0) return Refusal();
  return Where(s_.limits.CheckClaim(s_.space.totals(), claimed_bytes), range);
}

OsResult<Done> ProtectCalls::Mprotect(Addr addr, uint64_t bytes, int protection) {
  const Platform::Machine& machine = s_.platform->machine;
  const MapExtras& extras = machine.map_extras;
  const Platform::Mappings& mappings = s_.platform->mappings;
  const AddrRange asked{addr, bytes};
  if (mappings.unaligned == UnalignedRule::kRoundedDown) {
    bytes += addr.value() % machine.os_page_bytes;
    addr = RoundDown(addr, machine.os_page_bytes);
  }
  // The order of do_mprotect_pkey, mm/mprotect.c, linux 6.12: the address, no bytes at all, the range, the bits.
  const Refusal invalid = Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  const int grows = protection & (extras.protect_grows_down | extras.protect_grows_up);
  if (grows != 0 && grows == (extras.protect_grows_down | extras.protect_grows_up)) return invalid;
  protection &= ~grows;
  if (addr.value() % machine.os_page_bytes != 0) return invalid;
  if (asked.bytes == 0) return Done();
  AddrRange range{addr, RoundUp(bytes, machine.os_page_bytes)};
  if (range.end() <= range.start) {
    const int wrap = machine.protection_wrap_error;
    return Refused(Rule::kOutOfUserRange, wrap != 0 ? wrap : machine.errors.out_of_memory, asked);
  }
  if (machine.protection_dropped) protection &= machine.protection_known;
  if ((protection & ~machine.protection_known) != 0) return invalid;
  if (const int error = mappings.write_execute_protect_error; error != 0 && IsWriteExecute(protection)) {
    return Refused(Rule::kWriteExecute, error, asked);
  }
  const Refusal hole = Refused(Rule::kOutOfUserRange, mappings.protect_hole_error, asked);
  if (grows != 0) {
    const AddressSpace::Id id = s_.space.FirstEndingAbove(range.start);
    const bool is_down = grows == extras.protect_grows_down;
    const Addr from = is_down ? range.end() : range.start + 1;
    if (id == AddressSpace::kNone || s_.space.mapping(id).start >= from) return hole;
    // No mapping grows up here.
    if (!is_down || !GrowsDown(s_.space.mapping(id).traits)) return invalid;
    range = {s_.space.mapping(id).start, range.end() - s_.space.mapping(id).start};
  }
  if (mappings.hole == HoleRule::kErrorBeforeChanges || s_.limits.LimitsClaims()) {
    if (const Refusal r = CheckWhole(range, protection, hole); r.rule != Rule::kNone) return r;
  }
  return ProtectRange(range, protection, hole);
}

OsResult<Done> ProtectCalls::ProtectRange(AddrRange range, int protection, const Refusal& hole) {
  Addr at = range.start;
  while (at < range.end()) {
    AddressSpace::Id id = s_.space.FirstEndingAbove(at);
    const bool mapped = id != AddressSpace::kNone && s_.space.mapping(id).start <= at;
    if (!mapped && s_.platform->mappings.protect_hole_error != 0) return hole;
    if (id == AddressSpace::kNone) break;
    if (!mapped) {
      at = std::min(range.end(), s_.space.mapping(id).start);
      continue;
    }
    const Addr end = std::min(range.end(), s_.space.mapping(id).end);
    if (IsGuard(s_.space.mapping(id).traits)) {  // skipped, no error (vm_map_protect, sys/vm/vm_map.c, FreeBSD)
      at = end;
      continue;
    }
    const OsResult<Done> done = ProtectPiece(id, {at, end - at}, protection, &id);
    if (!done.ok()) return done;
    at = end;
  }
  return Done();
}

}  // namespace reheap
