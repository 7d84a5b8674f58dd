#include "sim/os/page_tables.h"

#include <algorithm>
#include <set>

#include "alloc/check.h"

namespace reheap {

PageTables::PageTables(uint64_t os_page_bytes, int levels) : os_page_bytes_(os_page_bytes) {
  REHEAP_CHECK_LE(levels, 4);
  const uint64_t entries = os_page_bytes / 8;
  uint64_t covered = os_page_bytes;
  for (int level = 0; level < levels; ++level) levels_.emplace_back(covered *= entries);
}

int PageTables::Make(Addr a, int level) {
  int made = 0;
  for (size_t i = static_cast<size_t>(level); i < levels_.size() && levels_[i].Add(a); ++i) ++made;
  return made;
}

int PageTables::Missing(Addr a) const {
  int missing = 0;
  for (const PageBits& level : levels_) {
    if (level.Contains(a)) break;
    ++missing;
  }
  return missing;
}

AddrRange PageTables::Inner(const PageBits& level, AddrRange range) {
  const Addr start = RoundUp(range.start, level.block_bytes()), end = RoundDown(range.end(), level.block_bytes());
  return start < end ? AddrRange{start, end - start} : AddrRange();
}

// free_pgd_range .. free_pte_range, mm/memory.c, linux 6.12: between the mapping before (floor) and the one after
// (ceiling), a table at any level goes when its whole range lies there.
void PageTables::DropWithin(AddrRange gap) {
  for (PageBits& level : levels_) {
    const AddrRange inner = Inner(level, gap);
    if (inner.empty()) return;
    level.Clear(inner);
  }
}

std::vector<Addr> PageTables::Overlapping(const PageBits& level, AddrRange range) {
  std::vector<Addr> starts;
  const Addr first = RoundDown(range.start, level.block_bytes());
  level.ForEach({first, range.end() - first}, [&starts](Addr a) { starts.push_back(a); });
  return starts;
}

// move_page_tables, mm/mremap.c, linux 6.18: by tables of tables, then by tables, else by entries; what stands at a
// new place is made as soon as the old one has the level above it. From the lowest address on, and what is made on the
// way counts: where the new place begins in the range of the last old table, that one is found and moved, too.
void PageTables::Move(AddrRange range, Addr to) {
  if (levels_.empty() || range.empty()) return;
  const uint64_t distance = to - range.start;  // modulo 2^64
  if (levels_.size() == 1) return MoveLowest(range, distance);
  const uint64_t covered = levels_[1].block_bytes();
  for (AddrRange left = range; !left.empty();) {
    const std::vector<Addr> uppers = Overlapping(levels_[1], left);
    if (uppers.empty()) return;
    const Addr upper = uppers.front();
    const Addr start = std::max(upper, left.start), end = std::min(upper + covered, range.end());
    left = {end, range.end() - end};
    for (const Addr at : {start, end - 1}) Make(at + distance, 2);
    if (start != upper || end != upper + covered || distance % covered != 0) {
      MoveLowest({start, end - start}, distance);
      continue;
    }
    levels_[1].Remove(upper);
    levels_[1].Add(upper + distance);
    for (const Addr a : Overlapping(levels_[0], {upper, covered})) {
      levels_[0].Remove(a);
      levels_[0].Add(a + distance);
    }
  }
}

void PageTables::MoveLowest(AddrRange part, uint64_t distance) {
  const uint64_t covered = levels_[0].block_bytes();
  const std::vector<Addr> found = Overlapping(levels_[0], part);
  std::set<Addr> tables(found.begin(), found.end());
  while (!tables.empty()) {
    const Addr table = *tables.begin();
    tables.erase(tables.begin());
    const Addr start = std::max(table, part.start), end = std::min(table + covered, part.end());
    if (start == table && end == table + covered && distance % covered == 0) levels_[0].Remove(table);
    for (const Addr at : {start, end - 1}) {
      const Addr made = RoundDown(at + distance, covered);
      if (Make(made) != 0 && made > table && made < part.end()) tables.insert(made);
    }
  }
}

uint64_t PageTables::count() const {
  uint64_t count = 0;
  for (const PageBits& level : levels_) count += level.count();
  return count;
}

uint64_t PageTables::memory_bytes() const {
  uint64_t bytes = 0;
  for (const PageBits& level : levels_) bytes += level.memory_bytes();
  return bytes;
}

uint64_t PageTables::Recount() const {
  uint64_t count = 0;
  for (const PageBits& level : levels_) count += level.Recount();
  return count;
}

}  // namespace reheap
