#include "sim/os/reserve_calls.h"

#include <bit>

#include "sim/os/reservations.h"

namespace reheap {

uint32_t AccessProtection(int protection) {
  if (protection & kProtExecute) return kPageExecuteReadWrite;
  return protection & kProtWrite ? kPageReadWrite : kPageNoAccess;
}

// ---- charges ----

Refusal ReserveCalls::CheckCommit(uint64_t bytes) const {
  MappingTotals totals = s_.space.totals();
  totals.charged_bytes += s_.table_charge_bytes;
  return s_.limits.CheckCommit(totals, bytes);
}

uint64_t ReserveCalls::TableCharge(uint64_t bytes) const {
  const uint64_t share = s_.platform->reservations.bytes_per_charged_byte;
  const uint64_t page_bytes = s_.platform->machine.os_page_bytes;
  return share == 0 ? 0 : RoundUp(bytes, share * page_bytes) / share;
}

uint64_t ReserveCalls::RecountTableCharge() const {
  uint64_t bytes = 0;
  for (auto id = s_.space.First(); id != AddressSpace::kNone; id = s_.space.Next(id)) {
    const Mapping& m = s_.space.mapping(id);
    const bool is_reserved =
        m.traits.kind == MappingKind::kAnonymous || m.traits.kind == MappingKind::kWindow;
    if (is_reserved && m.start.value() == m.traits.origin) {
      bytes += TableCharge(AllocationOf(s_.space, id).bytes);
    }
  }
  return bytes;
}

// ---- VirtualAlloc ----

// NtAllocateVirtualMemory, ntoskrnl/mm/ARM3/virtual.c, ReactOS (written after Windows Server 2003), in its
// order; MEM_RESET_UNDO: Microsoft, VirtualAlloc ("cannot be used with any other value"). The checks of the
// address: VirtualAllocEx of its kernel32, and NtAllocateVirtualMemory.
Refusal ReserveCalls::CheckArguments(AddrRange asked, uint32_t type, uint32_t protection) const {
  const Platform::Machine& machine = s_.platform->machine;
  const Refusal invalid = Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  const uint32_t undo = s_.platform->reservations.reset_undo ? kMemResetUndo : 0;
  const uint32_t purposes = type & (kMemCommit | kMemReserve | kMemReset | undo);
  const uint32_t options = type & (kMemTopDown | kMemWriteWatch | kMemPhysical | kMemLargePages);
  if (type != (purposes | options) || purposes == 0) return invalid;
  if ((purposes & (kMemReset | kMemResetUndo)) != 0 && !std::has_single_bit(type)) return invalid;
  if (options & kMemLargePages) {
    // Microsoft, VirtualAlloc: "you must also specify MEM_RESERVE and MEM_COMMIT".
    if (purposes != (kMemReserve | kMemCommit)) return invalid;
    if ((options & ~kMemTopDown) != kMemLargePages) return invalid;
  }
  if ((options & kMemWriteWatch) != 0 && (purposes & kMemReserve) == 0) return invalid;
  if (options & kMemPhysical) {
    if (purposes != kMemReserve || (options & ~kMemTopDown) != kMemPhysical) return invalid;
    if (protection != kPageReadWrite) return invalid;
  }
  if (!IsValidProtection(protection)) return invalid;
  const bool is_below = asked.start && asked.start.value() < machine.user_start;
  if (is_below || asked.start.value() >= machine.user_end ||
      asked.bytes > machine.user_end - asked.start.value()) {
    return Refused(Rule::kOutOfUserRange, machine.errors.out_of_range, asked);
  }
  if (asked.bytes == 0) return invalid;
  if (options & kMemLargePages) return Refused(Rule::kPrivilege, machine.errors.privilege, asked);
  return Refusal();
}

OsResult<AddrRange> ReserveCalls::Reserve(AddrRange asked, uint32_t type, uint32_t protection) {
  const Platform::Machine& machine = s_.platform->machine;
  if (IsCopyOnWrite(protection)) {
    return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  }
  // The base goes down to a granule, the end up to a page (NtAllocateVirtualMemory, ReactOS; measured on Wine
  // 8.0: 0x2000abcd + 4096 gives 0x20000000, 0xc000 bytes).
  const Addr hint = s_.placement.Effective(asked.start);
  const uint64_t length = RoundUp(asked.start.value() + asked.bytes, machine.os_page_bytes) - hint.value();
  const bool from_top = (type & kMemTopDown) != 0 && !hint;
  const auto place =
      from_top ? s_.placement.HighestGranule(s_.space, length) : s_.placement.Choose(s_.space, hint, length);
  if (!place) {
    return hint ? Refused(Rule::kAddressTaken, machine.errors.address_taken, asked)
                : Refused(Rule::kAddressSpaceExhausted, machine.errors.out_of_memory, asked);
  }
  const uint64_t table_charge = TableCharge(length);
  if (const Refusal r = CheckCommit(table_charge); table_charge != 0 && r.rule != Rule::kNone) {
    return Where(r, asked);
  }
  s_.table_charge_bytes += table_charge;
  MappingTraits traits;
  if (type & kMemPhysical) traits.kind = MappingKind::kWindow;
  traits.origin = place->value();
  traits.allocation_protection = static_cast<uint16_t>(protection);
  s_.space.Insert({*place, length}, traits);
  return AddrRange{*place, length};
}

OsResult<Done> ReserveCalls::Commit(AddrRange range, uint32_t protection) {
  uint64_t committed_bytes = 0;
  ForEachPiece(s_.space, range, [&committed_bytes](AddrRange piece, const Mapping& m) {
    if (m.traits.charged) committed_bytes += piece.bytes;
    return true;
  });
  const Refusal refusal = CheckCommit(range.bytes - committed_bytes);
  if (refusal.rule != Rule::kNone) return Where(refusal, range);
  // Contents of what is committed already stay; its protection becomes the new one (measured on Wine 8.0).
  ChangePieces(&s_.space, range, [protection](MappingTraits* traits) {
    SetProtection(protection, traits);
    traits->charged = true;
  });
  s_.AccessChanged(range);
  return Done();
}

OsResult<Addr> ReserveCalls::VirtualAlloc(Addr addr, uint64_t bytes, uint32_t type, uint32_t protection) {
  const ErrorNumbers& errors = s_.platform->machine.errors;
  const AddrRange asked{addr, bytes};
  if (const Refusal r = CheckArguments(asked, type, protection); r.rule != Rule::kNone) return r;
  // Without an address it reserves, whatever the type says (NtAllocateVirtualMemory, ReactOS; Wine 8.0).
  if (!addr || (type & kMemReserve) != 0) {
    const OsResult<AddrRange> reserved = Reserve(asked, type, protection);
    if (!reserved.ok()) return reserved.refusal();
    if ((type & kMemCommit) != 0) {
      const OsResult<Done> committed = Commit(reserved.value(), protection);
      if (!committed.ok()) {
        s_.table_charge_bytes -= TableCharge(reserved.value().bytes);
        s_.space.Remove(reserved.value());
        return Where(committed.refusal(), {addr, reserved.value().bytes});
      }
    }
    return reserved.value().start;
  }
  const AddrRange range = WholePages(addr, bytes, s_.platform->machine.os_page_bytes);
  const AddressSpace::Id id = s_.space.Containing(range.start);
  if (!IsInOneAllocation(s_.space, range) || s_.space.mapping(id).traits.kind != MappingKind::kAnonymous) {
    return Refused(Rule::kNotReserved, errors.address_taken, asked);
  }
  // Reset: what the pages hold may be lost under pressure, and is not written to the page file; they stay
  // committed and charged (Microsoft, VirtualAlloc). Undo finds them intact.
  if ((type & kMemCommit) == 0) return range.start;
  if (IsCopyOnWrite(protection)) return Refused(Rule::kInvalidArgument, errors.invalid_argument, asked);
  const OsResult<Done> committed = Commit(range, protection);
  return committed.ok() ? OsResult<Addr>(range.start) : committed.refusal();
}

OsResult<Addr> ReserveCalls::AllocateNear(AddrRange wanted, uint32_t type, uint32_t protection,
                                          bool is_hint) {
  const OsResult<Addr> got = VirtualAlloc(wanted.start, wanted.bytes, type, protection);
  if (got.ok() || !is_hint || got.refusal().rule != Rule::kAddressTaken) return got;
  return VirtualAlloc(Addr(), wanted.bytes, type, protection);
}

// ---- VirtualFree ----

void ReserveCalls::Decommit(AddrRange range) {
  ChangePieces(&s_.space, range, [](MappingTraits* traits) {
    SetProtection(0, traits);
    traits->charged = false;
  });
  s_.DropPages(range);
}

// NtFreeVirtualMemory, ntoskrnl/mm/ARM3/virtual.c, ReactOS: nothing there is MEMORY_NOT_ALLOCATED (487), past
// the end UNABLE_TO_FREE_VM (87), not the base FREE_VM_NOT_AT_BASE (487). The base is compared as a page:
// dlls/ntdll/tests/virtual.c of Wine passes base + 0xffe on Windows.
OsResult<Done> ReserveCalls::VirtualFree(Addr addr, uint64_t bytes, uint32_t type) {
  const Platform::Machine& machine = s_.platform->machine;
  const AddrRange asked{addr, bytes};
  const Refusal bad_argument = Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  const Refusal bad_address = Refused(Rule::kNotReserved, machine.errors.address_taken, asked);
  if (type != kMemDecommit && type != kMemRelease) return bad_argument;
  if (type == kMemRelease && bytes != 0) return bad_argument;  // kernel32's VirtualFreeEx
  if (addr.value() >= machine.user_end || bytes > machine.user_end - addr.value()) return bad_argument;
  const AddrRange range = WholePages(addr, bytes, machine.os_page_bytes);
  const AddressSpace::Id id = s_.space.Containing(range.start);
  if (id == AddressSpace::kNone) return bad_address;
  const MappingTraits traits = s_.space.mapping(id).traits;
  const bool is_window = traits.kind == MappingKind::kWindow;
  if (traits.kind != MappingKind::kAnonymous && !is_window) return bad_argument;
  if (bytes != 0) {
    if (!IsInOneAllocation(s_.space, range)) return bad_argument;
    if (is_window) return bad_address;
    Decommit(range);
    return Done();
  }
  if (range.start.value() != traits.origin) return bad_address;
  const AddrRange whole = AllocationOf(s_.space, id);
  if (type == kMemDecommit) {
    if (is_window) return bad_address;
    Decommit(whole);
    return Done();
  }
  s_.table_charge_bytes -= TableCharge(whole.bytes);
  s_.space.Remove(whole);
  s_.DropPages(whole);
  return Done();
}

}  // namespace reheap
