// PageBits: a set of equal blocks of a simulated address space, one bit each (row 9, "modelled kernel").
//
// The blocks may be OS pages (which hold written memory?), huge pages or the ranges of page tables. Bits are kept
// only where there are any (os_page_tree.h): a block far from others costs a leaf of 64 bytes and its share of a
// branch, 4 KiB for each 2^18 blocks. With OS pages of 4 KiB, one page or all of each 2 MiB of 1 TiB costs less
// than 50 MiB.
//
// Ownership: its own nodes. Threads: one. Limits: any address.
#ifndef REHEAP_SIM_OS_PAGE_BITS_H_
#define REHEAP_SIM_OS_PAGE_BITS_H_

#include <cstdint>

#include "alloc/addr.h"
#include "sim/os/block_bits.h"
#include "sim/os/os_page_tree.h"

namespace reheap {

class PageBits {
 public:
  // `block_bytes` is a power of two.
  explicit PageBits(uint64_t block_bytes);

  // Returns whether the block that holds `a` is new.
  bool Add(Addr a);
  // Adds each block that begins in `range`.
  void AddAll(AddrRange range);
  bool Contains(Addr a) const {
    if (count_ == 0) return false;
    const uint64_t page = a.value() >> shift_;
    const Leaf* const leaf = leaves_.Find(page);
    return leaf != nullptr && leaf->Has(page % kFan);
  }
  // Returns whether it was there.
  bool Remove(Addr a);
  // Forgets the blocks that begin in `range`; returns how many there were. `range` begins and ends between blocks.
  uint64_t Clear(AddrRange range) { return count_ == 0 || range.empty() ? 0 : ClearSome(range); }
  // Calls visit(Addr) for the start of each block that begins in `range`, in rising order. `visit` must not change
  // the set.
  template <class Visit>
  void ForEach(AddrRange range, Visit visit) const {
    if (count_ == 0 || range.empty()) return;
    leaves_.Visit(range.start.value() >> shift_, (range.end().value() - 1) >> shift_,
                  [&](const Leaf& leaf, uint64_t base, uint64_t first, uint64_t last) {
                    leaf.ForEach(first, last, [&](uint64_t i) { visit(Addr((base + i) << shift_)); });
                  });
  }
  // Blocks in the set.
  uint64_t count() const { return count_; }
  uint64_t block_bytes() const { return uint64_t{1} << shift_; }
  // Of the host.
  uint64_t memory_bytes() const { return leaves_.memory_bytes(); }

  // count() from the bits. O(leaves).
  uint64_t Recount() const;

 private:
  uint64_t ClearSome(AddrRange range);

  using Leaf = BlockBits;
  static constexpr uint64_t kFan = Leaf::kBits;
  static_assert(kFan == OsPageTree<Leaf>::kFan);

  uint32_t shift_;
  uint64_t count_ = 0;
  OsPageTree<Leaf> leaves_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PAGE_BITS_H_
