#include "sim/os/page_tables.h"

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
