// SparseArenaPageMap: a table of 64 MiB arenas, each with its own array, the shape of Go since 1.11 (row 7).
//
//   48-bit address     [ arena number: 22 bits | byte in arena: 26 bits ]
//   table   2^22 x 8 B = 32 MiB, mapped whole, paged in on demand (Go's L2; L1 has one entry on 64-bit unix)
//   arena   (64 MiB / heap page) x 8 B: 64 KiB with 8 KiB heap pages, 128 KiB with 4 KiB
//
// Two dependent loads; no reservation is needed, because an arena may lie anywhere. Of Go's heapArena
// (2,165,776 B in 1.19) this is the `spans` array; the rest is the heap bitmap (2 bits per word, 2 MiB) and
// bits per page (in use, marks, specials), which are no part of page-to-span and are not mapped here.
//
// Ownership, threads: PageTree. Limits: addresses below 2^48; Prepare is refused beyond.
#ifndef REHEAP_ALLOC_SPARSE_ARENA_PAGE_MAP_H_
#define REHEAP_ALLOC_SPARSE_ARENA_PAGE_MAP_H_

#include <cstdint>

#include "alloc/addr.h"
#include "alloc/memory.h"
#include "alloc/page_map.h"
#include "alloc/page_tree.h"

namespace reheap {

class SparseArenaShape {
 public:
  using Entry = uint64_t;
  static constexpr PageMapKind kKind = PageMapKind::kSparseArenas;
  static constexpr int kLevels = 2;
  static constexpr uint32_t kAddressBits = 48;
  static constexpr uint32_t kArenaShift = 26;  // 64 MiB

  static constexpr SparseArenaShape ForHeapPageShift(uint32_t heap_page_shift) {
    SparseArenaShape shape;
    shape.arena_page_bits_ = kArenaShift - heap_page_shift;
    return shape;
  }
  constexpr uint32_t bits(int level) const {
    return level == 0 ? kAddressBits - kArenaShift : arena_page_bits_;
  }

 private:
  uint32_t arena_page_bits_ = 0;  // log2 of heap pages per arena
};
static_assert(sizeof(SparseArenaShape::Entry) << SparseArenaShape{}.bits(0) == 32 * kMiB);

template <Memory M>
using SparseArenaPageMap = PageTree<M, SparseArenaShape>;
static_assert(PageMap<SparseArenaPageMap<DirectMemory>>);

}  // namespace reheap

#endif  // REHEAP_ALLOC_SPARSE_ARENA_PAGE_MAP_H_
