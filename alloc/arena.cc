#include "alloc/arena.h"

#include <algorithm>

#include "alloc/check.h"

namespace reheap {
namespace {

// Windows can give back whole reservations only, so an aligned piece is found by reserving more, giving all
// of it back and asking for the aligned part; another thread may be faster (Go 1.19, sysReserveAligned: 100
// tries).
constexpr int kAlignTries = 100;

Refusal Taken(OsOperation operation, uint64_t bytes, Addr wanted, Addr obtained) {
  Refusal refusal;
  refusal.rule = Rule::kAddressTaken;
  refusal.operation = operation;
  refusal.asked_bytes = bytes;
  refusal.wanted = wanted;
  refusal.obtained = obtained;
  return refusal;
}

Refusal Invalid(uint64_t bytes) {
  Refusal refusal;
  refusal.rule = Rule::kInvalidArgument;
  refusal.asked_bytes = bytes;
  return refusal;
}

}  // namespace

uint64_t LargestOsPageBytes(const ReservationStrategy& strategy) {
  const bool one_range = strategy.firmness == Firmness::kReserve || strategy.firmness == Firmness::kPretend;
  uint64_t steps = strategy.grow_round_bytes;
  if (one_range) steps |= strategy.heap_bytes;
  if (strategy.firmness == Firmness::kPerChunk) steps |= strategy.reserve_chunk_bytes;
  if (strategy.bitmap_bits_per_word != 0) steps |= strategy.bitmap_chunk_bytes;
  return steps & (~steps + 1);  // the lowest bit of any of them
}

// --- startup -------------------------------------------------------------------------------------

uint32_t Arena::HintCount() const {
  const HintList& hints = strategy_->hints;
  return hints.after_image ? std::max(hints.count, 1u) : hints.count;
}

Addr Arena::Hint(uint32_t n) const {
  const HintList& hints = strategy_->hints;
  const Addr base = hints.after_image
                        ? RoundUp(os_->image_end(), std::max(hints.image_align_bytes, os_->os_page_bytes()))
                        : hints.base;
  return base + n * hints.stride_bytes;
}

uint64_t Arena::TableBytes() const {
  if (strategy_->page_map_place != TablePlace::kInReservation) return 0;
  const uint64_t entry_bytes = strategy_->page_map == PageMapKind::kFlatIndex ? 4 : 8;
  const uint64_t heap_pages = strategy_->heap_bytes >> strategy_->heap_page_shift;
  return RoundUp(heap_pages * entry_bytes, std::max(page_bytes(), os_->os_page_bytes()));
}

OsResult<Done> Arena::CheckPlan() const {
  const ReservationStrategy& s = *strategy_;
  const uint64_t os_page = os_->os_page_bytes();
  const bool one_range = s.firmness == Firmness::kReserve || s.firmness == Firmness::kPretend;
  const bool flat = s.page_map == PageMapKind::kFlat || s.page_map == PageMapKind::kFlatIndex;
  const bool in_range = s.bitmap_bits_per_word != 0 || s.page_map_place == TablePlace::kInReservation || flat;
  if (in_range && !one_range) return Invalid(0);
  if (os_page > LargestOsPageBytes(s)) return Invalid(os_page);
  if (one_range && (s.heap_bytes == 0 || s.heap_bytes % std::max(page_bytes(), os_page) != 0)) {
    return Invalid(s.heap_bytes);
  }
  if (s.page_map_place == TablePlace::kInReservation && !flat) return Invalid(0);
  if (s.firmness == Firmness::kPretend && (HintCount() == 0 || Hint(0).value() % page_bytes() != 0)) {
    return Invalid(s.heap_bytes);
  }
  if (s.firmness == Firmness::kPerChunk &&
      (s.reserve_chunk_bytes < os_page || (s.reserve_chunk_bytes & (s.reserve_chunk_bytes - 1)) != 0)) {
    return Invalid(s.reserve_chunk_bytes);
  }
  if ((s.grow_round_bytes & (s.grow_round_bytes - 1)) != 0 || s.grow_round_bytes == 0 ||
      s.grow_round_bytes % std::max(page_bytes(), os_page) != 0 ||
      s.grow_min_bytes % s.grow_round_bytes != 0) {
    return Invalid(s.grow_round_bytes);
  }
  if (s.bitmap_bits_per_word != 0) {
    const uint64_t most_heap = std::max(s.heap_bytes, s.window_bytes);
    const uint64_t needed = most_heap / static_cast<uint64_t>(s.word_bits) * s.bitmap_bits_per_word;
    const bool power_of_two = (s.bitmap_chunk_bytes & (s.bitmap_chunk_bytes - 1)) == 0;
    if (!power_of_two || s.bitmap_chunk_bytes < os_page || s.bitmap_bytes < needed) {
      return Invalid(s.bitmap_bytes);
    }
  }
  return Done();
}

OsResult<Done> Arena::Start() {
  const OsResult<Done> plan = CheckPlan();
  if (!plan.ok()) return plan;
  const ReservationStrategy& s = *strategy_;
  if (s.firmness != Firmness::kReserve && s.firmness != Firmness::kPretend) return Done();

  const uint64_t before_heap_bytes = TableBytes() + s.bitmap_bytes;
  AddrRange range{Addr(), before_heap_bytes + s.heap_bytes};
  if (s.firmness == Firmness::kPretend) {
    range.start = Hint(0);
  } else {
    const OsResult<AddrRange> got = ReserveAtHints(range.bytes);
    if (!got.ok()) return got.refusal();
    range = got.value();
    held_bytes_ += range.bytes;
  }
  // The OS knows only its own page; a heap page may be larger, and then the last one is not whole.
  const Addr heap_start = RoundUp(range.start + before_heap_bytes, page_bytes());
  const Addr heap_end = RoundDown(range.end(), page_bytes());
  if (TableBytes() > 0) table_range_ = {range.start, TableBytes()};
  heap_range_ = {heap_start, std::max(heap_end - heap_start, s.window_bytes)};
  next_ = heap_start;
  limit_ = heap_end;
  return Done();
}

// What a conflict is, on every OS: the answer is another address, or a refusal that says the address is taken
// (windows never moves a reservation: ERROR_INVALID_ADDRESS).
OsResult<AddrRange> Arena::ReserveAtHints(uint64_t bytes) {
  const uint32_t hints = HintCount();
  for (uint32_t n = 0; n < hints; ++n) {
    const Addr hint = Hint(n);
    const OsResult<AddrRange> got = os_->Reserve(bytes, hint);
    if (!got.ok() && got.refusal().rule != Rule::kAddressTaken) return got;
    if (got.ok() && got.value().start == hint) return got;
    if (strategy_->on_conflict == OnConflict::kDie) {
      if (got.ok()) ReleaseOrLose(got.value());
      return Taken(OsOperation::kReserve, bytes, hint, got.ok() ? got.value().start : Addr());
    }
    const bool last = strategy_->on_conflict == OnConflict::kRelocate || n + 1 == hints;
    if (last && got.ok()) return got;
    if (got.ok()) ReleaseOrLose(got.value());
    if (last) break;
  }
  return os_->Reserve(bytes, Addr());
}

// --- growth --------------------------------------------------------------------------------------

OsResult<AddrRange> Arena::Grow(uint64_t need_bytes) {
  REHEAP_CHECK_GT(need_bytes, 0);
  const ReservationStrategy& s = *strategy_;
  if (need_bytes > ~uint64_t{0} - s.grow_round_bytes) return Exhausted(need_bytes);
  const uint64_t exact_bytes = RoundUp(need_bytes, s.grow_round_bytes);
  uint64_t ask_bytes = std::max(s.grow_min_bytes, exact_bytes);
  if (s.firmness != Firmness::kNothing && ask_bytes > RoomBytes() && exact_bytes <= RoomBytes()) {
    ask_bytes = exact_bytes;
  }
  OsResult<AddrRange> got = Extend(ask_bytes);
  // A taken address is no lack of memory: asking for less of it would hide the conflict.
  if (!got.ok() && got.refusal().rule != Rule::kAddressTaken && s.grow_retry_exact &&
      exact_bytes < ask_bytes) {
    got = Extend(exact_bytes);
  }
  return got;
}

OsResult<AddrRange> Arena::Extend(uint64_t bytes) {
  OsResult<AddrRange> got = Exhausted(bytes);
  switch (strategy_->firmness) {
    case Firmness::kNothing:
      got = ExtendAnywhere(bytes);
      break;
    case Firmness::kReserve:
    case Firmness::kPretend:
      got = bytes <= RoomBytes() ? ExtendRange(bytes) : ExtendWindow(bytes);
      break;
    case Firmness::kPerChunk:
      got = ExtendChunk(bytes);
      break;
  }
  if (!got.ok()) return got;
  heap_bytes_ += bytes;
  ++growths_;
  const OsResult<Done> bitmap = GrowBitmap(got.value().end());
  if (!bitmap.ok()) {
    GiveBack(got.value());
    return bitmap.refusal();
  }
  return got;
}

OsResult<Done> Arena::MakeReady(AddrRange part) {
  if (strategy_->firmness == Firmness::kPretend) {
    const OsResult<Done> mapped = os_->MapReadyAt(part, strategy_->access);
    if (mapped.ok()) held_bytes_ += part.bytes;
    return mapped;
  }
  return os_->Commit(part, strategy_->access, strategy_->commit_method);
}

OsResult<AddrRange> Arena::ExtendRange(uint64_t bytes) {
  const AddrRange piece{next_, bytes};
  const OsResult<Done> ready = MakeReady(piece);
  if (!ready.ok()) return ready.refusal();
  next_ = piece.end();
  return piece;
}

OsResult<AddrRange> Arena::ExtendAnywhere(uint64_t bytes) {
  const OsResult<AddrRange> got = TakeAligned(bytes, page_bytes(), /*ready=*/true);
  if (got.ok()) held_bytes_ += bytes;
  return got;
}

// 32-bit Go of 2011 (runtime/malloc.c of 1e063b32c, MHeap_SysAlloc): when the reservation is used up the OS
// may choose, as long as the bitmap reaches the place.
OsResult<AddrRange> Arena::ExtendWindow(uint64_t bytes) {
  if (strategy_->window_bytes == 0) return Exhausted(bytes);
  const OsResult<AddrRange> got = TakeAligned(bytes, page_bytes(), /*ready=*/true);
  if (!got.ok()) return got;
  if (heap_range_.Contains(got.value())) {
    held_bytes_ += bytes;
    return got;
  }
  ReleaseOrLose(got.value());
  Refusal refusal = Exhausted(bytes);
  refusal.rule = Rule::kOutOfUserRange;
  refusal.allowed_bytes = strategy_->window_bytes;
  refusal.wanted = heap_range_.start;
  refusal.obtained = got.value().start;
  return refusal;
}

OsResult<AddrRange> Arena::ExtendChunk(uint64_t bytes) {
  if (bytes > RoomBytes()) {
    if (strategy_->heap_bytes != 0 && heap_bytes_ + bytes > strategy_->heap_bytes) return Exhausted(bytes);
    // A chunk beside the current one continues it.
    const uint64_t chunk_bytes = RoundUp(bytes, strategy_->reserve_chunk_bytes);
    if (chunk_bytes < bytes) return Exhausted(bytes);
    const OsResult<AddrRange> chunk = ReserveChunk(chunk_bytes);
    if (!chunk.ok()) return chunk;
    held_bytes_ += chunk.value().bytes;
    if (chunk.value().start != limit_) next_ = chunk.value().start;
    limit_ = chunk.value().end();
  }
  return ExtendRange(bytes);
}

// Go 1.11 to 1.19 (runtime/malloc.go, mheap.sysAlloc): the place beside the last chunk first; a hint that
// fails, for whatever reason, is never tried again; after the last any aligned place will do.
OsResult<AddrRange> Arena::ReserveChunk(uint64_t bytes) {
  for (; hint_ < HintCount(); ++hint_, hint_next_ = Addr()) {
    const Addr wanted = hint_next_ ? hint_next_ : Hint(hint_);
    const OsResult<AddrRange> got = os_->Reserve(bytes, wanted);
    if (got.ok() && got.value().start == wanted) {
      hint_next_ = got.value().end();
      return got;
    }
    if (got.ok()) ReleaseOrLose(got.value());
    if (strategy_->on_conflict == OnConflict::kDie) {
      return got.ok() ? Taken(OsOperation::kReserve, bytes, wanted, got.value().start) : got.refusal();
    }
  }
  return TakeAligned(bytes, strategy_->reserve_chunk_bytes, /*ready=*/false);
}

// --- pieces of address space ---------------------------------------------------------------------

OsResult<AddrRange> Arena::TakeAligned(uint64_t bytes, uint64_t alignment, bool ready) {
  const bool aligned_anyway = alignment <= os_->granularity_bytes();
  const uint64_t ask_bytes = aligned_anyway ? bytes : bytes + alignment;
  if (ask_bytes < bytes) return Exhausted(bytes);
  for (int tries = 0; tries < kAlignTries; ++tries) {
    const OsResult<AddrRange> got =
        ready ? os_->MapReady(ask_bytes, strategy_->access) : os_->Reserve(ask_bytes, Addr());
    if (!got.ok() || aligned_anyway) return got;
    if (!os_->release_is_whole()) return TrimTo(got.value(), bytes, alignment);
    ReleaseOrLose(got.value());
    const AddrRange part{RoundUp(got.value().start, alignment), bytes};
    if (ready) {
      const OsResult<Done> mapped = os_->MapReadyAt(part, strategy_->access);
      if (mapped.ok()) return part;
      continue;
    }
    const OsResult<AddrRange> again = os_->Reserve(bytes, part.start);
    if (again.ok() && again.value().start == part.start) return part;
    if (again.ok()) ReleaseOrLose(again.value());
  }
  return Exhausted(bytes);
}

OsResult<AddrRange> Arena::TrimTo(AddrRange got, uint64_t bytes, uint64_t alignment) {
  const AddrRange part{RoundUp(got.start, alignment), bytes};
  if (part.start > got.start) ReleaseOrLose({got.start, part.start - got.start});
  if (got.end() > part.end()) ReleaseOrLose({part.end(), got.end() - part.end()});
  return part;
}

void Arena::ReleaseOrLose(AddrRange range) {
  if (os_->Release(range).ok()) return;
  lost_bytes_ += range.bytes;
  held_bytes_ += range.bytes;
}

void Arena::GiveBack(AddrRange piece) {
  REHEAP_CHECK_GE(heap_bytes_, piece.bytes);
  heap_bytes_ -= piece.bytes;
  const bool of_range = piece.end() == next_;
  const bool reserved =
      strategy_->firmness == Firmness::kReserve || strategy_->firmness == Firmness::kPerChunk;
  if (of_range && reserved) {
    // Refused (linux: no mapping left to split): it stays usable memory that nobody uses.
    if (os_->Decommit(piece).ok()) {
      next_ = piece.start;
    } else {
      lost_bytes_ += piece.bytes;
    }
    return;
  }
  held_bytes_ -= piece.bytes;
  const uint64_t lost_before = lost_bytes_;
  ReleaseOrLose(piece);
  if (of_range && lost_bytes_ == lost_before) next_ = piece.start;
}

OsResult<Done> Arena::GrowBitmap(Addr heap_end) {
  const ReservationStrategy& s = *strategy_;
  if (s.bitmap_bits_per_word == 0) return Done();
  const uint64_t heap_bytes = heap_end - heap_range_.start;
  const uint64_t word_bits = static_cast<uint64_t>(s.word_bits);
  const uint64_t needed =
      RoundUp((heap_bytes * s.bitmap_bits_per_word + word_bits - 1) / word_bits, s.bitmap_chunk_bytes);
  if (needed <= bitmap_ready_bytes_) return Done();
  const OsResult<Done> ready = MakeReady({heap_range_.start - needed, needed - bitmap_ready_bytes_});
  if (ready.ok()) bitmap_ready_bytes_ = needed;
  return ready;
}

Refusal Arena::Exhausted(uint64_t bytes) const {
  Refusal refusal;
  refusal.rule = Rule::kAddressSpaceExhausted;
  refusal.operation =
      strategy_->firmness == Firmness::kPretend ? OsOperation::kMapReadyAt : OsOperation::kCommit;
  refusal.asked_bytes = bytes;
  refusal.in_use_bytes = heap_bytes_;
  refusal.allowed_bytes = strategy_->heap_bytes;
  return refusal;
}

void Arena::CheckInvariants() const {
  REHEAP_CHECK_LE(next_.value(), limit_.value());
  REHEAP_CHECK_LE(heap_bytes_ + bitmap_ready_bytes_, held_bytes_);
  if (strategy_->bitmap_bits_per_word != 0) REHEAP_CHECK_LE(bitmap_ready_bytes_, strategy_->bitmap_bytes);
  if (!heap_range_.empty()) {
    REHEAP_CHECK_LE(heap_range_.start.value(), next_.value());
    REHEAP_CHECK_EQ(heap_range_.start.value() % page_bytes(), 0);
  }
}

}  // namespace reheap
