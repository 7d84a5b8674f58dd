// Radix3PageMap: three levels over 52-bit page numbers, the map of Go until January 2011 (row 7 of the walk).
//
//   52-bit page number = 64-bit address - 12 bits     [ 18 | 18 | 16 ]
//   root   2^18 x 8 B = 2 MiB, in BSS when the strategy says so     node   2^18 x 8 B = 2 MiB
//   leaf   2^16 x 8 B = 512 KiB, covers 2^16 x 4 KiB = 256 MiB of heap
//
// Three dependent loads, for heap anywhere in 64 bits. User addresses have 47 or 48 bits, so that one to four
// of the nodes exist in practice; what a heap costs is the OS pages of the leaves that it writes.
//
// Ownership, threads, limits: PageTree. With heap pages above 4 KiB the root's upper entries are never used.
#ifndef REHEAP_ALLOC_RADIX3_PAGE_MAP_H_
#define REHEAP_ALLOC_RADIX3_PAGE_MAP_H_

#include <cstdint>

#include "alloc/addr.h"
#include "alloc/memory.h"
#include "alloc/page_map.h"
#include "alloc/page_tree.h"

namespace reheap {

struct Radix3Shape {
  using Entry = uint64_t;
  static constexpr PageMapKind kKind = PageMapKind::kRadix3;
  static constexpr int kLevels = 3;

  static constexpr Radix3Shape ForHeapPageShift(uint32_t) { return {}; }
  constexpr uint32_t bits(int level) const { return level == 2 ? 16 : 18; }
};
static_assert(sizeof(Radix3Shape::Entry) << Radix3Shape{}.bits(0) == 2 * kMiB);
static_assert(sizeof(Radix3Shape::Entry) << Radix3Shape{}.bits(2) == 512 * kKiB);

template <Memory M>
using Radix3PageMap = PageTree<M, Radix3Shape>;
static_assert(PageMap<Radix3PageMap<DirectMemory>>);

}  // namespace reheap

#endif  // REHEAP_ALLOC_RADIX3_PAGE_MAP_H_
