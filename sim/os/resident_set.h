// ResidentSet: what stands behind each OS page of a simulated process: its page table entries (row 9, "modelled
// kernel").
//
// One bit per OS page in the set of its state (page_bits.h), one bit for a whole huge page, one per page table. A page
// that nobody touched costs nothing; a page is in one state at most. It knows no mappings, permissions or limits.
//
// Ownership: its bits. Threads: one. Limits: any address; one size of huge page.
#ifndef REHEAP_SIM_OS_RESIDENT_SET_H_
#define REHEAP_SIM_OS_RESIDENT_SET_H_

#include <cstdint>

#include "alloc/addr.h"
#include "sim/os/page_bits.h"
#include "sim/os/page_tables.h"

namespace reheap {

enum class PageState : uint8_t {
  kAbsent,
  kAnonymous,  // private memory that was written (RssAnon)
  kZero,       // read, never written: the shared zero page, which counts as nothing
  kShared,     // of a shared memory object (RssShmem)
  kFile,       // of a file, not copied (RssFile)
  kGuard,      // MADV_GUARD_INSTALL: an access faults
};

class ResidentSet {
 public:
  // `huge_page_bytes` 0 = the platform has none; `table_levels` 0 = it counts no page tables; `split_leaves_zero_page`:
  // see SplitFolios.
  ResidentSet(uint64_t os_page_bytes, uint64_t huge_page_bytes, int table_levels, bool split_leaves_zero_page = true);

  PageState At(Addr a) const;
  // At(a) == kAnonymous; a bit test.
  bool HasAnonymous(Addr a) const { return anonymous_.Contains(a) || huge_anonymous_.Contains(a); }
  bool IsHuge(Addr a) const { return huge_anonymous_.Contains(a) || huge_zero_.Contains(a); }

  // The page of `a` gets `state` instead of what it had; the tables above it are made. `blank`: it is kAnonymous
  // without that the program wrote to it. Preconditions: not in a huge page; not kAbsent.
  void Put(Addr a, PageState state, bool blank = false);
  // All OS pages of `range` get `state`, with their tables. Preconditions: they are absent, or in that state already;
  // it is neither kAbsent nor kAnonymous.
  void PutAll(AddrRange range, PageState state);
  // The huge page that holds `a` becomes kAnonymous, blank, or kZero. Preconditions: nothing of it is in any state. It takes a
  // table with it, as 512 pages would (pgtable_trans_huge_deposit, mm/huge_memory.c, linux 6.12).
  void PutHuge(Addr a, PageState state);
  // The huge page that holds `a` becomes OS pages of the same state (__split_huge_pmd, mm/huge_memory.c, linux 6.12);
  // BreakHugeAt: if `a` is a boundary inside one.
  void BreakHugeAt(Addr a) {
    if (a.value() % huge_page_bytes_ != 0) BreakHuge(a);
  }
  void BreakHuge(Addr a);
  // The tables above `a` from `level` on, without a page.
  void MakeTables(Addr a, int level) { tables_.Make(a, level); }
  bool HasTable(Addr a) const { return tables_.Has(a); }

  // All pages of `range` become absent. A huge page that sticks out is broken first; one wholly inside takes its table
  // along (zap_huge_pmd, mm/huge_memory.c, linux 6.12). Other tables stay.
  void Clear(AddrRange range) {
    ClearButGuards(range);
    guard_.Clear(range);
  }
  void ClearButGuards(AddrRange range);
  // Pages of files and shared memory alone.
  void ClearMapped(AddrRange range) {
    shared_.Clear(range);
    file_.Clear(range);
  }
  void ClearGuards(AddrRange range) { guard_.Clear(range); }
  // Lowest tables wholly in `range` that have no entry left go.
  void DropEmptyTables(AddrRange range);
  // No mapping is left in `gap`.
  void DropTablesWithin(AddrRange gap) { tables_.DropWithin(gap); }
  // Everything in `range` moves to `to`, guards too, and `with_tables` are the addresses of which page tables may go
  // along: `range`, or more below it. Preconditions: nothing is at `to`, nor below `range` in `with_tables`.
  void Move(AddrRange range, Addr to, AddrRange with_tables);
  void Move(AddrRange range, Addr to) { Move(range, to, range); }

  // Whether a move of `range` by `distance` takes a huge page apart, or moves pages of one that was broken. Where those
  // went is not followed: what they still have in common with the rest (SplitFolios) is forgotten.
  bool TakesFoliosApart(AddrRange range, uint64_t distance) const;

  // The program writes to the page of `a`, which is kAnonymous: it is neither lazy nor blank any more. Cheap where
  // nothing is.
  void NoteWrite(Addr a) {
    if (blank_.count() != 0) blank_.Remove(a);
    ClearLazy(a);
  }
  // The kernel does, which leaves zeros as they are.
  void ClearLazy(Addr a) {
    if (lazy_.count() != 0) ClearLazySlow(a);
  }
  // Written pages in `range` may be taken any time, until written again.
  void MarkLazy(AddrRange range);
  // Written pages in `range` are not counted as used until ClearReusable, whatever is written to them in between
  // (MADV_FREE_REUSABLE).
  void MarkReusable(AddrRange range);
  void ClearReusable(AddrRange range) { reusable_.Clear(range); }
  // Large folios that `range` has a part of are split: what the program never wrote of them becomes the zero page
  // (split_folio with RMP_USE_SHARED_ZEROPAGE, mm/huge_memory.c, linux 6.12), or stays as it is, where the platform has
  // it so. Those wholly within stay whole. A page that the program wrote is taken to be not all zeros.
  void SplitFolios(AddrRange range);
  // Takes lazy pages until `pages` are gone or none is left; returns how many. Lowest first.
  uint64_t TakeLazy(uint64_t pages);
  // All lazy pages of `range` go.
  void TakeLazyIn(AddrRange range);
  // The aligned range of a huge page at `a` becomes a huge page, whatever of it is there (MADV_COLLAPSE). False when
  // it has no page table, or a guard (find_pmd_or_thp_or_none, mm/khugepaged.c, linux 6.12; that no page of it must be
  // written: measured on 6.18).
  bool Collapse(Addr a);

  // Calls visit(Addr) for each page of `range` in `state`; those in huge pages are not visited.
  template <class Visit>
  void ForEach(PageState state, AddrRange range, Visit visit) const {
    Set(state).ForEach(range, visit);
  }

  // Those of anonymous_pages() in `range`. O(pages).
  uint64_t AnonymousPagesIn(AddrRange range) const;
  // Of huge_anonymous_bytes() in `range`, which cuts none. O(pages).
  uint64_t HugeAnonymousBytesIn(AddrRange range) const {
    uint64_t bytes = 0;
    huge_anonymous_.ForEach(range, [&](Addr) { bytes += huge_page_bytes_; });
    return bytes;
  }
  // OS pages.
  uint64_t anonymous_pages() const { return anonymous_.count() + huge_anonymous_.count() * huge_pages_; }
  uint64_t shared_pages() const { return shared_.count(); }
  uint64_t file_pages() const { return file_.count(); }
  uint64_t resident_pages() const { return anonymous_pages() + shared_pages() + file_pages(); }
  uint64_t lazy_pages() const { return lazy_.count(); }
  uint64_t reusable_pages() const { return reusable_.count(); }  // of the anonymous ones
  uint64_t huge_anonymous_bytes() const { return huge_anonymous_.count() * huge_page_bytes_; }
  const PageTables& tables() const { return tables_; }
  uint64_t os_page_bytes() const { return anonymous_.block_bytes(); }
  uint64_t huge_page_bytes() const { return huge_page_bytes_; }
  // Of the host.
  uint64_t memory_bytes() const;

  // CHECKs the counters against the bits, that no page has two states and that every entry has its table. O(pages).
  void CheckInvariants() const;

 private:
  static constexpr AddrRange kEverything{Addr(), ~uint64_t{0}};

  const PageBits& Set(PageState state) const { return const_cast<ResidentSet*>(this)->Set(state); }
  PageBits& Set(PageState state);
  void ClearLazySlow(Addr a);
  void SplitFolio(Addr a);
  AddrRange HugeRange(Addr a) const { return {RoundDown(a, huge_page_bytes_), huge_page_bytes_}; }

  const uint64_t huge_page_bytes_;
  const uint64_t huge_pages_;  // OS pages in a huge page
  const bool split_leaves_zero_page_;
  PageBits anonymous_;
  PageBits zero_;
  PageBits shared_;
  PageBits file_;
  PageBits guard_;
  PageBits lazy_;  // also in anonymous_, or in a huge page of huge_anonymous_
  PageBits blank_;  // likewise: of all zeros, since only the kernel wrote it
  PageBits folio_;  // in anonymous_: part of what was a huge page and is one block of memory still
  PageBits reusable_;  // in anonymous_, or in a huge page of huge_anonymous_
  PageBits huge_anonymous_;
  PageBits huge_zero_;
  PageTables tables_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_RESIDENT_SET_H_
