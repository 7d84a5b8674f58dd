#include "sim/os/page_faults.h"

#include <algorithm>

#include "sim/os/region_calls.h"

namespace reheap {
namespace {

constexpr bool IsAccessible(const MappingTraits& t) { return t.read || t.write || t.execute; }

constexpr bool IsFileBacked(const MappingTraits& t) {
  return t.object != MemoryObjects::kNone || t.kind == MappingKind::kFile || t.kind == MappingKind::kSpecial;
}

}  // namespace

TouchOutcome PageFaults::Access(Addr a, bool write) {
  if (s_.killed.rule != Rule::kNone) return TouchOutcome::kOutOfMemoryKill;
  AddressSpace::Id id = s_.space.Containing(a);
  if (id == AddressSpace::kNone || s_.space.mapping(id).traits.kind == MappingKind::kStackGap) {
    id = stack_growth_.GrowTo(a);
  }
  if (id == AddressSpace::kNone) return TouchOutcome::kFault;
  const MappingTraits& traits = s_.space.mapping(id).traits;
  // access_error, arch/x86/mm/fault.c, linux 6.12: what may be accessed in any way may be read.
  if (write ? !traits.write : !IsAccessible(traits)) {
    DropGuard(&s_, id, a);
    return TouchOutcome::kFault;
  }
  if (!s_.resident.HasAnonymous(a)) {
    const TouchOutcome outcome = Fault(id, a, write, false);
    if (outcome != TouchOutcome::kDone) return outcome;
  }
  if (write) s_.resident.NoteWrite(a);
  return TouchOutcome::kDone;
}

TouchOutcome PageFaults::Fault(AddressSpace::Id id, Addr a, bool write, bool blank) {
  const PageState now = s_.resident.At(a);
  if (now == PageState::kGuard) return TouchOutcome::kFault;
  if (now == PageState::kAnonymous) return TouchOutcome::kDone;
  if (now != PageState::kAbsent && !write) return TouchOutcome::kDone;
  return IsFileBacked(s_.space.mapping(id).traits) ? FaultObject(id, a, write, now)
                                                    : FaultPrivate(id, a, write, blank, now);
}

// do_anonymous_page and do_huge_pmd_anonymous_page, linux 6.12.
TouchOutcome PageFaults::FaultPrivate(AddressSpace::Id id, Addr a, bool write, bool blank, PageState now) {
  const Mapping& m = s_.space.mapping(id);
  const Platform::Pages& rules = s_.platform->pages;
  const uint64_t huge_pages = s_.resident.huge_page_bytes() / s_.resident.os_page_bytes();
  if (now == PageState::kAbsent && GetsHugePage(m, a)) {
    // vmf_anon_prepare comes before the question whether it is a read.
    s_.space.NoteFirstWrite(id);
    if (!write) {
      if (!Charge(a, 0)) return TouchOutcome::kOutOfMemoryKill;
      s_.resident.PutHuge(a, PageState::kZero);
      return TouchOutcome::kDone;
    }
    if (MayCharge(a, huge_pages)) {  // else an OS page, as anywhere
      s_.resident.PutHuge(a, PageState::kAnonymous);
      return TouchOutcome::kDone;
    }
  }
  if (!write && rules.zero_page) {
    if (!Charge(a, 0)) return TouchOutcome::kOutOfMemoryKill;
    s_.resident.Put(a, PageState::kZero);
    return TouchOutcome::kDone;
  }
  s_.space.NoteFirstWrite(id);
  if (s_.resident.IsHuge(a)) {  // of zeros, and written to
    if (rules.huge_zero_write_is_huge && MayCharge(a, huge_pages)) {
      s_.resident.Clear({RoundDown(a, s_.resident.huge_page_bytes()), s_.resident.huge_page_bytes()});
      s_.resident.PutHuge(a, PageState::kAnonymous);
      return TouchOutcome::kDone;
    }
    s_.resident.BreakHuge(a);
  }
  if (!Charge(a, 1)) return TouchOutcome::kOutOfMemoryKill;
  s_.resident.Put(a, PageState::kAnonymous, blank);
  return TouchOutcome::kDone;
}

// do_read_fault, do_cow_fault, do_shared_fault and wp_page_copy, mm/memory.c, linux 6.12.
TouchOutcome PageFaults::FaultObject(AddressSpace::Id id, Addr a, bool write, PageState now) {
  const Mapping m = s_.space.mapping(id);
  if (m.traits.kind == MappingKind::kSpecial) return TouchOutcome::kDone;  // the kernel's pages: counted nowhere
  const bool copies = write && !m.traits.shared;
  if (copies) s_.space.NoteFirstWrite(id);
  const bool is_shared_memory = StateBehind(m.traits) == PageState::kShared;
  const uint64_t offset = RoundDown(a, s_.resident.os_page_bytes()).value() - m.traits.origin;
  if (now == PageState::kAbsent) {
    if (s_.IsBeyondObject(m, a)) {
      // The tables above the lowest are there by then (__handle_mm_fault), and what lies around (do_read_fault).
      s_.resident.MakeTables(a, 1);
      if (!write) MapAround(m, a);
      return TouchOutcome::kBusError;
    }
    if (is_shared_memory && !s_.object_pages.Has(m.traits.object, offset)) {
      if (!Charge(a, 1)) return TouchOutcome::kOutOfMemoryKill;
      s_.object_pages.Fill(m.traits.object, offset);
    }
  }
  if (write && !copies && is_shared_memory) s_.object_pages.NoteDirty(m.traits.object, offset);
  if (!Charge(a, copies ? 1 : 0)) return TouchOutcome::kOutOfMemoryKill;
  if (copies) {
    s_.resident.Put(a, PageState::kAnonymous);
  } else if (now == PageState::kAbsent) {
    if (!write) MapAround(m, a);
    s_.resident.Put(a, StateBehind(m.traits));
  }
  return TouchOutcome::kDone;
}

PageState PageFaults::StateBehind(const MappingTraits& traits) const {
  const bool is_shared_memory =
      traits.object != MemoryObjects::kNone && !s_.space.objects()[traits.object].is_file;
  return is_shared_memory ? PageState::kShared : PageState::kFile;
}

// do_fault_around and filemap_map_pages, mm/memory.c and mm/filemap.c, linux 6.12: of one block's length, from the
// start of the aligned block or of the mapping on, within the mapping and its page table, what is in memory and has no
// entry yet.
void PageFaults::MapAround(const Mapping& m, Addr a) {
  const uint64_t page = s_.resident.os_page_bytes(), block = s_.platform->pages.fault_around_bytes;
  if (block <= page) return;
  Addr at = std::max(RoundDown(a, block), m.start);
  const uint64_t table = std::max(block, s_.resident.tables().covered_bytes());
  const Addr end = std::min({at + block, RoundDown(a, table) + table, m.end});
  const PageState state = StateBehind(m.traits);
  for (; at < end; at = at + page) {
    if (s_.resident.At(at) != PageState::kAbsent) continue;
    if (s_.IsBeyondObject(m, at)) break;
    if (state == PageState::kShared && !s_.object_pages.Has(m.traits.object, at.value() - m.traits.origin)) continue;
    s_.resident.Put(at, state);
  }
}

// thp_vma_allowable_orders and thp_vma_suitable_order, include/linux/huge_mm.h, linux 6.12; a page table that is there
// already is filled instead (pmd_none, __handle_mm_fault). Sizes between are "never" unless set up by hand
// (/sys/kernel/mm/transparent_hugepage/hugepages-*kB/enabled): not modelled.
bool PageFaults::GetsHugePage(const Mapping& m, Addr a) const {
  const uint64_t huge = s_.platform->pages.huge_page_bytes;
  const HugePageMode mode = s_.limits.process().thp;
  if (huge == 0 || mode == HugePageMode::kNever || s_.huge_pages_disabled) return false;
  if ((m.traits.flags & kNoHuge) || (mode == HugePageMode::kMadvise && !(m.traits.flags & kHuge)))
    return false;
  const Addr start = RoundDown(a, huge);
  return start >= m.start && start + huge <= m.end && start + huge > start && !s_.resident.HasTable(a);
}

// ---- memory.max ----

bool PageFaults::MayCharge(Addr a, uint64_t pages) {
  if (!s_.limits.process().memory_max_bytes) return true;
  const uint64_t page = s_.resident.os_page_bytes();
  const uint64_t added = (pages + static_cast<uint64_t>(s_.resident.tables().Missing(a))) * page;
  return s_.limits.CheckMemory(s_.ChargedBytes(), added).rule == Rule::kNone;
}

// What was freed lazily goes before anybody dies (shrink_folio_list, mm/vmscan.c, linux 6.12). The kernel takes it by
// batches of its own choice; here as many OS pages as are needed, the lowest first.
bool PageFaults::Charge(Addr a, uint64_t pages) {
  if (MayCharge(a, pages)) return true;
  const uint64_t page = s_.resident.os_page_bytes();
  const uint64_t added = pages + static_cast<uint64_t>(s_.resident.tables().Missing(a));
  s_.NotePeaks();
  s_.resident.TakeLazy(added);
  const Refusal refusal = s_.limits.CheckMemory(s_.ChargedBytes(), added * page);
  if (refusal.rule == Rule::kNone) return true;
  s_.killed = Where(refusal, {a, added * page});
  return false;
}

// ---- the kernel's own accesses ----

TouchOutcome PageFaults::Populate(AddressSpace::Id id, AddrRange range, bool write) {
  if (!MachineHolds(s_.space.mapping(id).traits, range, write)) return TouchOutcome::kOutOfMemoryKill;
  const uint64_t page = s_.resident.os_page_bytes();
  for (Addr at = range.start; at < range.end();) {
    if (IsBlankTable(s_.space.mapping(id), at, range.end(), write)) {
      if (!Charge(at, 0)) return TouchOutcome::kOutOfMemoryKill;
      const uint64_t table = s_.resident.tables().covered_bytes();
      s_.resident.PutAll({at, table}, UncountedState(s_.space.mapping(id).traits, write));
      at = at + table;
      continue;
    }
    const TouchOutcome outcome = Fault(id, at, write, true);
    if (outcome != TouchOutcome::kDone) return outcome;
    if (write) s_.resident.ClearLazy(at);
    at = s_.resident.IsHuge(at) ? RoundDown(at, s_.resident.huge_page_bytes()) + s_.resident.huge_page_bytes()
                                : at + page;
  }
  return TouchOutcome::kDone;
}

PageState PageFaults::UncountedState(const MappingTraits& traits, bool write) const {
  if (traits.kind == MappingKind::kSpecial) return PageState::kAbsent;
  if (!IsFileBacked(traits)) return !write && s_.platform->pages.zero_page ? PageState::kZero : PageState::kAbsent;
  const bool copies = write && !traits.shared;
  return !copies && StateBehind(traits) == PageState::kFile ? PageState::kFile : PageState::kAbsent;
}

// By whole tables, since a terabyte of zero pages is 2^28 faults and no memory but 2 GiB of tables.
bool PageFaults::IsBlankTable(const Mapping& m, Addr at, Addr end, bool write) const {
  const uint64_t table = s_.resident.tables().covered_bytes();
  if (table == 0 || at.value() % table != 0 || end - at < table) return false;
  if (UncountedState(m.traits, write) == PageState::kAbsent) return false;
  const Addr last = at + (table - s_.resident.os_page_bytes());
  return !s_.resident.HasTable(at) && !s_.IsBeyondObject(m, last) && !GetsHugePage(m, at);
}

// When one request alone is for more than RAM and swap, the kernel would fill the machine and then kill somebody
// (out_of_memory, mm/oom_kill.c, linux 6.12): here this process, before the work begins.
bool PageFaults::MachineHolds(const MappingTraits& traits, AddrRange range, bool write) {
  const bool is_counted =
      traits.kind != MappingKind::kSpecial && UncountedState(traits, write) == PageState::kAbsent;
  const uint64_t needed = s_.TableBytesFor(range) + (is_counted ? range.bytes : 0);
  const Refusal refusal = s_.limits.CheckMachine(s_.ChargedBytes(), needed);
  if (refusal.rule == Rule::kNone) return true;
  s_.killed = Where(refusal, range);
  return false;
}

// __mm_populate and populate_vma_page_range, mm/gup.c, linux 6.12.
TouchOutcome PageFaults::PopulateMapped(AddrRange range, bool ignore_errors) {
  for (AddressSpace::Id id = s_.space.FirstEndingAbove(range.start);
       id != AddressSpace::kNone && s_.space.mapping(id).start < range.end(); id = s_.space.Next(id)) {
    const Mapping m = s_.space.mapping(id);
    if ((m.traits.flags & kLockOnFault) || m.traits.kind == MappingKind::kSpecial) continue;
    const Addr start = std::max(m.start, range.start), end = std::min(m.end, range.end());
    const TouchOutcome outcome = IsAccessible(m.traits)
                                     ? Populate(id, {start, end - start}, m.traits.write && !m.traits.shared)
                                     : TouchOutcome::kFault;
    if (outcome == TouchOutcome::kOutOfMemoryKill || (outcome != TouchOutcome::kDone && !ignore_errors)) return outcome;
  }
  return TouchOutcome::kDone;
}

}  // namespace reheap
