// ProcessStatus: the sums that a kernel shows of one process, /proc/PID/status by other names (row 10, "measure").
//
// A value. Bytes. What is modelled and what is not stands beside each.
#ifndef REHEAP_SIM_OS_PROCESS_STATUS_H_
#define REHEAP_SIM_OS_PROCESS_STATUS_H_

#include <cstdint>

#include "sim/os/process_state.h"

namespace reheap {

struct ProcessStatus {
  uint64_t vsize_bytes = 0;            // VmSize
  uint64_t peak_vsize_bytes = 0;       // VmPeak
  uint64_t data_bytes = 0;             // VmData
  uint64_t stack_bytes = 0;            // VmStk
  uint64_t executable_bytes = 0;       // VmExe + VmLib
  uint64_t locked_bytes = 0;           // VmLck
  uint64_t rss_anonymous_bytes = 0;    // RssAnon
  uint64_t rss_file_bytes = 0;         // RssFile: pages of files touched here; not what the image had before
  uint64_t rss_shared_bytes = 0;       // RssShmem
  uint64_t peak_rss_bytes = 0;         // VmHWM, of the three
  uint64_t page_table_bytes = 0;       // VmPTE
  uint64_t commit_bytes = 0;           // this process's part of Committed_AS
  uint64_t mapping_count = 0;
  uint64_t huge_anonymous_bytes = 0;   // AnonHugePages of smaps, summed
  uint64_t lazily_freed_bytes = 0;     // in rss_anonymous_bytes, gone under pressure (MADV_FREE)
  uint64_t footprint_bytes = 0;        // phys_footprint: rss_anonymous_bytes less what was freed as reusable

  friend bool operator==(const ProcessStatus&, const ProcessStatus&) = default;
};

// O(1).
ProcessStatus StatusOf(const ProcessState& state);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PROCESS_STATUS_H_
