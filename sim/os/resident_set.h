// ResidentSet: which OS pages of a simulated process hold written anonymous memory (row 9, "modelled
// kernel").
//
// One bit per OS page, kept only where something was written (page_tree.h): a page far from others costs a
// leaf of 64 bytes and its share of a branch, 4 KiB per GiB; one page or all of each 2 MiB of 1 TiB costs
// less than 50 MiB.
//
// Ownership: its own nodes. Threads: one. Limits: any address.
#ifndef REHEAP_SIM_OS_RESIDENT_SET_H_
#define REHEAP_SIM_OS_RESIDENT_SET_H_

#include <bitset>
#include <cstdint>

#include "alloc/addr.h"
#include "sim/os/os_page_tree.h"

namespace reheap {

class ResidentSet {
 public:
  explicit ResidentSet(uint64_t os_page_bytes);

  // Returns whether the OS page that holds `a` is new.
  bool Add(Addr a);
  bool Contains(Addr a);
  // Forgets the pages of `range` (whole OS pages); returns how many there were.
  uint64_t Clear(AddrRange range);
  // What is true of the pages of `from` becomes true of as many pages at `to`. Preconditions: none of those is in
  // the set. Time in pages that are.
  void Move(AddrRange from, Addr to);
  // OS pages in the set.
  uint64_t count() const { return count_; }
  // Of the host.
  uint64_t memory_bytes() const { return leaves_.memory_bytes(); }

  // count() from the bits. O(leaves).
  uint64_t Recount() const;

 private:
  static constexpr uint64_t kFan = 512;
  using Leaf = std::bitset<kFan>;
  static_assert(kFan == OsPageTree<Leaf>::kFan);

  const uint32_t page_shift_;
  uint64_t count_ = 0;
  OsPageTree<Leaf> leaves_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_RESIDENT_SET_H_
