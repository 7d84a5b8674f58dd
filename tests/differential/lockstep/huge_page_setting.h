// HugePageSetting: what this machine does with huge pages, and whether the kernel has meddled with them in its own time.
//
// khugepaged collapses what it finds when it wakes, and a huge page that no block of memory is free for becomes OS
// pages: neither is a matter of the process's operations. Both are counted, so a run that parts from the model while a
// count went up is repeated; nothing of the machine is changed for that.
//
// Functions; threads: any. Limits: linux.
#ifndef REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_HUGE_PAGE_SETTING_H_
#define REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_HUGE_PAGE_SETTING_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "sim/os/limits.h"

namespace reheap {

// Of anonymous memory, machine-wide. kUnavailable where the model has no rule for it: sizes between an OS page and a huge
// page are on, or nothing says.
absl::StatusOr<HugePageMode> ReadHugePageMode();

// How often the kernel has collapsed pages, found no huge page, or split one that was hardly used, all processes
// together; grows only.
uint64_t HugePageMeddling();

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_HUGE_PAGE_SETTING_H_
