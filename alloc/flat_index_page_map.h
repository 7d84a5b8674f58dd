// FlatIndexPageMap: one array of 4-byte span indexes, an entry per heap page (rows 7 and 10 of the walk).
//
// The 2011 array with half the footprint: 16 GiB / 4 KiB -> 2^22 x 4 = 16 MiB. Where a lookup costs a cache
// or TLB miss, half the table is half the misses; turning the index back into an address is arithmetic, no
// load (SpanIndex).
//
// One load per lookup. Ownership and threads: as PageMapTables. Limits: those of FlatTable and SpanIndex:
// span records are multiples of kSpanRefAlignBytes.
#ifndef REHEAP_ALLOC_FLAT_INDEX_PAGE_MAP_H_
#define REHEAP_ALLOC_FLAT_INDEX_PAGE_MAP_H_

#include <cstdint>

#include "alloc/addr.h"
#include "alloc/flat_table.h"
#include "alloc/memory.h"
#include "alloc/os.h"
#include "alloc/page_map.h"
#include "alloc/span_index.h"

namespace reheap {

template <Memory M>
class FlatIndexPageMap {
 public:
  static constexpr PageMapKind kKind = PageMapKind::kFlatIndex;

  explicit FlatIndexPageMap(M& memory) : table_(memory) {}

  OsResult<Done> Init(const PageMapSetup& setup) { return table_.Init(setup); }
  OsResult<Done> Prepare(PageId page, PageCount count) { return table_.Prepare(page, count); }
  void Set(PageId page, PageCount count, SpanRef span) { table_.Fill(page, count, index_.IndexOf(span)); }
  REHEAP_PAGE_MAP_INLINE SpanRef Get(PageId page) const { return index_.SpanOf(table_.Get(page)); }

  PageMapCost Cost() const { return table_.Cost(); }
  uint64_t ResidentBytesSlow() const { return table_.ResidentBytesSlow(); }
  void CheckInvariants() const { table_.CheckInvariants(); }

 private:
  SpanIndex index_;
  FlatTable<M, uint32_t> table_;
};
static_assert(PageMap<FlatIndexPageMap<DirectMemory>>);

}  // namespace reheap

#endif  // REHEAP_ALLOC_FLAT_INDEX_PAGE_MAP_H_
