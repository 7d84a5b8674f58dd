// KernelProbe: what the running kernel does where kernels differ, asked by way of an executor, so that it is learnt
// for 32-bit and legacy processes as well.
//
// The questions are sim/os/switch_probe.h's; two more are the lockstep's own. They leave no mapping behind, but
// may leave page tables: use a fresh executor afterwards. Threads: one.
#ifndef REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_KERNEL_PROBE_H_
#define REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_KERNEL_PROBE_H_

#include "absl/status/statusor.h"
#include "sim/os/virtual_os.h"
#include "tests/differential/lockstep/process_kind.h"

namespace reheap {

struct KernelAnswers {
  HostSwitches switches;
  // Whether a hint opens addresses above 2^47 (five-level page tables).
  bool has_high_addresses = false;
  // Whether /proc/PID/statm shows a newly written page only later. Kernels that add up per-thread or per-CPU
  // parts now and then are up to 63 pages behind (measured: 6.1 is, 6.18 is not).
  bool rss_counter_lags = false;
  // RLIMIT_MEMLOCK where it holds: all ones = it does not (CAP_IPC_LOCK in the first user namespace, which no process
  // can read of itself, or unlimited).
  uint64_t locked_limit_bytes = ~uint64_t{0};
};

// Of a process of that kind on this machine; kUnavailable where there can be none.
absl::StatusOr<KernelAnswers> ProbeKernel(const ProcessKind& kind);

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_KERNEL_PROBE_H_
