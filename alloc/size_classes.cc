#include "alloc/size_classes.h"

#include <algorithm>

namespace reheap {
namespace {

// A batch moves about 64 KiB, but at least 2 objects (else there is nothing to amortise the lock over) and at
// most 32 (a thread cache must not hoard): the figures of tcmalloc and of Go in 2011.
constexpr uint64_t kBatchBytes = 64 * kKiB;
constexpr uint64_t kMinBatch = 2;
constexpr uint64_t kMaxBatch = 32;

constexpr uint64_t LargestPowerOfTwoIn(uint64_t n) { return uint64_t{1} << (63 - __builtin_clzll(n)); }

}  // namespace

constexpr SizeClasses::SizeClasses(uint64_t heap_page_bytes) : heap_page_bytes_(heap_page_bytes) {
  MakeClasses();
  MakeLookup();
}

// Distance to the next candidate size: 8, then 16, then an eighth of the power of two below, at most 256 (one
// coarser step would leave too few objects in a span to share its tail).
constexpr uint64_t SizeClasses::StepAfter(uint64_t bytes) {
  if (bytes < 16) return 8;
  if (bytes < 128) return 16;
  return std::min<uint64_t>(LargestPowerOfTwoIn(bytes) / 8, 256);
}

constexpr uint64_t SizeClasses::SpanPagesFor(uint64_t bytes, uint64_t heap_page_bytes) {
  uint64_t pages = 1;
  while (pages * heap_page_bytes % bytes > pages * heap_page_bytes / 8) ++pages;
  return pages;
}

constexpr void SizeClasses::MakeClasses() {
  for (uint64_t bytes = kMinObjectBytes; bytes <= kMaxSmallBytes; bytes += StepAfter(bytes)) {
    const uint64_t pages = SpanPagesFor(bytes, heap_page_bytes_);
    SizeClass made;
    made.object_bytes = static_cast<uint32_t>(bytes);
    made.span_pages = static_cast<uint32_t>(pages);
    made.objects_per_span = static_cast<uint32_t>(pages * heap_page_bytes_ / bytes);
    made.objects_to_move = static_cast<uint32_t>(std::clamp(kBatchBytes / bytes, kMinBatch, kMaxBatch));
    made.reciprocal = ((uint64_t{1} << 32) + bytes - 1) / bytes;
    const SizeClass& last = classes_[count_ - 1];
    const bool same_cut =
        last.span_pages == made.span_pages && last.objects_per_span == made.objects_per_span;
    classes_[same_cut ? count_ - 1 : count_++] = made;
  }
}

constexpr void SizeClasses::MakeLookup() {
  int index = 1;
  for (uint64_t bytes = 0; bytes <= kFineLimit; bytes += kFineStep) {
    while (classes_[index].object_bytes < bytes) ++index;
    fine_[bytes / kFineStep] = static_cast<uint8_t>(index);
  }
  for (uint64_t bytes = kFineLimit; bytes <= kMaxSmallBytes; bytes += kCoarseStep) {
    while (classes_[index].object_bytes < bytes) ++index;
    coarse_[(bytes - kFineLimit) / kCoarseStep] = static_cast<uint8_t>(index);
  }
}

const SizeClasses& SizeClasses::ForHeapPageShift(uint32_t heap_page_shift) {
  static constexpr SizeClasses k4KiB(4 * kKiB);
  static constexpr SizeClasses k8KiB(8 * kKiB);
  REHEAP_CHECK(heap_page_shift == 12 || heap_page_shift == 13);
  return heap_page_shift == 12 ? k4KiB : k8KiB;
}

}  // namespace reheap
