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
  const bool is_new = leaves_.Make(page).Set(page % kFan);
  count_ += is_new;
  return is_new;
}

void PageBits::AddAll(AddrRange range) {
  const uint64_t end = range.end().value() >> shift_;
  for (uint64_t page = range.start.value() >> shift_; page < end;) {
    const uint64_t next = std::min(end, (page / kFan + 1) * kFan);
    count_ += leaves_.Make(page).SetAll(page % kFan, (next - 1) % kFan);
    page = next;
  }
}

bool PageBits::Remove(Addr a) {
  return Clear({Addr(a.value() >> shift_ << shift_), block_bytes()}) != 0;
}

uint64_t PageBits::ClearSome(AddrRange range) {
  uint64_t cleared = 0;
  leaves_.EraseIf(range.start.value() >> shift_, (range.end().value() - 1) >> shift_,
                  [&cleared](Leaf& leaf, uint64_t first, uint64_t last) {
                    cleared += leaf.ClearAll(first, last);
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
