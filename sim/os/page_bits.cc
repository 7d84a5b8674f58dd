#include "sim/os/page_bits.h"

#include <algorithm>
#include <bit>

#include "alloc/check.h"

namespace reheap {

PageBits::PageBits(uint64_t block_bytes)
    : shift_(static_cast<uint32_t>(std::countr_zero(block_bytes))) {
  REHEAP_CHECK(std::has_single_bit(block_bytes));
}

bool PageBits::Add(Addr a) {
  const uint64_t page = a.value() >> shift_;
  Leaf& leaf = leaves_.Make(page);
  if (leaf.test(page % kFan)) return false;
  leaf.set(page % kFan);
  ++count_;
  return true;
}

void PageBits::AddAll(AddrRange range) {
  const uint64_t end = range.end().value() >> shift_;
  for (uint64_t page = range.start.value() >> shift_; page < end;) {
    Leaf& leaf = leaves_.Make(page);
    const uint64_t last = std::min(end, (page / kFan + 1) * kFan);
    count_ -= leaf.count();
    if (last - page == kFan) {
      leaf.set();
      page = last;
    } else {
      for (; page < last; ++page) leaf.set(page % kFan);
    }
    count_ += leaf.count();
  }
}

bool PageBits::Contains(Addr a) const {
  if (count_ == 0) return false;
  const uint64_t page = a.value() >> shift_;
  const Leaf* const leaf = leaves_.Find(page);
  return leaf != nullptr && leaf->test(page % kFan);
}

bool PageBits::Remove(Addr a) {
  if (!Contains(a)) return false;
  Clear({Addr(a.value() >> shift_ << shift_), block_bytes()});
  return true;
}

uint64_t PageBits::Clear(AddrRange range) {
  if (count_ == 0 || range.empty()) return 0;
  uint64_t cleared = 0;
  leaves_.EraseIf(range.start.value() >> shift_, (range.end().value() - 1) >> shift_,
                  [&cleared](Leaf& leaf, uint64_t first, uint64_t last) {
                    const uint64_t before = leaf.count();
                    if (last - first == kFan - 1) {
                      leaf.reset();
                    } else {
                      for (uint64_t i = first; i <= last; ++i) leaf.reset(i);
                    }
                    cleared += before - leaf.count();
                    return leaf.none();
                  });
  count_ -= cleared;
  return cleared;
}

uint64_t PageBits::Recount() const {
  uint64_t count = 0;
  leaves_.ForEachLeaf([&count](const Leaf& leaf) { count += leaf.count(); });
  return count;
}

}  // namespace reheap
