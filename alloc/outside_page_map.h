// OutsidePageMap: the page map of an allocator that has none (row 7 of the walk).
//
// glibc finds a chunk's size in the header before it, mimalloc and others a block's page by masking its
// address: there is no table from page to span in their process. The heap that plays their part needs one, so
// it keeps a radix3 tree outside the process (alloc/outside_os.h), where it costs nothing: Cost is zero, and
// so is what a lookup of the original would load from a table.
//
// Ownership, threads: PageTree. Limits: simulated memory only.
#ifndef REHEAP_ALLOC_OUTSIDE_PAGE_MAP_H_
#define REHEAP_ALLOC_OUTSIDE_PAGE_MAP_H_

#include "alloc/memory.h"
#include "alloc/page_map.h"
#include "alloc/page_tree.h"
#include "alloc/radix3_page_map.h"

namespace reheap {

struct OutsideShape : Radix3Shape {
  static constexpr PageMapKind kKind = PageMapKind::kNone;
  static constexpr OutsideShape ForHeapPageShift(uint32_t) { return {}; }
};

template <Memory M>
class OutsidePageMap : public PageTree<M, OutsideShape> {
 public:
  using PageTree<M, OutsideShape>::PageTree;
  PageMapCost Cost() const { return PageMapCost(); }
};
static_assert(PageMap<OutsidePageMap<DirectMemory>>);

}  // namespace reheap

#endif  // REHEAP_ALLOC_OUTSIDE_PAGE_MAP_H_
