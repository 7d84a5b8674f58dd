#include "sim/os/resident_set.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "alloc/check.h"

namespace reheap {

ResidentSet::ResidentSet(uint64_t os_page_bytes)
    : page_shift_(static_cast<uint32_t>(std::countr_zero(os_page_bytes))) {
  REHEAP_CHECK(std::has_single_bit(os_page_bytes));
}

bool ResidentSet::Add(Addr a) {
  const uint64_t page = a.value() >> page_shift_;
  const uint64_t key = page / (kFan * kFan);
  if (key != last_key_) {
    last_branch_ = &branches_[key];
    last_key_ = key;
  }
  std::unique_ptr<Leaf>& leaf = last_branch_->leaf[page / kFan % kFan];
  if (leaf == nullptr) {
    leaf = std::make_unique<Leaf>();
    ++last_branch_->leaves;
  }
  if (leaf->test(page % kFan)) return false;
  leaf->set(page % kFan);
  ++count_;
  return true;
}

bool ResidentSet::Contains(Addr a) const {
  const uint64_t page = a.value() >> page_shift_;
  const auto found = branches_.find(page / (kFan * kFan));
  if (found == branches_.end()) return false;
  const std::unique_ptr<Leaf>& leaf = found->second.leaf[page / kFan % kFan];
  return leaf != nullptr && leaf->test(page % kFan);
}

// Pages first_page .. last_page of one branch. Returns how many were set.
uint64_t ResidentSet::ClearInBranch(Branch& branch, uint64_t first_page, uint64_t last_page) {
  uint64_t cleared = 0;
  for (uint64_t page = first_page; page <= last_page && branch.leaves > 0;) {
    const uint64_t leaf_last = std::min(last_page, page | (kFan - 1));
    std::unique_ptr<Leaf>& leaf = branch.leaf[page / kFan % kFan];
    if (leaf != nullptr) {
      const uint64_t before = leaf->count();
      if (leaf_last - page == kFan - 1) {
        leaf->reset();
      } else {
        for (uint64_t p = page; p <= leaf_last; ++p) leaf->reset(p % kFan);
      }
      cleared += before - leaf->count();
      if (leaf->none()) {
        leaf.reset();
        --branch.leaves;
      }
    }
    page = leaf_last + 1;
  }
  return cleared;
}

uint64_t ResidentSet::Clear(AddrRange range) {
  if (count_ == 0 || range.empty()) return 0;
  const uint64_t first = range.start.value() >> page_shift_;
  const uint64_t last = (range.end().value() - 1) >> page_shift_;
  uint64_t cleared = 0;
  for (auto it = branches_.lower_bound(first / (kFan * kFan));
       it != branches_.end() && it->first <= last / (kFan * kFan);) {
    const uint64_t branch_first = it->first * kFan * kFan;
    cleared += ClearInBranch(it->second, std::max(first, branch_first),
                             std::min(last, branch_first + kFan * kFan - 1));
    if (it->second.leaves > 0) {
      ++it;
      continue;
    }
    if (it->first == last_key_) last_key_ = ~uint64_t{0};
    it = branches_.erase(it);
  }
  count_ -= cleared;
  return cleared;
}

uint64_t ResidentSet::Recount() const {
  uint64_t count = 0;
  for (const auto& [key, branch] : branches_) {
    for (const auto& leaf : branch.leaf) count += leaf == nullptr ? 0 : leaf->count();
  }
  return count;
}

}  // namespace reheap
