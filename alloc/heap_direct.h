// The heaps of this very process, compiled once: Heap<DirectMemory, ...> for each page map (row 7 of the walk).
//
// Include this instead of heap.h where DirectMemory is used: Malloc and Free still inline into the caller, the rest is
// linked from heap_direct.cc. Ownership, threads, limits: heap.h.
#ifndef REHEAP_ALLOC_HEAP_DIRECT_H_
#define REHEAP_ALLOC_HEAP_DIRECT_H_

#include "alloc/flat_index_page_map.h"
#include "alloc/flat_page_map.h"
#include "alloc/heap.h"
#include "alloc/radix2_page_map.h"
#include "alloc/radix3_page_map.h"
#include "alloc/sparse_arena_page_map.h"

namespace reheap {

extern template class Heap<DirectMemory, FlatPageMap>;
extern template class Heap<DirectMemory, FlatIndexPageMap>;
extern template class Heap<DirectMemory, Radix2PageMap>;
extern template class Heap<DirectMemory, Radix3PageMap>;
extern template class Heap<DirectMemory, SparseArenaPageMap>;

}  // namespace reheap

#endif  // REHEAP_ALLOC_HEAP_DIRECT_H_
