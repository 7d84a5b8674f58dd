// PageTree: a tree of tables indexed by slices of the page number; the base of three page maps (row 7).
//
//   page number   [ bits(0) | bits(1) | ... | bits(kLevels - 1) ]
//   root          entry -> node of level 1, or zero
//   ...
//   leaf          entry -> SpanRef, or zero
//
// A Shape says how many levels, how wide each slice is and how wide an entry is; widths known at compile time
// become constants in the lookup. Each node is a mapping of its own, made by Prepare, never given back.
//
// Ownership and threads: as PageMapTables. Limits: page numbers below 2^(sum of bits); with 4-byte entries
// nodes and spans must lie below 4 GiB, which on a 64-bit OS they do not: Prepare is then refused.
#ifndef REHEAP_ALLOC_PAGE_TREE_H_
#define REHEAP_ALLOC_PAGE_TREE_H_

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <limits>

#include "alloc/addr.h"
#include "alloc/check.h"
#include "alloc/memory.h"
#include "alloc/os.h"
#include "alloc/page_map.h"
#include "alloc/page_map_tables.h"

namespace reheap {

template <class S>
concept PageTreeShape = requires(const S& shape, uint32_t heap_page_shift) {
  typename S::Entry;  // uint32_t or uint64_t
  { S::kKind } -> std::convertible_to<PageMapKind>;
  { S::kLevels } -> std::convertible_to<int>;
  { S::ForHeapPageShift(heap_page_shift) } -> std::same_as<S>;
  { shape.bits(0) } -> std::same_as<uint32_t>;  // of level 0 (root) .. kLevels - 1 (leaf)
};

template <Memory M, PageTreeShape Shape>
class PageTree {
 public:
  using Entry = typename Shape::Entry;
  static constexpr PageMapKind kKind = Shape::kKind;
  static constexpr int kLevels = Shape::kLevels;
  static constexpr int kLeaf = kLevels - 1;

  explicit PageTree(M& memory) : tables_(memory) {}

  OsResult<Done> Init(const PageMapSetup& setup) {
    tables_.Init(setup);
    page_shift_ = setup.strategy->heap_page_shift;
    shape_ = Shape::ForHeapPageShift(page_shift_);
    const OsResult<Addr> root = tables_.TakeRoot(setup, NodeBytes(0));
    if (!root.ok()) return root.refusal();
    root_ = root.value();
    return Done();
  }

  // A refusal leaves the nodes made so far, for the next attempt.
  OsResult<Done> Prepare(PageId page, PageCount count) {
    if (!Reaches(page, count)) return BeyondReach({page.start(page_shift_), count.bytes(page_shift_)});
    const uint64_t end = page.value() + count.value();
    for (uint64_t p = page.value(); p < end; p = NextLeaf(p)) {
      const OsResult<Done> made = MakePath(p);
      if (!made.ok()) return made;
    }
    return Done();
  }

  // Preconditions: Prepare succeeded for the pages; the span fits an entry.
  void Set(PageId page, PageCount count, SpanRef span) {
    REHEAP_CHECK_LE(span.value(), std::numeric_limits<Entry>::max());
    REHEAP_CHECK(Reaches(page, count));
    const uint64_t end = page.value() + count.value();
    for (uint64_t p = page.value(); p < end; p = NextLeaf(p)) {
      const Addr leaf = LeafOf(p);
      REHEAP_CHECK_NE(leaf.value(), 0);
      tables_.template Fill<Entry>(leaf, IndexAt(kLeaf, p), std::min(NextLeaf(p), end) - p,
                                   static_cast<Entry>(span.value()));
    }
  }

  REHEAP_PAGE_MAP_INLINE SpanRef Get(PageId page) const {
    if (page.value() >= PageLimit()) return SpanRef();
    const Addr leaf = LeafOf(page.value());
    if (!leaf) return SpanRef();
    return SpanRef(tables_.template Load<Entry>(leaf, IndexAt(kLeaf, page.value())));
  }

  PageMapCost Cost() const { return {tables_.reserved_bytes(), tables_.resident_bytes(), kLevels}; }

  uint64_t ResidentBytesSlow() const { return Recount(root_, 0).nonzero_os_pages * tables_.os_page_bytes(); }

  void CheckInvariants() const {
    const Counts counts = Recount(root_, 0);
    tables_.CheckCounters(counts.nonzero_os_pages);
    REHEAP_CHECK_EQ(tables_.reserved_bytes(), counts.node_bytes);
  }

 private:
  struct Counts {
    uint64_t nonzero_os_pages = 0;
    uint64_t node_bytes = 0;
  };

  // Low bits of a page number below the slice of `level`.
  REHEAP_PAGE_MAP_INLINE uint32_t ShiftAt(int level) const {
    uint32_t shift = 0;
#pragma GCC unroll 4
    for (int below = level + 1; below < kLevels; ++below) shift += shape_.bits(below);
    return shift;
  }
  // Preconditions: page < PageLimit(), so that the root's slice has nothing above it to mask off.
  REHEAP_PAGE_MAP_INLINE uint64_t IndexAt(int level, uint64_t page) const {
    const uint64_t index = page >> ShiftAt(level);
    return level == 0 ? index : index & ((uint64_t{1} << shape_.bits(level)) - 1);
  }
  REHEAP_PAGE_MAP_INLINE uint64_t PageLimit() const { return uint64_t{1} << (ShiftAt(0) + shape_.bits(0)); }
  bool Reaches(PageId page, PageCount count) const {
    return count.value() <= PageLimit() && page.value() <= PageLimit() - count.value();
  }
  uint64_t NextLeaf(uint64_t page) const {
    const uint64_t leaf_pages = uint64_t{1} << shape_.bits(kLeaf);
    return RoundDown(page, leaf_pages) + leaf_pages;
  }
  uint64_t NodeBytes(int level) const {
    return RoundUp(sizeof(Entry) << shape_.bits(level), tables_.os_page_bytes());
  }

  // The leaf that holds `page`; zero when it was never made.
  REHEAP_PAGE_MAP_INLINE Addr LeafOf(uint64_t page) const {
    Addr node = root_;
#pragma GCC unroll 4
    for (int level = 0; level < kLeaf; ++level) {
      node = Addr(tables_.template Load<Entry>(node, IndexAt(level, page)));
      if (!node) return node;
    }
    return node;
  }

  OsResult<Done> MakePath(uint64_t page) {
    Addr node = root_;
    for (int level = 0; level < kLeaf; ++level) {
      const uint64_t index = IndexAt(level, page);
      Addr next(tables_.template Load<Entry>(node, index));
      if (!next) {
        const OsResult<Addr> made = MakeNode(level + 1);
        if (!made.ok()) return made.refusal();
        next = made.value();
        tables_.template Store<Entry>(node, index, static_cast<Entry>(next.value()));
      }
      node = next;
    }
    return Done();
  }

  OsResult<Addr> MakeNode(int level) {
    const uint64_t bytes = NodeBytes(level);
    const OsResult<Addr> node = tables_.MapNode(bytes);
    if (!node.ok() || (node.value() + bytes).value() - 1 <= std::numeric_limits<Entry>::max()) return node;
    tables_.UnmapNode(node.value(), bytes);
    return BeyondReach({node.value(), bytes});
  }

  // Heap pages or a node lie at addresses with more bits than this tree has room for.
  static Refusal BeyondReach(AddrRange range) {
    Refusal refusal;
    refusal.rule = Rule::kOutOfUserRange;
    refusal.operation = OsOperation::kMapReady;
    refusal.asked_bytes = range.bytes;
    refusal.obtained = range.start;
    return refusal;
  }

  Counts Recount(Addr node, int level) const {
    const uint64_t entries = uint64_t{1} << shape_.bits(level);
    Counts counts{tables_.template CountNonZeroPagesSlow<Entry>(node, entries), NodeBytes(level)};
    if (level == kLeaf) return counts;
    for (uint64_t i = 0; i < entries; ++i) {
      const Addr next(tables_.template Load<Entry>(node, i));
      if (!next) continue;
      REHEAP_CHECK_EQ(next.value() % tables_.os_page_bytes(), 0);
      const Counts below = Recount(next, level + 1);
      counts.nonzero_os_pages += below.nonzero_os_pages;
      counts.node_bytes += below.node_bytes;
    }
    return counts;
  }

  Addr root_;
  uint32_t page_shift_ = 0;
  [[no_unique_address]] Shape shape_;
  PageMapTables<M> tables_;
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_PAGE_TREE_H_
