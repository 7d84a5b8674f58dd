// HeapBitmap: four bits for every word of the heap, growing downward from the heap's start (row 7).
//
// The shape of the 2011 Go runtime: heap and bitmap share one reservation and grow away from each other, so
// that both are contiguous and the bits of an address are found by arithmetic alone.
//
//        <- bitmap grows                    heap_start                        heap grows ->
//   ... | unit 2 | unit 1 | unit 0          | word 0 | word 1 | ...  | word 16 | ...
//                            |
//       unit u is 8 bytes at heap_start - 8 (u + 1), 16 heap words in it:
//       bits 4i .. 4i + 3 belong to heap word 16 u + i      (word 0 of the unit in the lowest bits)
//
//   bitmap bytes = heap bytes / (2 x word bytes):   16 GiB of 8-byte words -> 1 GiB
//                                                    4 GiB of 4-byte words -> 512 MiB
//
// The owner (Arena) maps the pieces, whole chunks of them: GrowthFor says which. Ownership: owns nothing.
// Threads: one writer per unit; different spans never share one (a heap page is many units). Limits:
// heap_start is a multiple of 16 heap words; bits exist for mapped pieces only.
#ifndef REHEAP_ALLOC_HEAP_BITMAP_H_
#define REHEAP_ALLOC_HEAP_BITMAP_H_

#include <algorithm>
#include <cstdint>

#include "alloc/addr.h"
#include "alloc/check.h"
#include "alloc/memory.h"

namespace reheap {

// What a heap word's four bits say. All zero: free.
enum HeapBits : uint8_t {
  kHeapBitAllocated = 1 << 0,   // an object starts here
  kHeapBitNoPointers = 1 << 1,  // the object holds no pointers
  kHeapBitMarked = 1 << 2,      // reached by the collector
  kHeapBitSpecial = 1 << 3,     // has a finalizer or is profiled
};

// Where bits lie: pure arithmetic, so that a plan can be made without a heap.
class HeapBitmapLayout {
 public:
  static constexpr uint64_t kUnitBytes = 8;
  static constexpr uint64_t kBitsPerWord = 4;
  static constexpr uint64_t kWordsPerUnit = kUnitBytes * 8 / kBitsPerWord;  // 16

  // Preconditions: heap_word_bytes is 4 or 8; chunk_bytes a power of two, at least one unit.
  constexpr HeapBitmapLayout(Addr heap_start, uint64_t heap_word_bytes, uint64_t chunk_bytes)
      : heap_start_(heap_start), word_shift_(heap_word_bytes == 4 ? 2 : 3), chunk_bytes_(chunk_bytes) {
    REHEAP_CHECK(heap_word_bytes == 4 || heap_word_bytes == 8);
    REHEAP_CHECK(chunk_bytes >= kUnitBytes && (chunk_bytes & (chunk_bytes - 1)) == 0);
    REHEAP_CHECK_EQ(heap_start.value() % (kWordsPerUnit * heap_word_bytes), 0);
  }

  // Bitmap for the first `heap_bytes` of heap: whole chunks.
  constexpr uint64_t BytesFor(uint64_t heap_bytes) const {
    const uint64_t heap_bytes_per_unit = kWordsPerUnit << word_shift_;
    return RoundUp((heap_bytes + heap_bytes_per_unit - 1) / heap_bytes_per_unit * kUnitBytes, chunk_bytes_);
  }
  // What must become usable when the heap grows from `old_heap_bytes` to `new_heap_bytes`; empty when the
  // chunks in use suffice. Preconditions: new_heap_bytes >= old_heap_bytes.
  constexpr AddrRange GrowthFor(uint64_t old_heap_bytes, uint64_t new_heap_bytes) const {
    const uint64_t old_bytes = BytesFor(old_heap_bytes);
    const uint64_t new_bytes = BytesFor(new_heap_bytes);
    return {heap_start_ - new_bytes, new_bytes - old_bytes};
  }

  // Number of the heap word that holds `a`. Preconditions: a >= heap_start.
  constexpr uint64_t WordOf(Addr a) const { return (a - heap_start_) >> word_shift_; }
  constexpr Addr UnitOf(uint64_t word) const { return heap_start_ - (word / kWordsPerUnit + 1) * kUnitBytes; }
  static constexpr uint32_t ShiftOf(uint64_t word) {
    return static_cast<uint32_t>(word % kWordsPerUnit * kBitsPerWord);
  }
  constexpr Addr heap_start() const { return heap_start_; }
  constexpr uint64_t heap_word_bytes() const { return uint64_t{1} << word_shift_; }

 private:
  Addr heap_start_;
  uint32_t word_shift_;
  uint64_t chunk_bytes_;
};

template <Memory M>
class HeapBitmap {
 public:
  HeapBitmap(M& memory, const HeapBitmapLayout& layout) : memory_(&memory), layout_(layout) {}

  const HeapBitmapLayout& layout() const { return layout_; }

  // The HeapBits of the heap word at `a`.
  uint8_t Get(Addr a) const {
    const uint64_t word = layout_.WordOf(a);
    const uint64_t unit = memory_->template Read<uint64_t>(layout_.UnitOf(word));
    return static_cast<uint8_t>(unit >> HeapBitmapLayout::ShiftOf(word) & 0xf);
  }
  // Adds `bits` to those of the heap word at `a`.
  void Set(Addr a, uint8_t bits) {
    const uint64_t word = layout_.WordOf(a);
    const uint64_t in_unit = uint64_t{bits} << HeapBitmapLayout::ShiftOf(word);
    memory_->template Write<uint64_t>(layout_.UnitOf(word)) |= in_unit;
  }
  void Clear(Addr a, uint8_t bits) {
    const uint64_t word = layout_.WordOf(a);
    const uint64_t in_unit = uint64_t{bits} << HeapBitmapLayout::ShiftOf(word);
    memory_->template Write<uint64_t>(layout_.UnitOf(word)) &= ~in_unit;
  }

  // The heap words of `range` become free: all bits zero. Units that are zero already are only read, so that
  // clearing makes nothing resident. Preconditions: range starts and ends at heap words.
  void ClearRange(AddrRange range) {
    if (range.empty()) return;
    const uint64_t end = layout_.WordOf(range.end());
    for (uint64_t word = layout_.WordOf(range.start); word < end;) {
      const uint64_t in_unit = word % HeapBitmapLayout::kWordsPerUnit;
      const uint64_t n = std::min(HeapBitmapLayout::kWordsPerUnit - in_unit, end - word);
      // n words of 4 bits: n = 16 shifts by 0, which keeps all bits.
      const uint64_t mask = ~uint64_t{0} >> (64 - 4 * n) << HeapBitmapLayout::ShiftOf(word);
      const Addr unit = layout_.UnitOf(word);
      const bool is_zero = (memory_->template Read<uint64_t>(unit) & mask) == 0;
      if (!is_zero) memory_->template Write<uint64_t>(unit) &= ~mask;
      word += n;
    }
  }

  // Heap words of `range` that have all of `bits`, one by one.
  uint64_t CountSlow(AddrRange range, uint8_t bits) const {
    uint64_t count = 0;
    for (Addr a = range.start; a < range.end(); a = a + layout_.heap_word_bytes()) {
      count += (Get(a) & bits) == bits;
    }
    return count;
  }

 private:
  M* memory_;
  HeapBitmapLayout layout_;
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_HEAP_BITMAP_H_
