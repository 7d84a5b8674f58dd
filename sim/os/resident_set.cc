#include "sim/os/resident_set.h"

#include <bit>
#include <vector>

#include "alloc/check.h"

namespace reheap {

ResidentSet::ResidentSet(uint64_t os_page_bytes)
    : page_shift_(static_cast<uint32_t>(std::countr_zero(os_page_bytes))) {
  REHEAP_CHECK(std::has_single_bit(os_page_bytes));
}

bool ResidentSet::Add(Addr a) {
  const uint64_t page = a.value() >> page_shift_;
  Leaf& leaf = leaves_.Make(page);
  if (leaf.test(page % kFan)) return false;
  leaf.set(page % kFan);
  ++count_;
  return true;
}

bool ResidentSet::Contains(Addr a) {
  const uint64_t page = a.value() >> page_shift_;
  const Leaf* const leaf = leaves_.Find(page);
  return leaf != nullptr && leaf->test(page % kFan);
}

uint64_t ResidentSet::Clear(AddrRange range) {
  if (count_ == 0 || range.empty()) return 0;
  uint64_t cleared = 0;
  leaves_.EraseIf(range.start.value() >> page_shift_, (range.end().value() - 1) >> page_shift_,
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

void ResidentSet::Move(AddrRange from, Addr to) {
  if (count_ == 0 || from.empty()) return;
  const uint64_t first = from.start.value() >> page_shift_, last = (from.end().value() - 1) >> page_shift_;
  std::vector<uint64_t> distances;  // pages from `first`
  leaves_.ForEachPage(first, last, [&](uint64_t page, const Leaf& leaf) {
    if (leaf.test(page % kFan)) distances.push_back(page - first);
  });
  Clear(from);
  for (const uint64_t distance : distances) Add(to + (distance << page_shift_));
}

uint64_t ResidentSet::Recount() const {
  uint64_t count = 0;
  leaves_.ForEachLeaf([&count](const Leaf& leaf) { count += leaf.count(); });
  return count;
}

}  // namespace reheap
