#include "sim/os/advice_calls.h"

#include <algorithm>
#include <vector>

namespace reheap {
namespace {

struct FlagChange {
  uint32_t set;
  uint32_t clear;
};

// madvise_vma_behavior, mm/madvise.c, linux 6.12.
std::optional<FlagChange> FlagChangeOf(AdviceMeaning meaning) {
  switch (meaning) {
    case AdviceMeaning::kReadNormally:
      return FlagChange{0, kReadRandomly | kReadInSequence};
    case AdviceMeaning::kReadRandomly:
      return FlagChange{kReadRandomly, kReadInSequence};
    case AdviceMeaning::kReadInSequence:
      return FlagChange{kReadInSequence, kReadRandomly};
    case AdviceMeaning::kHugePages:
      return FlagChange{kHuge, kNoHuge};
    case AdviceMeaning::kNoHugePages:
      return FlagChange{kNoHuge, kHuge};
    case AdviceMeaning::kDontDump:
      return FlagChange{kNotDumped, 0};
    case AdviceMeaning::kDump:
      return FlagChange{0, kNotDumped};
    case AdviceMeaning::kDontFork:
      return FlagChange{kNotForked, 0};
    case AdviceMeaning::kFork:
      return FlagChange{0, kNotForked};
    case AdviceMeaning::kWipeOnFork:
      return FlagChange{kWipedOnFork, 0};
    case AdviceMeaning::kKeepOnFork:
      return FlagChange{0, kWipedOnFork};
    case AdviceMeaning::kMergeSame:
      return FlagChange{kMergeable, 0};
    case AdviceMeaning::kUnmergeSame:
      return FlagChange{0, kMergeable};
    default:
      return std::nullopt;
  }
}

// At once or some time.
bool GivesBack(AdviceMeaning meaning) {
  switch (meaning) {
    case AdviceMeaning::kDiscard:
    case AdviceMeaning::kDiscardLocked:
    case AdviceMeaning::kFreeLazily:
    case AdviceMeaning::kFreeReusable:
    case AdviceMeaning::kDeactivate:
    case AdviceMeaning::kPageOut:
      return true;
    default:
      return false;
  }
}

// Whether the contents go, for the process or for its children (is_discard, mm/madvise.c, linux 6.18).
bool TakesContents(AdviceMeaning meaning) {
  switch (meaning) {
    case AdviceMeaning::kDiscard:
    case AdviceMeaning::kDiscardLocked:
    case AdviceMeaning::kFreeLazily:
    case AdviceMeaning::kRemove:
    case AdviceMeaning::kDontFork:
    case AdviceMeaning::kWipeOnFork:
    case AdviceMeaning::kInstallGuard:
      return true;
    default:
      return false;
  }
}

// Whether a word that gives pages back is for such memory (madvise_dontneed_free, mm/madvise.c, linux 6.12).
bool Suits(const MappingTraits& traits, AdviceMeaning meaning) {
  const bool is_lazy = meaning == AdviceMeaning::kFreeLazily || meaning == AdviceMeaning::kFreeReusable;
  return traits.kind != MappingKind::kSpecial && (!is_lazy || IsPrivateAnonymous(traits)) &&
         (!(traits.flags & kLocked) || meaning == AdviceMeaning::kDiscardLocked);
}

}  // namespace

Refusal AdviceCalls::Invalid(AddrRange range) const {
  return Refused(Rule::kInvalidArgument, s_.platform->machine.errors.invalid_argument, range);
}

std::optional<AdviceMeaning> AdviceCalls::MeaningOf(int advice) const {
  for (const AdviceWord& word : s_.platform->advice) {
    if (word.number == advice) return word.meaning;
  }
  if (!s_.platform->advice.empty() || advice != s_.platform->machine.bits.advice_discard) return std::nullopt;
  return s_.platform->mappings.discard == DiscardRule::kDroppedAtOnce ? AdviceMeaning::kDiscard
                                                                      : AdviceMeaning::kFreeLazily;
}

// do_madvise and madvise_walk_vmas, mm/madvise.c, linux 6.12.
OsResult<Done> AdviceCalls::Madvise(Addr addr, uint64_t bytes, int advice) {
  const Platform::Machine& machine = s_.platform->machine;
  if (s_.platform->unaligned_advice_rounded_down) {
    bytes = bytes == 0 ? 0 : bytes + addr.value() % machine.os_page_bytes;
    addr = RoundDown(addr, machine.os_page_bytes);
  }
  const AddrRange range{addr, RoundUp(bytes, machine.os_page_bytes)};
  const std::optional<AdviceMeaning> meaning = MeaningOf(advice);
  if (!meaning || addr.value() % machine.os_page_bytes != 0 || (bytes != 0 && range.bytes == 0) ||
      range.end() < range.start) {
    return Invalid({addr, bytes});
  }
  if (range.empty()) return Done();
  switch (*meaning) {
    case AdviceMeaning::kPopulateRead:
    case AdviceMeaning::kPopulateWrite:
      if (s_.platform->populates_behind_holes) break;
      return PopulateToHole(range, *meaning == AdviceMeaning::kPopulateWrite);
    case AdviceMeaning::kPoison:
      return Refused(Rule::kPrivilege, machine.errors.privilege, range);
    case AdviceMeaning::kUnsupported:
      return Refused(Rule::kInvalidArgument, machine.errors.not_supported, range);
    default:
      break;
  }
  bool hole = false;
  Addr at = range.start;
  for (AddressSpace::Id id = s_.space.FirstEndingAbove(at);
       id != AddressSpace::kNone && s_.space.mapping(id).start < range.end(); id = s_.space.FirstEndingAbove(at)) {
    const Mapping m = s_.space.mapping(id);
    hole |= m.start > at;
    const Addr start = std::max(at, m.start), end = std::min(m.end, range.end());
    if (const Refusal r = Advise(&id, {start, end - start}, *meaning); r.rule != Rule::kNone) return r;
    at = end;
    if (at >= range.end()) break;
  }
  hole |= at < range.end();
  if (s_.platform->holes_seen_when_given_back && !GivesBack(*meaning)) hole = false;
  // A hole is an error after the rest is done.
  if (hole && s_.platform->mappings.advise_hole_error != 0) {
    return Refused(Rule::kOutOfUserRange, s_.platform->mappings.advise_hole_error, {addr, bytes});
  }
  return Done();
}

Refusal AdviceCalls::Advise(AddressSpace::Id* id, AddrRange piece, AdviceMeaning meaning) {
  const Mapping m = s_.space.mapping(*id);
  // Who may write may take the contents as well (can_madvise_modify, mm/madvise.c, linux 6.18).
  if (IsSealed(m.traits) && TakesContents(meaning) && IsPrivateAnonymous(m.traits) && !m.traits.write) {
    return Refused(Rule::kPrivilege, s_.platform->machine.errors.privilege, piece);
  }
  if (GivesBack(meaning)) return Discard(m, piece, meaning);
  switch (meaning) {
    case AdviceMeaning::kReuse:
      s_.resident.ClearReusable(piece);
      return Refusal();
    case AdviceMeaning::kInstallGuard:
      return InstallGuard(*id, piece);
    case AdviceMeaning::kRemoveGuard:
      if (m.traits.kind == MappingKind::kSpecial) return Invalid(piece);
      s_.resident.ClearGuards(piece);
      return Refusal();
    case AdviceMeaning::kRemove:
      return Remove(m, piece);
    case AdviceMeaning::kPopulateRead:
    case AdviceMeaning::kPopulateWrite:
      return Populate(*id, piece, meaning == AdviceMeaning::kPopulateWrite);
    case AdviceMeaning::kCollapse:
      return Collapse(*id, piece);
    default:
      return SetFlags(id, piece, meaning);
  }
}

// madvise_dontneed_free, madvise_cold and madvise_pageout, mm/madvise.c, linux 6.12.
Refusal AdviceCalls::Discard(const Mapping& m, AddrRange piece, AdviceMeaning meaning) {
  // A platform that lists no words has no rules about whose memory they are for, either.
  if (!s_.platform->advice.empty() && !Suits(m.traits, meaning)) {
    if (s_.platform->unfit_advice_passed_over) return Refusal();
    Refusal refusal = Invalid(piece);
    if (const int error = s_.platform->unfit_advice_error; error != 0) refusal.os_error = error;
    return refusal;
  }
  switch (meaning) {
    case AdviceMeaning::kFreeReusable:
      s_.resident.MarkReusable(piece);
      [[fallthrough]];
    case AdviceMeaning::kFreeLazily:
      s_.NotePeaks();
      s_.resident.MarkLazy(piece);
      s_.ForgetContents(piece);
      return Refusal();
    case AdviceMeaning::kDeactivate:
      s_.NotePeaks();
      s_.resident.SplitFolios(piece);
      return Refusal();
    case AdviceMeaning::kPageOut:
      PageOut(m, piece);
      return Refusal();
    default:
      s_.NotePeaks();
      s_.resident.ClearButGuards(piece);
      if (s_.platform->pages.discard_frees_tables) s_.resident.DropEmptyTables(piece);
      s_.ForgetContents(piece);
      return Refusal();
  }
}

// Without swap, private memory goes only when it was freed lazily, or is MAP_DROPPABLE. Shared memory loses its mapping in any case, and its
// page when nobody wrote it (shrink_folio_list, mm/vmscan.c, linux 6.12; measured on 6.18). Pages that are mapped
// elsewhere, too, are left alone (madvise_cold_or_pageout_pte_range).
void AdviceCalls::PageOut(const Mapping& m, AddrRange piece) {
  s_.NotePeaks();
  s_.resident.SplitFolios(piece);
  s_.resident.TakeLazyIn(piece);
  if (m.traits.flags & kDroppable) s_.resident.ClearButGuards(piece);
  std::vector<Addr> mapped;
  for (const PageState state : {PageState::kShared, PageState::kFile}) {
    s_.resident.ForEach(state, piece, [&](Addr a) { mapped.push_back(a); });
  }
  for (const Addr a : mapped) {
    const uint64_t offset = a.value() - m.traits.origin;
    if (m.traits.object != MemoryObjects::kNone && s_.CountMapped(m.traits.object, offset) > 1) continue;
    s_.resident.ClearButGuards({a, s_.resident.os_page_bytes()});
    if (m.traits.object != MemoryObjects::kNone && !s_.object_pages.IsDirty(m.traits.object, offset)) {
      s_.object_pages.Punch(m.traits.object, offset, s_.resident.os_page_bytes());
    }
  }
}

// madvise_guard_install, mm/madvise.c, linux 6.18: what is there goes, every page gets a marker, and an anonymous
// mapping counts as written to from then on (a shared one does not: measured).
Refusal AdviceCalls::InstallGuard(AddressSpace::Id id, AddrRange piece) {
  const Mapping& m = s_.space.mapping(id);
  if (m.traits.kind == MappingKind::kSpecial || (m.traits.flags & kLocked)) return Invalid(piece);
  // The markers stand in page tables, which must fit into the machine.
  const Refusal refusal = s_.limits.CheckMachine(s_.ChargedBytes(), s_.TableBytesFor(piece));
  if (refusal.rule != Rule::kNone) return s_.killed = Where(refusal, piece);
  if (IsPrivateAnonymous(m.traits)) s_.space.NoteFirstWrite(id);
  s_.NotePeaks();
  s_.resident.ClearButGuards(piece);
  s_.resident.PutAll(piece, PageState::kGuard);
  s_.ForgetContents(piece);
  return Refusal();
}

// madvise_remove, mm/madvise.c, linux 6.12.
Refusal AdviceCalls::Remove(const Mapping& m, AddrRange piece) {
  if ((m.traits.flags & kLocked) || m.traits.object == MemoryObjects::kNone) return Invalid(piece);
  if (!m.traits.shared) return Refused(Rule::kPrivilege, s_.platform->machine.errors.no_access, piece);
  s_.RemoveShared(m.traits.object, piece.start.value() - m.traits.origin, piece.bytes);
  return Refusal();
}

// madvise_collapse, mm/khugepaged.c, linux 6.12.
Refusal AdviceCalls::Collapse(AddressSpace::Id id, AddrRange piece) {
  const Mapping& m = s_.space.mapping(id);
  const uint64_t huge = s_.platform->pages.huge_page_bytes;
  if (huge == 0 || !IsPrivateAnonymous(m.traits) || (m.traits.flags & kNoHuge) || s_.huge_pages_disabled ||
      m.writer == 0 || RoundDown(m.end, huge) < RoundUp(m.start, huge) + huge) {
    return Invalid(piece);
  }
  // Not even one whole huge page in the range counts as failure, an empty range of them does not.
  const Addr first = RoundUp(piece.start, huge), end = RoundDown(piece.end(), huge);
  bool all = first <= end;
  for (Addr at = first; at < end; at = at + huge) all &= s_.resident.Collapse(at);
  return all ? Refusal() : Invalid(piece);
}

Refusal AdviceCalls::SetFlags(AddressSpace::Id* id, AddrRange piece, AdviceMeaning meaning) {
  const Mapping m = s_.space.mapping(*id);
  const bool is_special = m.traits.kind == MappingKind::kSpecial;
  const std::optional<FlagChange> change = FlagChangeOf(meaning);
  if (!change) return Refusal();
  if (is_special && (meaning == AdviceMeaning::kDump || meaning == AdviceMeaning::kFork)) return Invalid(piece);
  const bool would_keep = meaning == AdviceMeaning::kDump || meaning == AdviceMeaning::kKeepOnFork;
  if ((m.traits.flags & kDroppable) && would_keep) return Invalid(piece);
  if (meaning == AdviceMeaning::kWipeOnFork && !IsPrivateAnonymous(m.traits)) return Invalid(piece);
  // ksm_madvise, mm/ksm.c: ignored where it cannot be.
  if (meaning == AdviceMeaning::kMergeSame && (m.traits.shared || is_special)) return Refusal();
  MappingTraits traits = m.traits;
  traits.flags = (traits.flags & ~change->clear) | change->set;
  Refusal refusal = ChangeTraits(s_, id, piece, traits);
  // What is ENOMEM elsewhere is EAGAIN here.
  if (refusal.rule != Rule::kNone) refusal.os_error = s_.platform->machine.errors.try_again;
  return refusal;
}

// madvise_populate and faultin_page_range, mm/madvise.c and mm/gup.c, linux 6.12: page by page, up to the first that
// does not come. 6.1 asks for each mapping of the range by itself (madvise_walk_vmas).
OsResult<Done> AdviceCalls::PopulateToHole(AddrRange range, bool write) {
  for (Addr at = range.start; at < range.end();) {
    const AddressSpace::Id id = s_.space.Containing(at);
    if (id == AddressSpace::kNone) {
      return Refused(Rule::kOutOfUserRange, s_.platform->machine.errors.out_of_memory, range);
    }
    const Addr end = std::min(s_.space.mapping(id).end, range.end());
    if (const Refusal r = Populate(id, {at, end - at}, write); r.rule != Rule::kNone) return r;
    at = end;
  }
  return Done();
}

Refusal AdviceCalls::Populate(AddressSpace::Id id, AddrRange piece, bool write) {
  const MappingTraits& traits = s_.space.mapping(id).traits;
  if (traits.kind == MappingKind::kSpecial || !(write ? traits.write : traits.read)) return Invalid(piece);
  switch (faults_.Populate(id, piece, write)) {
    case TouchOutcome::kDone:
      return Refusal();
    case TouchOutcome::kOutOfMemoryKill:
      return s_.killed;
    default:
      return Refused(Rule::kInvalidArgument, s_.platform->machine.errors.bad_address, piece);
  }
}

}  // namespace reheap
