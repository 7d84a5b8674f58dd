// RangeLabels: who holds which addresses of a simulated process, by name (row 9, "modelled kernel").
//
// The kernel does not know that one anonymous mapping is the allocator's heap and the next a thread's stack;
// whoever asked for it does. VirtualOs notes here what was asked for through the Os interface and what it was
// told otherwise, so that a refusal can say who holds the most. A label may outlive its mapping: readers look
// at mapped addresses only.
//
// An interval map: ranges do not overlap, neighbours with one label are one entry. O(log n) per call and
// entry it replaces. Values; threads: one.
#ifndef REHEAP_SIM_OS_RANGE_LABELS_H_
#define REHEAP_SIM_OS_RANGE_LABELS_H_

#include <algorithm>
#include <cstdint>
#include <map>

#include "alloc/addr.h"

namespace reheap {

class RangeLabels {
 public:
  using Label = uint32_t;  // 0 = nobody in particular

  // All of `range` is `label`'s from now on, whatever it was before.
  void Set(AddrRange range, Label label);

  // Calls visit(piece, label) for the pieces of `range` in order; unlabelled ones with label 0.
  template <class Visit>
  void ForEachPiece(AddrRange range, Visit visit) const {
    uint64_t at = range.start.value();
    const uint64_t end = range.end().value();
    auto next = entries_.upper_bound(at);
    if (next != entries_.begin() && std::prev(next)->second.end > at) --next;
    for (; next != entries_.end() && next->first < end; ++next) {
      const uint64_t from = std::max(next->first, at), to = std::min(next->second.end, end);
      if (from > at) visit(AddrRange{Addr(at), from - at}, Label{0});
      visit(AddrRange{Addr(from), to - from}, next->second.label);
      at = to;
    }
    if (at < end) visit(AddrRange{Addr(at), end - at}, Label{0});
  }

  uint64_t count() const { return entries_.size(); }
  // CHECKs order, and that no two neighbours should be one. O(n).
  void CheckInvariants() const;

 private:
  struct Entry {
    uint64_t end;
    Label label;
  };
  std::map<uint64_t, Entry> entries_;  // by start
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_RANGE_LABELS_H_
