#include "sim/replay/foreign_mappings.h"

#include <algorithm>
#include <iterator>

#include "alloc/check.h"

namespace reheap {
namespace {

// No process has an address beyond.
constexpr uint64_t kAddressLimit = uint64_t{1} << 63;
// Stacks of ended threads are kept for new ones up to this (stack_cache_maxsize, nptl/nptl-stack.c and
// allocatestack.c, glibc 2.31 to 2.42; measured on 2.36: ten threads of 8 MiB leave four stacks).
constexpr uint64_t kUnusedStackBytes = 40 * kMiB;

bool IsRange(uint64_t start, uint64_t bytes) {
  return bytes != 0 && start < kAddressLimit && bytes <= kAddressLimit - start;
}

}  // namespace

ForeignMappings::ForeignMappings(ForeignSpace* space, uint64_t stack_bytes, std::pmr::memory_resource* resource)
    : space_(*space),
      stack_bytes_(RoundUp(stack_bytes, space->os_page_bytes())),
      pieces_(resource),
      stack_of_thread_(resource),
      unused_stacks_(resource) {}

void ForeignMappings::AddImage(AddrRange range, int protection) {
  Piece piece;
  piece.end = range.end().value();
  piece.protection = protection;
  piece.counted = false;
  pieces_.emplace(range.start.value(), piece);
}

std::optional<Refusal> ForeignMappings::Apply(const ForeignOp& op) {
  refusal_.reset();
  const bool about_range = op.kind <= ForeignKind::kRemap;
  if (about_range && !IsRange(op.address, op.bytes)) {
    ++stats_.outside;
    return refusal_;
  }
  switch (op.kind) {
    case ForeignKind::kMap: Map(op.address, op.bytes, op.protection, op.flags); break;
    case ForeignKind::kUnmap:
      ++(UnmapOwn(op.address, op.address + op.bytes) ? stats_.calls : stats_.outside);
      break;
    case ForeignKind::kProtect: Protect(op); break;
    case ForeignKind::kDiscard: Discard(op); break;
    case ForeignKind::kRemap: Remap(op); break;
    case ForeignKind::kBreak: MoveBreak(op); break;
    case ForeignKind::kThreadStart: StartThread(op.thread); break;
    case ForeignKind::kThreadEnd: EndThread(op.thread); break;
  }
  if (refusal_.has_value()) ++stats_.refused;
  return refusal_;
}

// ---- the table ----

AddrRange ForeignMappings::Here(Table::const_iterator piece) const {
  const uint64_t bytes = RoundUp(piece->second.end - piece->first, space_.os_page_bytes());
  return {Addr(piece->first + piece->second.shift), bytes};
}

void ForeignMappings::Count(int64_t bytes) {
  stats_.mapped_bytes += static_cast<uint64_t>(bytes);
  stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.mapped_bytes);
}

void ForeignMappings::Add(uint64_t start, const Piece& piece) {
  const auto added = pieces_.emplace(start, piece);
  REHEAP_CHECK(added.second);
  if (piece.counted) Count(static_cast<int64_t>(Here(added.first).bytes));
}

// False: refused, and kept as the call's refusal when it is the first.
bool ForeignMappings::Note(const OsResult<Done>& result) {
  if (!result.ok() && !refusal_.has_value()) refusal_ = result.refusal();
  return result.ok();
}

void ForeignMappings::CutAt(uint64_t recorded) {
  auto piece = pieces_.upper_bound(recorded);
  if (piece == pieces_.begin()) return;
  --piece;
  if (piece->first == recorded || piece->second.end <= recorded) return;
  const Piece tail = piece->second;
  piece->second.end = recorded;
  pieces_.emplace(recorded, tail);
}

template <class Visit>
bool ForeignMappings::ForEachOwn(uint64_t start, uint64_t end, Visit visit) {
  const uint64_t page = space_.os_page_bytes();
  bool any = false;
  auto piece = pieces_.upper_bound(start);
  if (piece != pieces_.begin() && std::prev(piece)->second.end > start) --piece;
  while (piece != pieces_.end() && piece->first < end) {
    any = true;
    // Where OS pages here are larger than recorded ones, only whole ones are cut out.
    const uint64_t shift = piece->second.shift;
    uint64_t from = piece->first, to = piece->second.end;
    if (start > from) from = RoundUp(start + shift, page) - shift;
    if (end < to) to = RoundDown(end + shift, page) - shift;
    const uint64_t next = piece->second.end;
    if (from < to) {
      CutAt(from);
      CutAt(to);
      visit(pieces_.find(from));
    }
    piece = pieces_.lower_bound(next);
  }
  return any;
}

// ---- the calls ----

void ForeignMappings::Map(uint64_t start, uint64_t bytes, int protection, ForeignFlags flags) {
  ++stats_.calls;
  if (flags.fixed && MapOverOwn(start, bytes, protection, flags)) return;
  // What the table still has there was unmapped by a call that nobody saw, or is replaced.
  UnmapOwn(start, start + bytes);
  MapNew(start, bytes, protection, flags);
}

// MAP_FIXED inside ranges of its own that lie here as they were recorded. False: it is not that.
bool ForeignMappings::MapOverOwn(uint64_t start, uint64_t bytes, int protection, ForeignFlags flags) {
  const uint64_t end = start + bytes, page = space_.os_page_bytes();
  auto piece = pieces_.upper_bound(start);
  if (piece == pieces_.begin()) return false;
  --piece;
  const uint64_t shift = piece->second.shift;
  uint64_t covered = start;
  for (auto p = piece; p != pieces_.end() && p->first <= covered && p->second.shift == shift; ++p) {
    covered = std::max(covered, p->second.end);
    if (covered >= end) break;
  }
  if (covered < end || start % page != 0 || shift % page != 0) return false;
  const AddrRange range{Addr(start + shift), RoundUp(bytes, page)};
  if (!Note(space_.MapOver(range, {protection, flags, ForeignHolder::kProgram}))) return true;
  ForEachOwn(start, end, [&](Table::iterator own) {
    if (own->second.counted) Count(-static_cast<int64_t>(Here(own).bytes));
    pieces_.erase(own);
  });
  ++stats_.mapped;
  Add(start, {end, shift, protection, flags, true});
  return true;
}

void ForeignMappings::MapNew(uint64_t start, uint64_t bytes, int protection, ForeignFlags flags) {
  const ForeignTraits traits{protection, flags, ForeignHolder::kProgram};
  const AddrRange range{Addr(start), RoundUp(bytes, space_.os_page_bytes())};
  Addr here = range.start;
  const OsResult<Done> there = space_.MapAt(range, traits);
  if (!there.ok()) {
    const Rule rule = there.refusal().rule;
    if (rule != Rule::kAddressTaken && rule != Rule::kOutOfUserRange) {
      Note(there);
      return;
    }
    const OsResult<Addr> elsewhere = space_.MapAnywhere(range.bytes, traits);
    if (!elsewhere.ok()) {
      Note(elsewhere.refusal());
      return;
    }
    here = elsewhere.value();
    ++stats_.moved;
  }
  ++stats_.mapped;
  // A refused unmapping may have left something of the table there.
  const auto left = pieces_.lower_bound(start);
  const uint64_t end = left == pieces_.end() ? start + bytes : std::min(start + bytes, left->first);
  if (end > start) Add(start, {end, here.value() - start, protection, flags, true});
}

bool ForeignMappings::UnmapOwn(uint64_t start, uint64_t end) {
  return ForEachOwn(start, end, [&](Table::iterator piece) {
    if (!Note(space_.Unmap(Here(piece)))) return;
    if (piece->second.counted) Count(-static_cast<int64_t>(Here(piece).bytes));
    pieces_.erase(piece);
  });
}

void ForeignMappings::Protect(const ForeignOp& op) {
  const bool any = ForEachOwn(op.address, op.address + op.bytes, [&](Table::iterator piece) {
    if (Note(space_.Protect(Here(piece), op.protection))) piece->second.protection = op.protection;
  });
  ++(any ? stats_.calls : stats_.outside);
}

void ForeignMappings::Discard(const ForeignOp& op) {
  const bool any = ForEachOwn(op.address, op.address + op.bytes,
                              [&](Table::iterator piece) { Note(space_.Discard(Here(piece))); });
  ++(any ? stats_.calls : stats_.outside);
}

// As what it comes to: mapping what is added or the new place, unmapping what is cut off or the old place. The
// new place is charged before the old one is given back, as linux does (move_vma, mm/mremap.c, 6.12).
void ForeignMappings::Remap(const ForeignOp& op) {
  auto old = pieces_.upper_bound(op.address);
  const bool is_own = old != pieces_.begin() && (--old)->second.end > op.address;
  if (!is_own || !IsRange(op.address, op.old_bytes) || !IsRange(op.new_address, op.bytes)) {
    ++stats_.outside;
    return;
  }
  ++stats_.calls;
  const uint64_t old_end = op.address + op.old_bytes;
  if (op.new_address == op.address) {
    if (op.bytes <= op.old_bytes) {
      UnmapOwn(op.address + op.bytes, old_end);
      return;
    }
    if (GrowInPlace(op)) return;
  }
  const Piece piece = old->second;
  if (op.new_address == op.address) {
    // Grew in place when recorded, and must move here: both lie at the same recorded address, so the old one
    // goes first.
    UnmapOwn(op.address, old_end);
  }
  UnmapOwn(op.new_address, op.new_address + op.bytes);
  MapNew(op.new_address, op.bytes, piece.protection, piece.flags);
  if (op.new_address != op.address) UnmapOwn(op.address, old_end);
}

bool ForeignMappings::GrowInPlace(const ForeignOp& op) {
  const uint64_t old_end = op.address + op.old_bytes;
  const auto last = std::prev(pieces_.lower_bound(old_end));
  if (last->second.end != old_end || (last->second.end - last->first) % space_.os_page_bytes() != 0) return false;
  Piece tail = last->second;
  tail.end = op.address + op.bytes;
  UnmapOwn(old_end, tail.end);
  const AddrRange more{Addr(old_end + tail.shift), RoundUp(tail.end - old_end, space_.os_page_bytes())};
  if (!space_.MapAt(more, {tail.protection, tail.flags, ForeignHolder::kProgram}).ok()) return false;
  tail.counted = true;
  Add(old_end, tail);
  return true;
}

void ForeignMappings::MoveBreak(const ForeignOp& op) {
  int64_t step = op.step;
  if (step == 0 && last_break_ != 0) step = static_cast<int64_t>(op.address - last_break_);
  last_break_ = op.address;
  if (step == 0) {
    ++stats_.outside;
    return;
  }
  ++stats_.calls;
  if (step > 0) {
    GrowBreak(op.address - static_cast<uint64_t>(step), step);
    return;
  }
  // What the C library's own malloc moved the break by is not the program's to give back.
  const bool mapped = UnmapOwn(op.address, op.address - static_cast<uint64_t>(step));
  step = mapped ? 0 : std::max(step, -break_bytes_);
  if (step == 0 || !Note(space_.MoveBreak(step))) return;
  break_bytes_ += step;
  Count(step);
}

// Where the break cannot grow (no platform's image leaves as much room above it as another's, and some have no
// break at all) the bytes are mapped instead, as mallocs do (sysmalloc, malloc/malloc.c, glibc 2.36).
void ForeignMappings::GrowBreak(uint64_t start, int64_t bytes) {
  if (space_.has_break() && space_.MoveBreak(bytes).ok()) {
    break_bytes_ += bytes;
    Count(bytes);
    return;
  }
  constexpr int kReadWrite = 3;
  const uint64_t size = static_cast<uint64_t>(bytes);
  if (!IsRange(start, size)) return;
  UnmapOwn(start, start + size);
  MapNew(start, size, kReadWrite, ForeignFlags());
}

// ---- thread stacks ----

// As allocate_stack does (nptl/allocatestack.c, glibc 2.33): the newest unused stack, else an inaccessible
// mapping of stack and guard page, all but the guard then made writable (measured on 2.36: 8,196 KiB each).
void ForeignMappings::StartThread(uint32_t thread) {
  if (stack_bytes_ == 0 || thread == 0 || stack_of_thread_.count(thread) != 0) return;
  if (!unused_stacks_.empty()) {
    const auto newest = std::prev(unused_stacks_.end());
    stack_of_thread_.emplace(thread, newest->second);
    unused_stacks_.erase(newest);
    return;
  }
  const uint64_t page = space_.os_page_bytes();
  const ForeignTraits traits{0, ForeignFlags(), ForeignHolder::kThreadStack};
  const OsResult<Addr> mapped = space_.MapAnywhere(stack_and_guard_bytes(), traits);
  if (!mapped.ok()) {
    Note(mapped.refusal());
    return;
  }
  constexpr int kReadWrite = 3;
  if (!Note(space_.Protect({mapped.value() + page, stack_bytes_}, kReadWrite))) {
    Note(space_.Unmap({mapped.value(), stack_and_guard_bytes()}));
    return;
  }
  stack_of_thread_.emplace(thread, mapped.value());
  ++stats_.stacks;
  stats_.stacks_bytes += stack_and_guard_bytes();
  Count(static_cast<int64_t>(stack_and_guard_bytes()));
}

void ForeignMappings::EndThread(uint32_t thread) {
  const auto stack = stack_of_thread_.find(thread);
  if (stack == stack_of_thread_.end()) return;
  unused_stacks_.emplace(ended_threads_++, stack->second);
  stack_of_thread_.erase(stack);
  if (unused_stacks_.size() * stack_and_guard_bytes() <= kUnusedStackBytes) return;
  const auto oldest = unused_stacks_.begin();
  if (!Note(space_.Unmap({oldest->second, stack_and_guard_bytes()}))) return;
  stats_.stacks_bytes -= stack_and_guard_bytes();
  Count(-static_cast<int64_t>(stack_and_guard_bytes()));
  unused_stacks_.erase(oldest);
}

void ForeignMappings::CheckInvariants() const {
  uint64_t end = 0, counted = 0;
  for (auto piece = pieces_.begin(); piece != pieces_.end(); ++piece) {
    REHEAP_CHECK_GE(piece->first, end);
    REHEAP_CHECK_LT(piece->first, piece->second.end);
    end = piece->second.end;
    if (piece->second.counted) counted += Here(piece).bytes;
  }
  const uint64_t stacks = stack_of_thread_.size() + unused_stacks_.size();
  REHEAP_CHECK_EQ(stacks * stack_and_guard_bytes(), stats_.stacks_bytes);
  counted += stats_.stacks_bytes + static_cast<uint64_t>(break_bytes_);
  REHEAP_CHECK_EQ(counted, stats_.mapped_bytes);
}

}  // namespace reheap
