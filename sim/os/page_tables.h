// PageTables: which page tables a simulated process has, as its kernel counts them (VmPTE; row 9).
//
// Level 0 holds the entries of OS pages, each higher level a table of tables. Linux counts the levels below the
// topmost (mm_pgtables_bytes, include/linux/mm_types.h, 6.12: PTE, PMD and PUD tables). A table comes with the first
// fault in its range, whatever the fault puts there, and goes when no mapping reaches into its range any more - not
// when its entries are empty.
//
// Ownership: its own bits: a bit per table. Threads: one. Limits: at most four levels; a platform that counts no tables
// has none of them.
#ifndef REHEAP_SIM_OS_PAGE_TABLES_H_
#define REHEAP_SIM_OS_PAGE_TABLES_H_

#include <cstdint>
#include <vector>

#include "alloc/addr.h"
#include "sim/os/page_bits.h"

namespace reheap {

class PageTables {
 public:
  // A table is one OS page of 8-byte entries, on every platform that counts them.
  PageTables(uint64_t os_page_bytes, int levels);

  // Makes the tables for `a` that are missing, from the top down to `level`; returns how many.
  int Make(Addr a, int level = 0);
  // How many Make(a) would make.
  int Missing(Addr a) const;
  // Whether there is a table of the lowest level.
  bool Has(Addr a) const { return !levels_.empty() && levels_[0].Contains(a); }
  // The one of the lowest level goes.
  void Drop(Addr a) { levels_[0].Remove(a); }
  // What the entries of `range` need at `to`, where they go: a table whose whole range moves to where one can lie goes
  // along, for others new ones are made and they stay.
  void Move(AddrRange range, Addr to);
  // `gap` has no mapping: all tables wholly within it go.
  void DropWithin(AddrRange gap);
  // Calls visit(Addr) for the start of each lowest table that lies wholly in `range`.
  template <class Visit>
  void ForEachWithin(AddrRange range, Visit visit) const {
    if (!levels_.empty()) levels_[0].ForEach(Inner(levels_[0], range), visit);
  }

  uint64_t count() const;
  uint64_t bytes() const { return count() * os_page_bytes_; }
  // What one table of the lowest level covers; 0 without levels.
  uint64_t covered_bytes() const { return levels_.empty() ? 0 : levels_[0].block_bytes(); }
  uint64_t memory_bytes() const;
  uint64_t Recount() const;

 private:
  // Those of the lowest level above the entries in `part`, which lies in one of the next.
  void MoveLowest(AddrRange part, uint64_t distance);
  // The starts of the blocks of `level` that `range` has a part of.
  static std::vector<Addr> Overlapping(const PageBits& level, AddrRange range);
  // The blocks of `level` wholly within `range`.
  static AddrRange Inner(const PageBits& level, AddrRange range);

  uint64_t os_page_bytes_;
  std::vector<PageBits> levels_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PAGE_TABLES_H_
