#include "alloc/heap_direct.h"

namespace reheap {

template class Heap<DirectMemory, FlatPageMap>;
template class Heap<DirectMemory, FlatIndexPageMap>;
template class Heap<DirectMemory, Radix2PageMap>;
template class Heap<DirectMemory, Radix3PageMap>;
template class Heap<DirectMemory, SparseArenaPageMap>;

}  // namespace reheap
