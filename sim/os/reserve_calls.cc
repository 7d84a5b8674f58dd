#include "sim/os/reserve_calls.h"

#include <algorithm>

namespace reheap {
namespace {

bool SetAccess(uint32_t protection, MappingTraits* traits) {
  switch (protection) {
    case kPageNoAccess:
      return true;
    case kPageReadOnly:
      traits->read = true;
      return true;
    case kPageReadWrite:
      traits->read = traits->write = true;
      return true;
    case kPageExecuteReadWrite:
      traits->read = traits->write = traits->execute = true;
      return true;
    default:
      return false;
  }
}

}  // namespace

std::optional<AddrRange> ReserveCalls::ReservationOf(Addr a) const {
  AddressSpace::Id id = s_.space.Containing(a);
  if (id == AddressSpace::kNone || s_.space.mapping(id).traits.kind != MappingKind::kAnonymous)
    return std::nullopt;
  const uint64_t origin = s_.space.mapping(id).traits.origin;
  Addr end = s_.space.mapping(id).end;
  for (id = s_.space.Next(id); id != AddressSpace::kNone; id = s_.space.Next(id)) {
    const Mapping& m = s_.space.mapping(id);
    if (m.start != end || m.traits.origin != origin) break;
    end = m.end;
  }
  return AddrRange{Addr(origin), end - Addr(origin)};
}

OsResult<AddrRange> ReserveCalls::Reserve(Addr addr, uint64_t bytes) {
  const Platform::Machine& machine = s_.platform->machine;
  const AddrRange asked{addr, bytes};
  // Below the lowest and above the highest address: 87, not 487 (measured on Wine 8.0).
  if ((addr && addr.value() < machine.user_start) || bytes > machine.user_end ||
      addr.value() > machine.user_end - bytes) {
    return Refused(Rule::kOutOfUserRange, machine.errors.out_of_range, asked);
  }
  // The base goes down to a granule, the end up to a page (measured on Wine 8.0: 0x2000abcd, 0xc000 bytes).
  const Addr hint = s_.placement.Effective(addr);
  const uint64_t length = RoundUp(addr.value() + bytes, machine.os_page_bytes) - hint.value();
  const auto place = s_.placement.Choose(s_.space, hint, length);
  if (!place) {
    return addr ? Refused(Rule::kAddressTaken, machine.errors.address_taken, asked)
                : Refused(Rule::kAddressSpaceExhausted, machine.errors.out_of_memory, asked);
  }
  MappingTraits traits;
  traits.origin = place->value();
  s_.space.Insert({*place, length}, traits);
  return AddrRange{*place, length};
}

// Every page of `range`, which lies in one reservation, gets `traits` (its origin stays).
void ReserveCalls::SetRange(AddrRange range, const MappingTraits& traits) {
  for (Addr at = range.start; at < range.end();) {
    const AddressSpace::Id id = s_.space.Containing(at);
    const Mapping m = s_.space.mapping(id);
    const Addr end = std::min(m.end, range.end());
    MappingTraits changed = traits;
    changed.origin = m.traits.origin;
    if (changed != m.traits) s_.space.SetTraits(id, {at, end - at}, changed);
    at = end;
  }
  s_.AccessChanged(range);
}

OsResult<Done> ReserveCalls::Commit(AddrRange range, uint32_t protection) {
  const ErrorNumbers& errors = s_.platform->machine.errors;
  const auto reservation = ReservationOf(range.start);
  if (!reservation || !reservation->Contains(range)) {
    return Refused(Rule::kInvalidArgument, errors.address_taken, range);
  }
  MappingTraits traits;
  SetAccess(protection, &traits);
  traits.charged = true;
  uint64_t committed_bytes = 0;
  for (AddressSpace::Id id = s_.space.Containing(range.start);
       id != AddressSpace::kNone && s_.space.mapping(id).start < range.end(); id = s_.space.Next(id)) {
    const Mapping& m = s_.space.mapping(id);
    if (m.traits.charged) committed_bytes += std::min(m.end, range.end()) - std::max(m.start, range.start);
  }
  Refusal refusal = s_.limits.CheckCommit(s_.space.totals(), range.bytes - committed_bytes);
  if (refusal.rule != Rule::kNone) {
    refusal.wanted = range.start;
    return refusal;
  }
  SetRange(range, traits);
  return Done();
}

OsResult<Done> ReserveCalls::Decommit(AddrRange range) {
  SetRange(range, MappingTraits());
  s_.DropPages(range);
  return Done();
}

OsResult<Addr> ReserveCalls::VirtualAlloc(Addr addr, uint64_t bytes, uint32_t type, uint32_t protection) {
  const Platform::Machine& machine = s_.platform->machine;
  const AddrRange asked{addr, bytes};
  MappingTraits ignored;
  if (bytes == 0 || (type & (kMemCommit | kMemReserve)) == 0 || (type & ~(kMemCommit | kMemReserve)) != 0 ||
      !SetAccess(protection, &ignored) || addr.value() + bytes < addr.value()) {
    return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  }
  AddrRange pages{RoundDown(addr, machine.os_page_bytes), 0};
  pages.bytes = RoundUp(addr.value() + bytes, machine.os_page_bytes) - pages.start.value();
  // Committing nowhere in particular reserves as well (measured on Wine 8.0).
  const bool reserve = (type & kMemReserve) != 0 || !addr;
  if (reserve) {
    const OsResult<AddrRange> reserved = Reserve(addr, bytes);
    if (!reserved.ok()) return reserved.refusal();
    pages = reserved.value();
  }
  if ((type & kMemCommit) == 0) return pages.start;
  const OsResult<Done> committed = Commit(pages, protection);
  if (committed.ok()) return pages.start;
  if (reserve) s_.space.Remove(pages);
  return committed.refusal();
}

OsResult<Done> ReserveCalls::VirtualFree(Addr addr, uint64_t bytes, uint32_t type) {
  const Platform::Machine& machine = s_.platform->machine;
  const AddrRange asked{addr, bytes};
  const Refusal bad_argument = Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  const Refusal bad_address = Refused(Rule::kInvalidArgument, machine.errors.address_taken, asked);
  if (type != kMemDecommit && type != kMemRelease) return bad_argument;
  const auto reservation = ReservationOf(addr);
  if (!reservation) return bad_argument;
  if (type == kMemRelease) {
    if (bytes != 0) return bad_argument;
    if (addr != reservation->start) return bad_address;
    s_.space.Remove(*reservation);
    s_.DropPages(*reservation);
    return Done();
  }
  // Size 0 means the whole reservation, and only at its base.
  if (bytes == 0) return addr == reservation->start ? Decommit(*reservation) : OsResult<Done>(bad_address);
  AddrRange pages{RoundDown(addr, machine.os_page_bytes), 0};
  pages.bytes = RoundUp(addr.value() + bytes, machine.os_page_bytes) - pages.start.value();
  return reservation->Contains(pages) ? Decommit(pages) : OsResult<Done>(bad_argument);
}

}  // namespace reheap
