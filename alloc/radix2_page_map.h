// Radix2PageMap: two levels over 20-bit page numbers, tcmalloc's and early Go's on 32-bit machines (row 7).
//
//   20-bit page number = 32-bit address - 12 bits     [ 10 | 10 ]
//   root   2^10 x 4 B = 4 KiB     leaf   2^10 x 4 B = 4 KiB, covers 2^10 x 4 KiB = 4 MiB of heap
//
// Two dependent loads. A leaf is one small mapping of its own; neighbours merge in the kernel's books. The
// 2011 alternative, 2^20 pointers of 4 bytes for all of the address space, is FlatIndexPageMap in footprint.
//
// Ownership, threads: PageTree. Limits: heap, leaves and span records below 4 GiB, so it is for 32-bit
// platforms; where the OS places a leaf higher (any 64-bit one), Prepare is refused with the place obtained.
#ifndef REHEAP_ALLOC_RADIX2_PAGE_MAP_H_
#define REHEAP_ALLOC_RADIX2_PAGE_MAP_H_

#include <cstdint>

#include "alloc/addr.h"
#include "alloc/memory.h"
#include "alloc/page_map.h"
#include "alloc/page_tree.h"

namespace reheap {

struct Radix2Shape {
  using Entry = uint32_t;
  static constexpr PageMapKind kKind = PageMapKind::kRadix2;
  static constexpr int kLevels = 2;

  static constexpr Radix2Shape ForHeapPageShift(uint32_t) { return {}; }
  constexpr uint32_t bits(int) const { return 10; }
};
static_assert(sizeof(Radix2Shape::Entry) << Radix2Shape{}.bits(0) == 4 * kKiB);

template <Memory M>
using Radix2PageMap = PageTree<M, Radix2Shape>;
static_assert(PageMap<Radix2PageMap<DirectMemory>>);

}  // namespace reheap

#endif  // REHEAP_ALLOC_RADIX2_PAGE_MAP_H_
