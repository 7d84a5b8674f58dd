#include "alloc/arena_plan.h"

#include <algorithm>

#include "alloc/range_taker.h"

namespace reheap {
namespace {

Refusal Invalid(uint64_t bytes) {
  Refusal refusal;
  refusal.rule = Rule::kInvalidArgument;
  refusal.asked_bytes = bytes;
  return refusal;
}

bool IsPowerOfTwo(uint64_t n) { return n != 0 && (n & (n - 1)) == 0; }

bool IsFlat(const ReservationStrategy& s) {
  return s.page_map == PageMapKind::kFlat || s.page_map == PageMapKind::kFlatIndex;
}

bool IsOneRange(const ReservationStrategy& s) {
  return s.firmness == Firmness::kReserve || s.firmness == Firmness::kPretend;
}

OsResult<Done> CheckRange(const ReservationStrategy& s, const Os& os) {
  const uint64_t os_page = os.os_page_bytes();
  const uint64_t page = uint64_t{1} << s.heap_page_shift;
  if (IsOneRange(s) && (s.heap_bytes == 0 || s.heap_bytes % std::max(page, os_page) != 0)) {
    return Invalid(s.heap_bytes);
  }
  if (s.page_map_place == TablePlace::kInReservation && !IsFlat(s)) return Invalid(0);
  if (s.firmness == Firmness::kPretend &&
      (HintCount(s.hints) == 0 || HintAt(s.hints, 0, os).value() % page != 0)) {
    return Invalid(s.heap_bytes);
  }
  if (s.firmness == Firmness::kPerChunk &&
      (s.reserve_chunk_bytes < os_page || !IsPowerOfTwo(s.reserve_chunk_bytes) ||
       s.chunk_head_bytes % std::max(page, os_page) != 0)) {
    return Invalid(s.reserve_chunk_bytes);
  }
  return Done();
}

OsResult<Done> CheckBitmap(const ReservationStrategy& s, const Os& os) {
  if (s.bitmap_bits_per_word == 0) return Done();
  const uint64_t most_heap = std::max(s.heap_bytes, s.window_bytes);
  const uint64_t needed = most_heap / static_cast<uint64_t>(s.word_bits) * s.bitmap_bits_per_word;
  const bool whole_pages = IsPowerOfTwo(s.bitmap_chunk_bytes) && s.bitmap_chunk_bytes >= os.os_page_bytes();
  return whole_pages && s.bitmap_bytes >= needed ? OsResult<Done>(Done()) : Invalid(s.bitmap_bytes);
}

}  // namespace

uint64_t LargestOsPageBytes(const ReservationStrategy& strategy) {
  uint64_t steps = strategy.grow_round_bytes;
  if (IsOneRange(strategy)) steps |= strategy.heap_bytes;
  if (strategy.firmness == Firmness::kPerChunk) steps |= strategy.reserve_chunk_bytes;
  if (strategy.bitmap_bits_per_word != 0) steps |= strategy.bitmap_chunk_bytes;
  return steps & (~steps + 1);  // the lowest bit of any of them
}

uint64_t PlannedTableBytes(const ReservationStrategy& strategy, uint64_t os_page_bytes) {
  if (strategy.page_map_place != TablePlace::kInReservation) return 0;
  const uint64_t entry_bytes = strategy.page_map == PageMapKind::kFlatIndex ? 4 : 8;
  // What is found beyond the reservation lies in the window, which the table covers, too.
  const uint64_t heap_pages = std::max(strategy.heap_bytes, strategy.window_bytes) >> strategy.heap_page_shift;
  return RoundUp(heap_pages * entry_bytes, std::max(uint64_t{1} << strategy.heap_page_shift, os_page_bytes));
}

OsResult<Done> CheckArenaPlan(const ReservationStrategy& s, const Os& os) {
  const uint64_t os_page = os.os_page_bytes();
  const uint64_t page = uint64_t{1} << s.heap_page_shift;
  const bool in_range =
      s.bitmap_bits_per_word != 0 || s.page_map_place == TablePlace::kInReservation || IsFlat(s);
  if (in_range && !IsOneRange(s)) return Invalid(0);
  if (os_page > LargestOsPageBytes(s)) return Invalid(os_page);
  OsResult<Done> step = CheckRange(s, os);
  if (!step.ok()) return step;
  if (!IsPowerOfTwo(s.grow_round_bytes) || s.grow_round_bytes % std::max(page, os_page) != 0 ||
      s.grow_min_bytes % s.grow_round_bytes != 0) {
    return Invalid(s.grow_round_bytes);
  }
  step = CheckBitmap(s, os);
  for (const ReservationStrategy& fallback : s.fallbacks) {
    if (!step.ok()) break;
    if (fallback.page_map != s.page_map || fallback.heap_page_shift != s.heap_page_shift) return Invalid(0);
    step = CheckArenaPlan(fallback, os);
  }
  return step;
}

}  // namespace reheap
