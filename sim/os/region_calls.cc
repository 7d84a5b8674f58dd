#include "sim/os/region_calls.h"

#include "sim/os/reservations.h"

namespace reheap {

// NtProtectVirtualMemory and MiProtectVirtualMemory, ntoskrnl/mm/ARM3/virtual.c, ReactOS (written after
// Windows Server 2003), in their order: CONFLICTING_ADDRESSES and NOT_COMMITTED are both error 487. Unlike
// that source's, PAGE_WRITECOMBINE is taken, as Microsoft's "Memory Protection Constants" says.
OsResult<Done> RegionCalls::VirtualProtect(Addr addr, uint64_t bytes, uint32_t protection, uint32_t* old) {
  const Platform::Machine& machine = s_.platform->machine;
  const AddrRange asked{addr, bytes};
  const Refusal bad_argument = Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  if (!IsValidProtection(protection)) return bad_argument;
  if (addr.value() >= machine.user_end || bytes > machine.user_end - addr.value() || bytes == 0) {
    return bad_argument;
  }
  const AddrRange range = WholePages(addr, bytes, machine.os_page_bytes);
  if (!IsInOneAllocation(s_.space, range)) {
    return Refused(Rule::kNotReserved, machine.errors.address_taken, asked);
  }
  const MappingTraits first = s_.space.mapping(s_.space.Containing(range.start)).traits;
  if (IsCopyOnWrite(protection) && first.kind != MappingKind::kFile) return bad_argument;
  const bool is_committed = ForEachPiece(
      s_.space, range, [](AddrRange, const Mapping& m) { return m.traits.page_protection != 0; });
  if (!is_committed) return Refused(Rule::kNotCommitted, machine.errors.address_taken, asked);
  if (old != nullptr) *old = first.page_protection;
  ChangePieces(&s_.space, range, [protection](MappingTraits* traits) { SetProtection(protection, traits); });
  s_.AccessChanged(range);
  return Done();
}

// MiQueryMemoryBasicInformation, ntoskrnl/mm/ARM3/virtual.c, ReactOS; each field measured on Wine 8.0.
OsResult<RegionInfo> RegionCalls::VirtualQuery(Addr addr) const {
  const Platform::Machine& machine = s_.platform->machine;
  if (addr.value() >= machine.user_end) {
    return Refused(Rule::kOutOfUserRange, machine.errors.invalid_argument, {addr, 0});
  }
  RegionInfo info;
  info.base = RoundDown(addr, machine.os_page_bytes);
  const AddressSpace::Id id = s_.space.FirstEndingAbove(addr);
  if (id == AddressSpace::kNone || s_.space.mapping(id).start > addr) {
    const Addr end = id == AddressSpace::kNone ? Addr(machine.user_end) : s_.space.mapping(id).start;
    info.region_bytes = end - info.base;
    info.protection = kPageNoAccess;
    return info;
  }
  const Mapping& m = s_.space.mapping(id);
  info.allocation_base = Addr(m.traits.origin);
  info.allocation_protection = m.traits.allocation_protection;
  info.region_bytes = m.end - info.base;
  info.state = m.traits.page_protection == 0 ? kMemReserve : kMemCommit;
  info.protection = m.traits.page_protection;
  info.type = m.traits.kind == MappingKind::kFile ? kMemImage : kMemPrivate;
  return info;
}

void DropGuard(ProcessState* state, AddressSpace::Id id, Addr a) {
  MappingTraits traits = state->space.mapping(id).traits;
  if ((traits.page_protection & kPageGuard) == 0) return;
  SetProtection(traits.page_protection & ~kPageGuard, &traits);
  const uint64_t page_bytes = state->platform->machine.os_page_bytes;
  const AddrRange page{RoundDown(a, page_bytes), page_bytes};
  state->space.SetTraits(id, page, traits);
  state->AccessChanged(page);
}

}  // namespace reheap
