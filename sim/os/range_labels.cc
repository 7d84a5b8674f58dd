#include "sim/os/range_labels.h"

#include <iterator>

#include "alloc/check.h"

namespace reheap {

void RangeLabels::Set(AddrRange range, Label label) {
  uint64_t start = range.start.value(), end = range.end().value();
  if (start == end) return;
  auto at = entries_.lower_bound(start);
  // The one before may reach into the range, or join it.
  if (at != entries_.begin() && std::prev(at)->second.end >= start) {
    const auto before = std::prev(at);
    const Entry old = before->second;
    if (old.label == label) {
      if (old.end >= end) return;
      start = before->first;
      entries_.erase(before);
    } else if (old.end > start) {
      before->second.end = start;
      if (old.end > end) entries_.emplace_hint(at, end, old);
    }
  }
  for (at = entries_.lower_bound(start); at != entries_.end() && at->first <= end;) {
    const Entry old = at->second;
    if (at->first == end && old.label != label) break;
    at = entries_.erase(at);
    if (old.label == label) {
      end = std::max(end, old.end);
    } else if (old.end > end) {
      entries_.emplace_hint(at, end, old);
      break;
    }
  }
  if (label != 0) entries_.emplace(start, Entry{end, label});
}

void RangeLabels::CheckInvariants() const {
  uint64_t end = 0;
  Label label = 0;
  for (const auto& [start, entry] : entries_) {
    REHEAP_CHECK_LT(start, entry.end);
    REHEAP_CHECK_GE(start, end);
    REHEAP_CHECK_NE(entry.label, 0u);
    REHEAP_CHECK(label == 0 || start > end || entry.label != label);
    end = entry.end;
    label = entry.label;
  }
}

}  // namespace reheap
