// OsPageTree: a leaf of state for each 512 OS pages (2 MiB of 4 KiB pages) where there is any (row 9).
//
// Shared by PageBits (bits) and ShadowMemory (host pages). Leaves hang from branches of 512 leaves (1
// GiB), the branches from an ordered map, so that a range is forgotten by visiting what is there and nothing
// else. The branch used last is remembered: most accesses stay within one GiB. One leaf and one branch that went are
// kept for the next that comes: a page that comes and goes alone allocates nothing.
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

#include "sim/os/block_bits.h"

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
      branch = &NewBranch(last_key_);
      last_branch_ = branch;
    }
    std::unique_ptr<Leaf>& leaf = branch->leaf[page / kFan % kFan];
    if (leaf == nullptr) {
      leaf = spare_leaf_ == nullptr ? std::make_unique<Leaf>() : std::move(spare_leaf_);
      branch->used.Set(page / kFan % kFan);
      ++leaves_;
    }
    return *leaf;
  }
  // Calls visit(leaf, first, last) for the leaves of pages first_page .. last_page, with the page numbers
  // (within the leaf) that it is about; the leaf goes when visit answers true, which says that it is like a new one.
  template <class Visit>
  void EraseIf(uint64_t first_page, uint64_t last_page, Visit visit) {
    for (auto it = branches_.lower_bound(first_page / (kFan * kFan));
         it != branches_.end() && it->first <= last_page / (kFan * kFan);) {
      const uint64_t base = it->first * kFan * kFan;
      EraseInBranch(it->second, std::max(first_page, base), std::min(last_page, base + kFan * kFan - 1),
                    visit);
      const auto visited = it++;
      if (!visited->second.used.none()) continue;
      if (visited->first == last_key_) last_key_ = kNoKey;
      spare_branch_ = branches_.extract(visited);
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
      const Branch& branch = it->second;
      ForEachPart(branch, std::max(first_page, base), last, [&](uint64_t i, uint64_t from, uint64_t to) {
        visit(*branch.leaf[i], base + i * kFan, from, to);
      });
    }
  }
  template <class Visit>
  void ForEachLeaf(Visit visit) const {
    for (const auto& entry : branches_) {
      const Branch& branch = entry.second;
      branch.used.ForEach(0, kFan - 1, [&](uint64_t i) { visit(*branch.leaf[i]); });
    }
  }
  bool empty() const { return branches_.empty(); }
  // Of its own nodes, without what leaves point to and the two that are kept.
  uint64_t memory_bytes() const { return branches_.size() * sizeof(Branch) + leaves_ * sizeof(Leaf); }

 private:
  struct Branch {
    BlockBits used;  // which are not null
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
  Branch& NewBranch(uint64_t key) {
    if (spare_branch_.empty()) return branches_[key];
    spare_branch_.key() = key;
    return branches_.insert(std::move(spare_branch_)).position->second;
  }
  // Calls visit(i, first, last) for each leaf `i` of `branch` that has some of the pages first_page .. last_page, all
  // of this branch, with the page numbers within the leaf.
  template <class Visit>
  static void ForEachPart(const Branch& branch, uint64_t first_page, uint64_t last_page, Visit visit) {
    const uint64_t first = first_page / kFan % kFan, last = last_page / kFan % kFan;
    branch.used.ForEach(first, last, [&](uint64_t i) {
      visit(i, i == first ? first_page % kFan : 0, i == last ? last_page % kFan : kFan - 1);
    });
  }
  template <class Visit>
  void EraseInBranch(Branch& branch, uint64_t first_page, uint64_t last_page, Visit visit) {
    ForEachPart(branch, first_page, last_page, [&](uint64_t i, uint64_t first, uint64_t last) {
      if (!visit(*branch.leaf[i], first, last)) return;
      spare_leaf_ = std::move(branch.leaf[i]);
      branch.used.Clear(i);
      --leaves_;
    });
  }

  using Branches = std::map<uint64_t, Branch>;
  Branches branches_;  // by page number / kFan^2
  // The last that went, empty; null = none.
  typename Branches::node_type spare_branch_;
  std::unique_ptr<Leaf> spare_leaf_;
  uint64_t leaves_ = 0;
  // Remembered from the last look.
  mutable uint64_t last_key_ = kNoKey;
  mutable const Branch* last_branch_ = nullptr;  // of last_key_
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_OS_PAGE_TREE_H_
