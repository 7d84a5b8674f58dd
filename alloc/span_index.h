// SpanIndex: span references in 32 bits, for page maps that halve their footprint (row 7 of the walk).
//
// Span records come from metadata chunks that the OS places where it likes, so an index must be able to name
// an address anywhere, yet be turned back without another load in the common case:
//
//   bit 31   meaning of the rest                                           reach
//   0        near: (address - near base) / 64, 31 bits; 0 = no span        2^31 x 64 B = 128 GiB
//   1        far: window, 7 bits; (address - window base) / 64, 24 bits    128 windows x 2^24 x 64 B = 1 GiB
//
// The near base is 64 GiB below the first span (or 0): an OS that maps its next chunk beside the last one
// never leaves it. A far window is made at the first span in an aligned 1 GiB that is out of reach.
//
// Ownership: owns nothing. Threads: one writer; a reader that got an index from an entry (acquire) sees its
// window. Limits: spans in more than 129 places that far apart are our own mistake (CHECK).
#ifndef REHEAP_ALLOC_SPAN_INDEX_H_
#define REHEAP_ALLOC_SPAN_INDEX_H_

#include <cstdint>

#include "alloc/addr.h"
#include "alloc/check.h"
#include "alloc/page_map.h"

namespace reheap {

// Every span record starts at a multiple of this: a record is at least one cache line, a power of two, and
// aligned to its size.
inline constexpr uint64_t kSpanRefAlignBytes = 64;

class SpanIndex {
 public:
  // The index of `span`, zero for zero. Preconditions: span is a multiple of kSpanRefAlignBytes.
  uint32_t IndexOf(SpanRef span) {
    if (!span) return 0;
    REHEAP_CHECK_EQ(span.value() % kSpanRefAlignBytes, 0);
    if (near_base_ == kNoBase) near_base_ = span.value() > kNearReach / 2 ? span.value() - kNearReach / 2 : 0;
    const uint64_t offset = span.value() - near_base_;  // below the base: wraps to a huge offset
    if (offset != 0 && offset < kNearReach) return static_cast<uint32_t>(offset / kSpanRefAlignBytes);
    return FarIndexOf(span);
  }

  __attribute__((always_inline)) SpanRef SpanOf(uint32_t index) const {
    if (__builtin_expect(index < kFar, 1)) {
      return index == 0 ? SpanRef() : SpanRef(near_base_ + uint64_t{index} * kSpanRefAlignBytes);
    }
    const uint64_t window = index >> kFarOffsetBits & (kFarWindows - 1);
    const uint64_t offset = index & ((uint32_t{1} << kFarOffsetBits) - 1);
    return SpanRef(far_base_[window] + offset * kSpanRefAlignBytes);
  }

 private:
  static constexpr uint32_t kFar = uint32_t{1} << 31;
  static constexpr uint32_t kFarOffsetBits = 24;
  static constexpr uint32_t kFarWindows = 128;
  static constexpr uint64_t kNearReach = uint64_t{kFar} * kSpanRefAlignBytes;
  static constexpr uint64_t kFarReach = kSpanRefAlignBytes << kFarOffsetBits;
  static constexpr uint64_t kNoBase = ~uint64_t{0};
  // The bit budget: a far mark, a window, an offset, and nothing over.
  static_assert(uint64_t{kFar} + (uint64_t{kFarWindows} << kFarOffsetBits) == uint64_t{1} << 32);
  static_assert(kNearReach == 128 * kGiB && kFarReach == kGiB);

  uint32_t FarIndexOf(SpanRef span) {
    const uint64_t base = RoundDown(span.value(), kFarReach);
    uint32_t window = 0;
    while (window < far_count_ && far_base_[window] != base) ++window;
    if (window == far_count_) {
      REHEAP_CHECK_LT(far_count_, kFarWindows);
      far_base_[far_count_++] = base;
    }
    return kFar | window << kFarOffsetBits |
           static_cast<uint32_t>((span.value() - base) / kSpanRefAlignBytes);
  }

  uint64_t near_base_ = kNoBase;  // kNoBase: no span yet
  uint32_t far_count_ = 0;
  uint64_t far_base_[kFarWindows] = {};
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_SPAN_INDEX_H_
