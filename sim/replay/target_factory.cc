#include "sim/replay/target_factory.h"

#include "alloc/flat_index_page_map.h"
#include "alloc/flat_page_map.h"
#include "alloc/outside_page_map.h"
#include "alloc/radix2_page_map.h"
#include "alloc/radix3_page_map.h"
#include "alloc/sparse_arena_page_map.h"

namespace reheap {
namespace {

template <Memory M>
std::unique_ptr<ReplayTarget> Make(Os& os, M& memory, const ReservationStrategy& strategy,
                                   const HeapTargetOptions& options) {
  switch (strategy.page_map) {
    case PageMapKind::kFlat:
      return std::make_unique<HeapTarget<Heap<M, FlatPageMap>, M>>(os, memory, strategy, options);
    case PageMapKind::kFlatIndex:
      return std::make_unique<HeapTarget<Heap<M, FlatIndexPageMap>, M>>(os, memory, strategy, options);
    case PageMapKind::kRadix2:
      return std::make_unique<HeapTarget<Heap<M, Radix2PageMap>, M>>(os, memory, strategy, options);
    case PageMapKind::kRadix3:
      return std::make_unique<HeapTarget<Heap<M, Radix3PageMap>, M>>(os, memory, strategy, options);
    case PageMapKind::kSparseArenas:
      return std::make_unique<HeapTarget<Heap<M, SparseArenaPageMap>, M>>(os, memory, strategy, options);
    case PageMapKind::kNone:
      return std::make_unique<HeapTarget<Heap<M, OutsidePageMap>, M>>(os, memory, strategy, options);
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<ReplayTarget> MakeHeapTarget(Os& os, DirectMemory& memory, const ReservationStrategy& strategy,
                                             const HeapTargetOptions& options) {
  return Make(os, memory, strategy, options);
}

std::unique_ptr<ReplayTarget> MakeHeapTarget(Os& os, ShadowMemory& memory, const ReservationStrategy& strategy,
                                             const HeapTargetOptions& options) {
  return Make(os, memory, strategy, options);
}

}  // namespace reheap
