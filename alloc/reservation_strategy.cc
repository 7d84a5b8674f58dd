#include "alloc/reservation_strategy.h"

namespace reheap {

const char* PageMapKindName(PageMapKind kind) {
  switch (kind) {
    case PageMapKind::kFlat: return "flat";
    case PageMapKind::kFlatIndex: return "flat-index";
    case PageMapKind::kRadix2: return "radix2";
    case PageMapKind::kRadix3: return "radix3";
    case PageMapKind::kSparseArenas: return "sparse-arenas";
    case PageMapKind::kNone: return "none";
  }
  return "unknown";
}

}  // namespace reheap
