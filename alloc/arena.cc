#include "alloc/arena.h"

#include <algorithm>
#include <bit>

#include "alloc/check.h"

namespace reheap {

// --- startup -------------------------------------------------------------------------------------

OsResult<Done> Arena::Start() {
  const ReservationStrategy& first = *strategy_;
  OsResult<Done> started = CheckArenaPlan(first, *os_);
  if (!started.ok()) return started;
  started = StartPlan();
  for (size_t n = 0; !started.ok() && n < first.fallbacks.size(); ++n) {
    requests_.Undo();
    strategy_ = &first.fallbacks[n];
    started = StartPlan();
  }
  return started;
}

OsResult<Done> Arena::StartPlan() {
  const ReservationStrategy& s = *strategy_;
  step_bytes_ = s.grow_min_bytes;
  table_bytes_.assign(s.growth_tables.size(), 0);
  const OsResult<Done> mapped = requests_.Run(s.startup_requests, s.commit_method);
  if (!mapped.ok()) return mapped;
  if (s.firmness != Firmness::kReserve && s.firmness != Firmness::kPretend) return Done();

  const uint64_t table_bytes = PlannedTableBytes(s, os_->os_page_bytes());
  const uint64_t before_heap_bytes = table_bytes + s.bitmap_bytes;
  AddrRange range{Addr(), before_heap_bytes + s.heap_bytes};
  if (s.firmness == Firmness::kPretend) {
    const OsResult<Addr> place = ProbeHints();
    if (!place.ok()) return place.refusal();
    range.start = place.value();
  } else {
    const OsResult<AddrRange> got = ReserveRange(before_heap_bytes);
    if (!got.ok()) {
      Refusal refusal = got.refusal();
      // Go up to e4492ce3c: errno 12 was taken for the address 0xc, and the first growth found nothing there.
      if (s.on_refusal == OnRefusal::kBelieveReserved) refusal.operation = OsOperation::kCommit;
      return refusal;
    }
    range = got.value();
    held_bytes_ += range.bytes;
  }
  // The OS knows only its own page; a heap page may be larger, and then the last one is not whole.
  const Addr heap_start = RoundUp(range.start + before_heap_bytes, page_bytes());
  const Addr heap_end = RoundDown(range.end(), page_bytes());
  if (table_bytes > 0) table_range_ = {range.start, table_bytes};
  heap_range_ = {heap_start, std::max(heap_end - heap_start, s.window_bytes)};
  next_ = heap_start;
  limit_ = heap_end;
  return Done();
}

OsResult<Done> Arena::FinishStart() {
  return requests_.Run(strategy_->started_requests, strategy_->commit_method);
}

OsResult<Done> Arena::StartThread() {
  ++threads_;
  const ReservationStrategy& s = *strategy_;
  if (s.thread_requests.empty() || threads_ < s.thread_requests_from) return Done();
  const uint32_t nth = threads_ - s.thread_requests_from;
  if (s.thread_requests_most != 0 && nth >= s.thread_requests_most) return Done();
  return requests_.Run(s.thread_requests, s.commit_method);
}

std::string Arena::mode() const {
  std::string mode = strategy_->mode;
  if (requests_.degraded_mode().empty()) return mode;
  if (!mode.empty()) mode += ", ";
  return mode + requests_.degraded_mode();
}

OsResult<AddrRange> Arena::ReserveRange(uint64_t before_heap_bytes) {
  const ReservationStrategy& s = *strategy_;
  OsResult<AddrRange> got = ReserveAtHints(before_heap_bytes + s.heap_bytes);
  for (size_t n = 0; !got.ok() && n < s.smaller_bytes.size(); ++n) {
    got = ReserveAtHints(before_heap_bytes + s.smaller_bytes[n]);
  }
  return got;
}

// What a conflict is, on every OS: the answer is another address, or a refusal that says the address is taken
// (windows never moves a reservation: ERROR_INVALID_ADDRESS).
OsResult<AddrRange> Arena::ReserveAtHints(uint64_t bytes) {
  const MapTraits traits = Traits(strategy_->reserved_ready);
  if (strategy_->align_bytes != 0) return taker_.TakeAligned(bytes, strategy_->align_bytes, 0, traits);
  const uint32_t hints = HintCount(strategy_->hints);
  for (uint32_t n = 0; n < hints; ++n) {
    const Addr hint = HintAt(strategy_->hints, n, *os_);
    const OsResult<AddrRange> got = taker_.Take(bytes, hint, traits);
    if (!got.ok() && got.refusal().rule != Rule::kAddressTaken) return got;
    if (got.ok() && got.value().start == hint) return got;
    if (strategy_->on_conflict == OnConflict::kDie) {
      if (got.ok()) taker_.ReleaseOrLose(got.value());
      return AddressTaken(OsOperation::kReserve, bytes, hint, got.ok() ? got.value().start : Addr());
    }
    const bool last = strategy_->on_conflict == OnConflict::kRelocate || n + 1 == hints;
    if (last && got.ok()) return got;
    if (got.ok()) taker_.ReleaseOrLose(got.value());
    if (last) break;
  }
  return taker_.Take(bytes, Addr(), traits);
}

// Go 1.0 to 1.4 (runtime/mem_linux.c, SysReserve): a small mapping tells whether the place is usable; the
// whole range is then pretended. Go 1.4 tries each hint, whatever the reason of the no.
OsResult<Addr> Arena::ProbeHints() {
  const ReservationStrategy& s = *strategy_;
  if (s.probe_bytes == 0) return HintAt(s.hints, 0, *os_);
  OsResult<Addr> answer = Exhausted(s.probe_bytes);
  const uint32_t hints = s.on_conflict == OnConflict::kNextHint ? HintCount(s.hints) : 1;
  for (uint32_t n = 0; n < hints; ++n) {
    const Addr hint = HintAt(s.hints, n, *os_);
    const OsResult<AddrRange> got = os_->Reserve(s.probe_bytes, hint);
    if (got.ok()) taker_.ReleaseOrLose(got.value());
    if (got.ok() && got.value().start == hint) return hint;
    answer = got.ok() ? AddressTaken(OsOperation::kReserve, s.probe_bytes, hint, got.value().start)
                      : got.refusal();
  }
  return answer;
}

// --- growth --------------------------------------------------------------------------------------

OsResult<AddrRange> Arena::Grow(uint64_t need_bytes) {
  REHEAP_CHECK_GT(need_bytes, 0);
  const ReservationStrategy& s = *strategy_;
  if (need_bytes > ~uint64_t{0} - s.grow_round_bytes) return Exhausted(need_bytes);
  const uint64_t exact_bytes = RoundUp(need_bytes, s.grow_round_bytes);
  uint64_t ask_bytes = std::max(step_bytes_, exact_bytes);
  // Records that found no room beside large blocks are a growth of their own in the end.
  if (owed_bytes_ >= s.grow_min_bytes && ask_bytes <= ~uint64_t{0} - s.grow_min_bytes) {
    ask_bytes += s.grow_min_bytes;
  }
  if (s.firmness != Firmness::kNothing && ask_bytes > RoomBytes() && exact_bytes <= RoomBytes()) {
    ask_bytes = exact_bytes;
  }
  OsResult<AddrRange> got = Extend(ask_bytes, need_bytes);
  // A taken address is no lack of memory: asking for less of it would hide the conflict.
  if (!got.ok() && got.refusal().rule != Rule::kAddressTaken && s.grow_retry_exact &&
      exact_bytes < ask_bytes) {
    got = Extend(exact_bytes, need_bytes);
  } else if (got.ok()) {
    RaiseStep();
  }
  return got;
}

// jemalloc's series of extents (exp_grow): 2, 2.5, 3, 3.5, 4, 5, ... with four steps.
void Arena::RaiseStep() {
  const uint64_t steps = strategy_->grow_steps_per_doubling;
  if (steps == 0) return;
  const uint64_t doubling_bytes = std::bit_floor(step_bytes_);
  uint64_t raised_bytes = RoundUp(step_bytes_ + doubling_bytes / steps, strategy_->grow_round_bytes);
  if (strategy_->grow_most_bytes != 0) raised_bytes = std::min(raised_bytes, strategy_->grow_most_bytes);
  step_bytes_ = raised_bytes;
}

OsResult<AddrRange> Arena::Extend(uint64_t bytes, uint64_t need_bytes) {
  OsResult<AddrRange> got = Exhausted(bytes);
  switch (strategy_->firmness) {
    case Firmness::kNothing:
      got = ExtendAnywhere(bytes);
      break;
    case Firmness::kReserve:
    case Firmness::kPretend:
      got = bytes <= RoomBytes() || ReserveBehind(bytes) ? ExtendRange(bytes, need_bytes)
                                                         : ExtendWindow(bytes);
      break;
    case Firmness::kPerChunk:
      got = ExtendChunk(bytes);
      break;
  }
  if (!got.ok()) return got;
  heap_bytes_ += got.value().bytes;
  ++growths_;
  const Addr end = got.value().end();
  OsResult<Done> beside = GrowBitmap(end == next_ ? end + own_bytes_ : end);
  if (beside.ok() && !strategy_->growth_tables.empty()) beside = GrowTables();
  if (!beside.ok()) {
    GiveBack(got.value());
    return beside.refusal();
  }
  return got;
}

OsResult<Done> Arena::MakeReady(AddrRange part) {
  if (strategy_->firmness == Firmness::kPretend) return MapPretended(part);
  if (strategy_->reserved_ready) return Done();
  return os_->Commit(part, strategy_->access, strategy_->commit_method);
}

OsResult<Done> Arena::MapPretended(AddrRange part) {
  OsResult<Done> mapped = os_->MapReadyAt(part, strategy_->access);
  const bool clobbers = !mapped.ok() && mapped.refusal().rule == Rule::kAddressTaken && strategy_->clobbers &&
                        !IsSeenTaken(part);
  if (clobbers) {
    MapTraits traits = Traits(/*ready=*/true);
    traits.over = true;
    const OsResult<AddrRange> over = os_->Map(part.bytes, part.start, traits);
    mapped = over.ok() ? OsResult<Done>(Done()) : over.refusal();
  }
  if (mapped.ok()) held_bytes_ += part.bytes;
  return mapped;
}

// Go 1.0 to 1.3 (runtime/mem_linux.c, addrspace_free; golang issue 7476): mincore over many pages answers
// ENOMEM when any of them is free, and that was taken for "all are free".
bool Arena::IsSeenTaken(AddrRange part) const {
  const uint64_t step_bytes = strategy_->clobber_check_bytes;
  if (step_bytes == 0) return false;
  for (uint64_t at = 0; at < part.bytes; at += step_bytes) {
    const AddrRange piece{part.start + at, std::min(step_bytes, part.bytes - at)};
    if (os_->IsWhollyMapped(piece)) return true;
  }
  return false;
}

OsResult<AddrRange> Arena::ExtendRange(uint64_t bytes, uint64_t need_bytes) {
  const OsResult<Done> ready = MakeReady({next_ + own_bytes_, bytes});
  if (!ready.ok()) return ready.refusal();
  if (bytes >= strategy_->grow_min_bytes) owed_bytes_ += strategy_->grow_own_bytes;
  const uint64_t own_bytes = std::min(owed_bytes_, bytes - RoundUp(need_bytes, page_bytes()));
  owed_bytes_ -= own_bytes;
  const AddrRange piece{next_, bytes - own_bytes};
  own_bytes_ += own_bytes;
  next_ = piece.end();
  return piece;
}

OsResult<AddrRange> Arena::ExtendAnywhere(uint64_t bytes) {
  const ReservationStrategy& s = *strategy_;
  if (s.heap_bytes != 0 && heap_bytes_ + bytes > s.heap_bytes) return Exhausted(bytes);
  if (s.break_first) {
    const OsResult<AddrRange> more = ExtendBreak(bytes);
    if (more.ok()) return more;
    bytes = std::max(bytes, s.map_min_bytes);
  }
  const OsResult<AddrRange> got = taker_.TakeAligned(bytes, page_bytes(), 0, Traits(/*ready=*/true));
  if (got.ok()) held_bytes_ += bytes;
  return got;
}

// A break between two heap pages is moved up to the next one first.
OsResult<AddrRange> Arena::ExtendBreak(uint64_t bytes) {
  OsResult<AddrRange> got = os_->GrowBreak(bytes);
  if (!got.ok()) return got;
  const Addr start = RoundUp(got.value().start, page_bytes());
  const uint64_t gap_bytes = start - got.value().start;
  if (gap_bytes != 0) {
    const OsResult<AddrRange> rest = os_->GrowBreak(gap_bytes);
    if (!rest.ok()) {
      taker_.ReleaseOrLose(got.value());
      return rest;
    }
    held_bytes_ += gap_bytes;
    lost_bytes_ += gap_bytes;
  }
  held_bytes_ += bytes;
  return AddrRange{start, bytes};
}

// Go 1.0 (3dcedb620, MHeap_SysAlloc): the range goes on behind its end while nobody is there.
bool Arena::ReserveBehind(uint64_t bytes) {
  if (strategy_->extend_bytes == 0) return false;
  const uint64_t more_bytes = RoundUp(bytes - RoomBytes(), strategy_->extend_bytes);
  if (limit_ + more_bytes > heap_range_.end()) return false;
  const OsResult<AddrRange> got = os_->Reserve(more_bytes, limit_);
  if (!got.ok()) return false;
  if (got.value().start != limit_) {
    taker_.ReleaseOrLose(got.value());
    return false;
  }
  held_bytes_ += more_bytes;
  limit_ = got.value().end();
  return true;
}

// 32-bit Go of 2011 (runtime/malloc.c of 1e063b32c, MHeap_SysAlloc): when the reservation is used up the OS
// may choose, as long as the bitmap reaches the place.
OsResult<AddrRange> Arena::ExtendWindow(uint64_t bytes) {
  if (strategy_->window_bytes == 0) return Exhausted(bytes);
  const OsResult<AddrRange> got = taker_.TakeAligned(bytes, page_bytes(), 0, Traits(/*ready=*/true));
  if (!got.ok()) return got;
  if (heap_range_.Contains(got.value())) {
    held_bytes_ += bytes;
    return got;
  }
  taker_.ReleaseOrLose(got.value());
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
    const OsResult<Done> next = NextChunk(bytes);
    if (!next.ok()) return next.refusal();
  }
  return ExtendRange(bytes, bytes);
}

// A chunk with room for `bytes`, in the first size that the OS grants, and what the plan maps with it.
OsResult<Done> Arena::NextChunk(uint64_t bytes) {
  const ReservationStrategy& s = *strategy_;
  const uint64_t needed_bytes = bytes + s.chunk_head_bytes;
  uint64_t chunk_bytes = RoundUp(needed_bytes, s.reserve_chunk_bytes);
  if (needed_bytes < bytes || chunk_bytes < needed_bytes) return Exhausted(bytes);
  OsResult<AddrRange> chunk = ReserveChunk(chunk_bytes);
  for (size_t n = 0; !chunk.ok() && n < s.smaller_bytes.size(); ++n) {
    chunk_bytes = RoundUp(needed_bytes, s.smaller_bytes[n]);
    const uint64_t alignment = s.chunk_align_bytes == 0 ? s.smaller_bytes[n] : s.chunk_align_bytes;
    chunk = taker_.TakeAligned(chunk_bytes, alignment, 0, Traits(s.reserved_ready));
  }
  if (!chunk.ok()) return chunk.refusal();
  const AddrRange head{chunk.value().start, s.chunk_head_bytes};
  OsResult<Done> beside = head.empty() ? OsResult<Done>(Done()) : MakeReady(head);
  for (uint64_t at = 0; beside.ok() && at < chunk.value().bytes; at += s.reserve_chunk_bytes) {
    beside = requests_.Run(s.chunk_requests, s.commit_method);
  }
  if (!beside.ok()) {
    taker_.ReleaseOrLose(chunk.value());
    hint_next_ = hint_next_ == chunk.value().end() ? chunk.value().start : hint_next_;
    return beside;
  }
  held_bytes_ += chunk.value().bytes;
  // A chunk beside the current one continues it.
  if (chunk.value().start != limit_ || !head.empty()) next_ = head.end();
  limit_ = chunk.value().end();
  return Done();
}

// Go 1.11 to 1.19 (runtime/malloc.go, mheap.sysAlloc): the place beside the last chunk first; a hint that
// fails, for whatever reason, is never tried again; after the last any aligned place will do.
OsResult<AddrRange> Arena::ReserveChunk(uint64_t bytes) {
  const MapTraits traits = Traits(strategy_->reserved_ready);
  for (; hint_ < HintCount(strategy_->hints); ++hint_, hint_next_ = Addr()) {
    const Addr wanted = hint_next_ ? hint_next_ : HintAt(strategy_->hints, hint_, *os_);
    const OsResult<AddrRange> got = taker_.Take(bytes, wanted, traits);
    if (got.ok() && got.value().start == wanted) {
      hint_next_ = got.value().end();
      return got;
    }
    if (got.ok()) taker_.ReleaseOrLose(got.value());
    if (strategy_->on_conflict == OnConflict::kDie) {
      return got.ok() ? AddressTaken(OsOperation::kReserve, bytes, wanted, got.value().start) : got.refusal();
    }
  }
  const uint64_t alignment =
      strategy_->chunk_align_bytes == 0 ? strategy_->reserve_chunk_bytes : strategy_->chunk_align_bytes;
  return taker_.TakeAligned(bytes, alignment, 0, traits);
}

void Arena::GiveBack(AddrRange piece) {
  REHEAP_CHECK_GE(heap_bytes_, piece.bytes);
  heap_bytes_ -= piece.bytes;
  const Addr start = piece.start;
  const bool of_range = piece.end() == next_;
  // The records of the last growth stay, at its start.
  if (of_range) piece.start = start + own_bytes_;
  const bool reserved =
      strategy_->firmness == Firmness::kReserve || strategy_->firmness == Firmness::kPerChunk;
  if (of_range && reserved && strategy_->reserved_ready) {
    next_ = start;
    return;
  }
  if (of_range && reserved) {
    // Refused (linux: no mapping left to split): it stays usable memory that nobody uses.
    if (os_->Decommit(piece).ok()) {
      next_ = start;
    } else {
      lost_bytes_ += piece.bytes;
    }
    return;
  }
  held_bytes_ -= piece.bytes;
  const uint64_t lost_before = taker_.lost_bytes();
  taker_.ReleaseOrLose(piece);
  if (of_range && taker_.lost_bytes() == lost_before) next_ = start;
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

OsResult<Done> Arena::GrowTables() {
  for (size_t n = 0; n < table_bytes_.size(); ++n) {
    const ReservationStrategy::GrowthTable& table = strategy_->growth_tables[n];
    const uint64_t covered = heap_bytes_ / table.heap_bytes_per_byte;
    const uint64_t needed = RoundUp(std::max<uint64_t>(covered, 1), table.chunk_bytes);
    if (needed <= table_bytes_[n]) continue;
    const OsResult<AddrRange> more = os_->MapReady(needed - table_bytes_[n], Access::kReadWrite);
    if (!more.ok()) return more.refusal();
    growth_tables_bytes_ += needed - table_bytes_[n];
    table_bytes_[n] = needed;
  }
  return Done();
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
  REHEAP_CHECK_LE(next_.value() + own_bytes_, limit_.value());
  REHEAP_CHECK_LE(heap_bytes_ + bitmap_ready_bytes_, held_bytes());
  if (strategy_->bitmap_bits_per_word != 0) REHEAP_CHECK_LE(bitmap_ready_bytes_, strategy_->bitmap_bytes);
  if (!heap_range_.empty()) {
    REHEAP_CHECK_LE(heap_range_.start.value(), next_.value());
    REHEAP_CHECK_EQ(heap_range_.start.value() % page_bytes(), 0);
  }
}

}  // namespace reheap
