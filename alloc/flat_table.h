// FlatTable: one array entry per heap page of a bounded range; the base of the two flat page maps (row 7).
//
// The 2011 mail's argument: if the heap is contiguous, an array indexed by page number needs one load, and on
// a demand-paged system the part that nobody touches costs nothing but address space.
//
//   heap_range      first page                                    last page
//   entry           [ 0 ][ 1 ][ 2 ] ...  usable_entries_ | not Ready yet ... ]
//
// Ownership and threads: as PageMapTables. Limits: covers PageMapSetup::heap_range only; a page elsewhere
// reads as zero and must not be set.
#ifndef REHEAP_ALLOC_FLAT_TABLE_H_
#define REHEAP_ALLOC_FLAT_TABLE_H_

#include <cstdint>

#include "alloc/addr.h"
#include "alloc/check.h"
#include "alloc/memory.h"
#include "alloc/os.h"
#include "alloc/page_map.h"
#include "alloc/page_map_tables.h"

namespace reheap {

template <Memory M, class Entry>
class FlatTable {
 public:
  explicit FlatTable(M& memory) : tables_(memory) {}

  // Preconditions: setup.heap_range is not empty.
  OsResult<Done> Init(const PageMapSetup& setup) {
    REHEAP_CHECK(!setup.heap_range.empty());
    tables_.Init(setup);
    const uint32_t page_shift = setup.strategy->heap_page_shift;
    first_page_ = setup.heap_range.start.value() >> page_shift;
    const uint64_t end_page =
        RoundUp(setup.heap_range.end(), uint64_t{1} << page_shift).value() >> page_shift;
    entries_ = end_page - first_page_;
    const OsResult<Addr> table = tables_.TakeRoot(setup, entries_ * sizeof(Entry));
    if (!table.ok()) return table.refusal();
    table_ = table.value();
    entry_of_page_zero_ = table_ - first_page_ * sizeof(Entry);
    held_ = setup.table.empty() ? Firmness::kNothing : setup.table_held;
    if (held_ == Firmness::kNothing) usable_entries_ = entries_;
    return Done();
  }

  // Preconditions: the pages lie in the heap range.
  OsResult<Done> Prepare(PageId page, PageCount count) {
    const uint64_t end = EndIndex(page, count);
    if (end <= usable_entries_) return Done();
    const uint64_t os_page = tables_.os_page_bytes();
    const uint64_t ready_bytes = RoundUp(usable_entries_ * sizeof(Entry), os_page);
    const uint64_t needed_bytes = RoundUp(end * sizeof(Entry), os_page);
    const OsResult<Done> made = tables_.MakeReady({table_ + ready_bytes, needed_bytes - ready_bytes}, held_);
    if (!made.ok()) return made;
    __atomic_store_n(&usable_entries_, std::min(needed_bytes / sizeof(Entry), entries_), __ATOMIC_RELEASE);
    return Done();
  }

  // Preconditions: Prepare succeeded for the pages.
  void Fill(PageId page, PageCount count, Entry entry) {
    REHEAP_CHECK_LE(EndIndex(page, count), usable_entries_);
    tables_.template Fill<Entry>(table_, page.value() - first_page_, count.value(), entry);
  }

  // Zero outside the range: a page below it wraps to a huge index.
  REHEAP_PAGE_MAP_INLINE Entry Get(PageId page) const {
    const uint64_t index = page.value() - first_page_;
    if (index >= __atomic_load_n(&usable_entries_, __ATOMIC_ACQUIRE)) return 0;
    // Not table_[index]: the processor predicts the check and loads at once, without waiting for the
    // subtraction.
    return tables_.template Load<Entry>(entry_of_page_zero_, page.value());
  }

  PageMapCost Cost() const { return {tables_.reserved_bytes(), tables_.resident_bytes(), 1}; }

  uint64_t ResidentBytesSlow() const {
    return tables_.template CountNonZeroPagesSlow<Entry>(table_, usable_entries_) * tables_.os_page_bytes();
  }

  void CheckInvariants() const {
    REHEAP_CHECK_LE(usable_entries_, entries_);
    tables_.CheckCounters(ResidentBytesSlow() / tables_.os_page_bytes());
  }

 private:
  uint64_t EndIndex(PageId page, PageCount count) const {
    REHEAP_CHECK_GE(page.value(), first_page_);
    REHEAP_CHECK_LE(count.value(), entries_);
    REHEAP_CHECK_LE(page.value() - first_page_, entries_ - count.value());
    return page.value() - first_page_ + count.value();
  }

  // What a lookup reads comes first: one cache line.
  uint64_t first_page_ = 0;
  uint64_t usable_entries_ = 0;  // entries [0, usable_entries_) may be reached; the rest is not Ready
  Addr entry_of_page_zero_;      // where page 0 would have its entry; modulo 2^64, nothing need be there
  Addr table_;
  uint64_t entries_ = 0;
  Firmness held_ = Firmness::kNothing;
  PageMapTables<M> tables_;
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_FLAT_TABLE_H_
