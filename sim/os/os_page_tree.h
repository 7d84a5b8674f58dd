// OsPageTree: a leaf of state for each 512 OS pages (2 MiB of 4 KiB pages) where there is any (row 9).
//
// Shared by ResidentSet (bits) and ShadowMemory (host pages). Leaves hang from branches of 512 leaves (1
// GiB), the branches from an ordered map, so that a range is forgotten by visiting what is there and nothing
// else. The branch used last is remembered: most accesses stay within one GiB.
//
// Ownership: its leaves. Threads: one. Limits: any page number.
#ifndef REHEAP_SIM_OS_OS_PAGE_TREE_H_
#define REHEAP_SIM_OS_OS_PAGE_TREE_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>

namespace reheap {

template <class Leaf>
class OsPageTree {
 public:
  static constexpr uint64_t kFan = 512;

  // The leaf of `page`; null when there is none.
  Leaf* Find(uint64_t page) {
    Branch* const branch = FindBranch(page / (kFan * kFan));
    return branch == nullptr ? nullptr : branch->leaf[page / kFan % kFan].get();
  }
  // The leaf of `page`, made when there is none.
  Leaf& Make(uint64_t page) {
    Branch* branch = FindBranch(page / (kFan * kFan));
    if (branch == nullptr) {
      last_key_ = page / (kFan * kFan);
      branch = last_branch_ = &branches_[last_key_];
    }
    std::unique_ptr<Leaf>& leaf = branch->leaf[page / kFan % kFan];
    if (leaf == nullptr) {
      leaf = std::make_unique<Leaf>();
      ++branch->leaves;
      ++leaves_;
    }
    return *leaf;
  }
  // Calls visit(leaf, first, last) for the leaves of pages first_page .. last_page, with the page numbers
  // (within the leaf) that it is about; the leaf goes when visit answers true.
  template <class Visit>
  void EraseIf(uint64_t first_page, uint64_t last_page, Visit visit) {
    for (auto it = branches_.lower_bound(first_page / (kFan * kFan));
         it != branches_.end() && it->first <= last_page / (kFan * kFan);) {
      const uint64_t base = it->first * kFan * kFan;
      EraseInBranch(it->second, std::max(first_page, base), std::min(last_page, base + kFan * kFan - 1),
                    visit);
      if (it->second.leaves > 0) {
        ++it;
        continue;
      }
      if (it->first == last_key_) last_key_ = kNoKey;
      it = branches_.erase(it);
    }
  }
  // Calls visit(page, leaf) for each page of first_page .. last_page whose leaf there is.
  template <class Visit>
  void ForEachPage(uint64_t first_page, uint64_t last_page, Visit visit) {
    for (auto it = branches_.lower_bound(first_page / (kFan * kFan));
         it != branches_.end() && it->first <= last_page / (kFan * kFan); ++it) {
      for (uint64_t i = 0; i < kFan; ++i) {
        Leaf* const leaf = it->second.leaf[i].get();
        const uint64_t base = (it->first * kFan + i) * kFan;
        if (leaf == nullptr || base > last_page || base + kFan - 1 < first_page) continue;
        const uint64_t last = std::min(last_page, base + kFan - 1);
        for (uint64_t page = std::max(first_page, base); page <= last; ++page) visit(page, *leaf);
      }
    }
  }
  template <class Visit>
  void ForEachLeaf(Visit visit) const {
    for (const auto& [key, branch] : branches_) {
      for (const auto& leaf : branch.leaf) {
        if (leaf != nullptr) visit(*leaf);
      }
    }
  }
  bool empty() const { return branches_.empty(); }
  // Of its own nodes, without what leaves point to.
  uint64_t memory_bytes() const { return branches_.size() * sizeof(Branch) + leaves_ * sizeof(Leaf); }

 private:
  struct Branch {
    uint64_t leaves = 0;  // how many are not null
    std::array<std::unique_ptr<Leaf>, kFan> leaf;
  };
  static constexpr uint64_t kNoKey = ~uint64_t{0};

  Branch* FindBranch(uint64_t key) {
    if (key == last_key_) return last_branch_;
    const auto found = branches_.find(key);
    if (found == branches_.end()) return nullptr;
    last_key_ = key;
    return last_branch_ = &found->second;
  }
  template <class Visit>
  void EraseInBranch(Branch& branch, uint64_t first_page, uint64_t last_page, Visit visit) {
    for (uint64_t page = first_page; page <= last_page && branch.leaves > 0;) {
      const uint64_t leaf_last = std::min(last_page, page | (kFan - 1));
      std::unique_ptr<Leaf>& leaf = branch.leaf[page / kFan % kFan];
      if (leaf != nullptr && visit(*leaf, page % kFan, leaf_last % kFan)) {
        leaf.reset();
        --branch.leaves;
        --leaves_;
      }
      page = leaf_last + 1;
    }
  }

  std::map<uint64_t, Branch> branches_;  // by page number / kFan^2
  uint64_t leaves_ = 0;
  uint64_t last_key_ = kNoKey;
  Branch* last_branch_ = nullptr;  // of last_key_
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_OS_PAGE_TREE_H_
