// SizeClasses: which object sizes share spans, and how such a span is cut (row 7 of the walk, first step).
//
// A request up to 32 KiB is rounded up to one of 60 (heap pages of 4 KiB) or 66 (8 KiB) sizes. A span of a
// class is n heap pages cut into equal objects; both kinds of waste are bounded by an eighth:
//   rounding   classes are at most an eighth apart from 128 B on (16 B apart below: up to 15 B of waste)
//   tail       a span has as many heap pages as it takes for the uncut rest to be at most an eighth of it
// Neighbouring sizes whose spans hold equally many objects in equally many pages are one class, the larger
// one.
//
// The table is computed, at compile time, from the heap page size; class 0 means "none: ask the page heap".
// Values only: no ownership, any thread. Limits: heap pages of 4 or 8 KiB.
#ifndef REHEAP_ALLOC_SIZE_CLASSES_H_
#define REHEAP_ALLOC_SIZE_CLASSES_H_

#include <cstdint>

#include "alloc/addr.h"
#include "alloc/check.h"

namespace reheap {

struct SizeClass {
  uint32_t object_bytes = 0;
  uint32_t span_pages = 0;  // heap pages
  uint32_t objects_per_span = 0;
  uint32_t objects_to_move = 0;  // per batch between a thread cache and the central list
  uint64_t reciprocal = 0;       // ceil(2^32 / object_bytes)

  // Which object of the span holds the byte at `offset`; may be objects_per_span (the uncut rest). Exact
  // because offset * (rounding error of the reciprocal < 1) < 2^32 / object_bytes: offset * object_bytes is
  // at most 2^17 * 2^15 = 2^32. The test tries every offset.
  constexpr uint32_t IndexOf(uint32_t offset) const {
    return static_cast<uint32_t>(offset * reciprocal >> 32);
  }
};

class SizeClasses {
 public:
  static constexpr uint64_t kMaxSmallBytes = 32 * kKiB;
  static constexpr uint64_t kMinObjectBytes = 8;
  static constexpr int kMaxClasses = 80;  // room for class 0 and any table that the rule makes

  // The table for heap pages of 2^12 or 2^13 bytes.
  static const SizeClasses& ForHeapPageShift(uint32_t heap_page_shift);

  // Number of classes, class 0 included: valid classes are 1 .. count() - 1.
  constexpr int count() const { return count_; }
  // Preconditions: 0 < index < count().
  constexpr const SizeClass& operator[](int index) const { return classes_[index]; }

  // Smallest class whose objects hold `bytes`; 0 when bytes > kMaxSmallBytes.
  constexpr int ClassFor(uint64_t bytes) const {
    if (bytes <= kFineLimit) return fine_[(bytes + kFineStep - 1) / kFineStep];
    if (bytes <= kMaxSmallBytes) return coarse_[(bytes - kFineLimit + kCoarseStep - 1) / kCoarseStep];
    return 0;
  }

  // The same where every object must start at a multiple of `alignment`; 0 when no class can promise it.
  // Objects start at multiples of the object size from the start of a heap page, so the size must be a
  // multiple. Preconditions: alignment is a power of two.
  constexpr int ClassFor(uint64_t bytes, uint64_t alignment) const {
    if (alignment <= kMinObjectBytes) return ClassFor(bytes);
    if (alignment > heap_page_bytes_ || bytes > kMaxSmallBytes) return 0;
    int index = ClassFor(RoundUp(bytes == 0 ? 1 : bytes, alignment));
    // A few steps: some multiple of the alignment within the next eighth or the next power of two is a class.
    while (index != 0 && classes_[index].object_bytes % alignment != 0) index = (index + 1) % count_;
    return index;
  }

  SizeClasses(const SizeClasses&) = delete;
  SizeClasses& operator=(const SizeClasses&) = delete;

 private:
  constexpr explicit SizeClasses(uint64_t heap_page_bytes);

  // The lookup: by 8 bytes up to 1 KiB, by 128 above, where every class is a multiple of 128.
  static constexpr uint64_t kFineLimit = 1024;
  static constexpr uint64_t kFineStep = 8;
  static constexpr uint64_t kCoarseStep = 128;

  static constexpr uint64_t StepAfter(uint64_t bytes);
  static constexpr uint64_t SpanPagesFor(uint64_t bytes, uint64_t heap_page_bytes);
  constexpr void MakeClasses();
  constexpr void MakeLookup();

  uint64_t heap_page_bytes_;
  int count_ = 1;
  SizeClass classes_[kMaxClasses] = {};
  uint8_t fine_[kFineLimit / kFineStep + 1] = {};
  uint8_t coarse_[(kMaxSmallBytes - kFineLimit) / kCoarseStep + 1] = {};
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_SIZE_CLASSES_H_
