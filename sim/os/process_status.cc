#include "sim/os/process_status.h"

#include <algorithm>

namespace reheap {

ProcessStatus StatusOf(const ProcessState& state) {
  const uint64_t page = state.resident.os_page_bytes();
  const MappingTotals& totals = state.space.totals();
  ProcessStatus status;
  status.vsize_bytes = totals.mapped_bytes;
  status.peak_vsize_bytes = std::max(state.peaks.vsize_bytes, totals.mapped_bytes);
  status.data_bytes = totals.data_bytes;
  status.stack_bytes = totals.stack_bytes;
  status.executable_bytes = totals.executable_bytes;
  status.locked_bytes = state.LockedBytes();
  status.rss_anonymous_bytes = state.AnonymousRssBytes();
  status.rss_file_bytes = state.resident.file_pages() * page;
  status.rss_shared_bytes = state.resident.shared_pages() * page;
  status.peak_rss_bytes = std::max(state.peaks.rss_bytes, state.RssBytes());
  status.page_table_bytes = state.resident.tables().bytes();
  status.commit_bytes = state.CommitBytes();
  status.mapping_count = state.space.count();
  status.huge_anonymous_bytes = state.resident.huge_anonymous_bytes();
  status.lazily_freed_bytes = state.resident.lazy_pages() * page;
  status.footprint_bytes = status.rss_anonymous_bytes - state.resident.reusable_pages() * page;
  return status;
}

}  // namespace reheap
