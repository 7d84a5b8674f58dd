// FlatPageMap: one array of 8-byte span references, an entry per heap page: the 2011 mail's design (row 7).
//
//   table bytes = 8 x (heap bytes >> page shift):   16 GiB / 4 KiB -> 2^22 x 8 = 32 MiB
//
// One load per lookup. Resident: only the OS pages of the table that were written (512 heap pages to each).
// Ownership and threads: as PageMapTables. Limits: needs a bounded heap range (a strategy with a reservation
// or a pretended one); see FlatTable.
#ifndef REHEAP_ALLOC_FLAT_PAGE_MAP_H_
#define REHEAP_ALLOC_FLAT_PAGE_MAP_H_

#include <cstdint>

#include "alloc/addr.h"
#include "alloc/flat_table.h"
#include "alloc/memory.h"
#include "alloc/os.h"
#include "alloc/page_map.h"

namespace reheap {

template <Memory M>
class FlatPageMap {
 public:
  static constexpr PageMapKind kKind = PageMapKind::kFlat;

  explicit FlatPageMap(M& memory) : table_(memory) {}

  OsResult<Done> Init(const PageMapSetup& setup) { return table_.Init(setup); }
  OsResult<Done> Prepare(PageId page, PageCount count) { return table_.Prepare(page, count); }
  void Set(PageId page, PageCount count, SpanRef span) { table_.Fill(page, count, span.value()); }
  REHEAP_PAGE_MAP_INLINE SpanRef Get(PageId page) const { return SpanRef(table_.Get(page)); }

  PageMapCost Cost() const { return table_.Cost(); }
  uint64_t ResidentBytesSlow() const { return table_.ResidentBytesSlow(); }
  void CheckInvariants() const { table_.CheckInvariants(); }

 private:
  FlatTable<M, uint64_t> table_;
};
static_assert(PageMap<FlatPageMap<DirectMemory>>);

}  // namespace reheap

#endif  // REHEAP_ALLOC_FLAT_PAGE_MAP_H_
