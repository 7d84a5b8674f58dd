// OsPageTree: a leaf of state for each 512 OS pages (2 MiB of 4 KiB pages) where there is any (row 9).
//
// Shared by PageBits (bits) and ShadowMemory (host pages). Leaves hang from branches of 512 leaves (1
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
#include <utility>

namespace reheap {

template <class Leaf>
class OsPageTree {
 public:
  static constexpr uint64_t kFan = 512;

  // The leaf of `page`; null when there is none.
  Leaf* Find(uint64_t page) { return const_cast<Leaf*>(std::as_const(*this).Find(page)); }
  const Leaf* Find(uint64_t page) const {
    const Branch* const branch = FindBranch(page / (kFan * kFan));
    return branch == nullptr ? nullptr : branch->leaf[page / kFan % kFan].get();
  }
  // The leaf of `page`, made when there is none.
  Leaf& Make(uint64_t page) {
    Branch* branch = FindBranch(page / (kFan * kFan));
    if (branch == nullptr) {
      last_key_ = page / (kFan * kFan);
      branch = &branches_[last_key_];
      last_branch_ = branch;
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
  template <class Visitor>
  void ForEachPage(uint64_t first_page, uint64_t last_page, Visitor visit) {
    Visit(first_page, last_page, [&visit](const Leaf& leaf, uint64_t base, uint64_t first, uint64_t last) {
      for (uint64_t i = first; i <= last; ++i) visit(base + i, const_cast<Leaf&>(leaf));
    });
  }
  // Calls visit(leaf, first page of the leaf, first, last) for the leaves of pages first_page .. last_page.
  template <class Visitor>
  void Visit(uint64_t first_page, uint64_t last_page, Visitor visit) const {
    for (auto it = branches_.lower_bound(first_page / (kFan * kFan));
         it != branches_.end() && it->first <= last_page / (kFan * kFan); ++it) {
      const uint64_t base = it->first * kFan * kFan;
      const uint64_t last = std::min(last_page, base + kFan * kFan - 1);
      for (uint64_t page = std::max(first_page, base); page <= last; page = (page | (kFan - 1)) + 1) {
        const Leaf* const leaf = it->second.leaf[page / kFan % kFan].get();
        if (leaf != nullptr) {
          visit(*leaf, page / kFan * kFan, page % kFan, std::min(last, page | (kFan - 1)) % kFan);
        }
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

  Branch* FindBranch(uint64_t key) { return const_cast<Branch*>(std::as_const(*this).FindBranch(key)); }
  const Branch* FindBranch(uint64_t key) const {
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
  // Remembered from the last look.
  mutable uint64_t last_key_ = kNoKey;
  mutable const Branch* last_branch_ = nullptr;  // of last_key_
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_OS_PAGE_TREE_H_
