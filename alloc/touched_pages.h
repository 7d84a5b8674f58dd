// TouchedPages: the set of OS pages that a page map has written: its resident bytes, counted (row 10).
//
// An OS page stays resident after its entries were cleared, so a scan
// for non-zero entries undercounts; this set remembers first writes. It is kept in the object itself, because
// the allocator may not allocate to count: an open-addressed table of groups, 64 OS pages (a bit each) to a
// group.
//
// Ownership: owns nothing. Threads: one writer. Limits: 3,584 groups; a group is 256 KiB of table, which in a
// flat map of 8-byte entries is 128 MiB of 4 KiB heap pages, so at least 448 GiB of heap when it is
// contiguous. Beyond, exact() is false and count() a lower bound.
#ifndef REHEAP_ALLOC_TOUCHED_PAGES_H_
#define REHEAP_ALLOC_TOUCHED_PAGES_H_

#include <cstdint>

#include "alloc/addr.h"
#include "alloc/check.h"

namespace reheap {

class TouchedPages {
 public:
  // Preconditions: a power of two.
  void set_os_page_bytes(uint64_t bytes) {
    REHEAP_CHECK(bytes != 0 && (bytes & (bytes - 1)) == 0);
    os_page_shift_ = static_cast<uint32_t>(__builtin_ctzll(bytes));
  }
  uint64_t os_page_bytes() const { return uint64_t{1} << os_page_shift_; }

  // The OS page of `a` is about to be written.
  void Add(Addr a) {
    const uint64_t os_page = a.value() >> os_page_shift_;
    if (os_page == last_os_page_) return;
    AddSlow(os_page);
  }

  bool Contains(Addr a) const {
    const uint64_t os_page = a.value() >> os_page_shift_;
    const Group& group = groups_[SlotOf(os_page / kPagesPerGroup)];
    return (group.pages >> (os_page % kPagesPerGroup) & 1) != 0 && group.number == os_page / kPagesPerGroup;
  }

  uint64_t count() const { return count_; }  // OS pages
  bool exact() const { return exact_; }

  // The count again, by looking at every group.
  uint64_t CountSlow() const {
    uint64_t count = 0;
    for (const Group& group : groups_) count += static_cast<uint64_t>(__builtin_popcountll(group.pages));
    return count;
  }

 private:
  static constexpr uint64_t kPagesPerGroup = 64;
  static constexpr uint64_t kSlots = 4096;                // x 16 B = 64 KiB
  static constexpr uint64_t kMaxGroups = kSlots / 8 * 7;  // linear probing stays short up to 7/8 full
  static constexpr uint64_t kNoPage = ~uint64_t{0};

  struct Group {
    uint64_t number = 0;  // OS page number / kPagesPerGroup
    uint64_t pages = 0;   // bit i: page number * kPagesPerGroup + i was written; 0 = slot is free
  };

  // Where `number` is, or the free slot where it belongs.
  uint64_t SlotOf(uint64_t number) const {
    // Fibonacci hashing: 2^64 / golden ratio; the upper 12 bits choose one of 4,096 slots.
    static_assert(kSlots == uint64_t{1} << 12);
    uint64_t slot = number * 0x9e3779b97f4a7c15u >> 52;
    while (groups_[slot].pages != 0 && groups_[slot].number != number) slot = (slot + 1) % kSlots;
    return slot;
  }

  void AddSlow(uint64_t os_page) {
    Group& group = groups_[SlotOf(os_page / kPagesPerGroup)];
    if (group.pages == 0) {
      if (group_count_ == kMaxGroups) {
        exact_ = false;
        return;
      }
      ++group_count_;
      group.number = os_page / kPagesPerGroup;
    }
    const uint64_t bit = uint64_t{1} << os_page % kPagesPerGroup;
    if ((group.pages & bit) == 0) ++count_;
    group.pages |= bit;
    last_os_page_ = os_page;
  }

  uint32_t os_page_shift_ = 12;
  bool exact_ = true;
  uint64_t last_os_page_ = kNoPage;  // written last: most writes are beside the one before
  uint64_t count_ = 0;
  uint64_t group_count_ = 0;
  Group groups_[kSlots];
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_TOUCHED_PAGES_H_
