// ResidentSet: which OS pages of a simulated process hold written anonymous memory (row 9, "modelled kernel").
//
// One bit per OS page, kept only where something was written: 512 pages (2 MiB of 4 KiB pages) share a leaf,
// 512 leaves (1 GiB) a branch. A page on its own costs at most a leaf of 72 bytes, and an eighth of the branch's
// 4 KiB pointers when the neighbours are empty; all of 1 TiB, each page or one in 512, costs less than 50 MiB.
//
// Ownership: its own nodes. Threads: one. Limits: any address.
#ifndef REHEAP_SIM_OS_RESIDENT_SET_H_
#define REHEAP_SIM_OS_RESIDENT_SET_H_

#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <memory>

#include "alloc/addr.h"

namespace reheap {

class ResidentSet {
 public:
  explicit ResidentSet(uint64_t os_page_bytes);

  // Returns whether the OS page that holds `a` is new.
  bool Add(Addr a);
  bool Contains(Addr a) const;
  // Forgets the pages of `range` (whole OS pages); returns how many there were.
  uint64_t Clear(AddrRange range);
  // OS pages in the set.
  uint64_t count() const { return count_; }

  // count() from the bits. O(leaves).
  uint64_t Recount() const;

 private:
  static constexpr uint64_t kFan = 512;
  using Leaf = std::bitset<kFan>;
  struct Branch {
    uint64_t leaves = 0;  // how many are not null
    std::array<std::unique_ptr<Leaf>, kFan> leaf;
  };
  using Branches = std::map<uint64_t, Branch>;

  uint64_t ClearInBranch(Branch& branch, uint64_t first_page, uint64_t last_page);

  const uint32_t page_shift_;
  uint64_t count_ = 0;
  Branches branches_;  // by page number / (kFan * kFan)
  uint64_t last_key_ = ~uint64_t{0};
  Branch* last_branch_ = nullptr;  // of last_key_: most touches stay in one GiB
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_RESIDENT_SET_H_
