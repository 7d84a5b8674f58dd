// SwitchProbe: what the running kernel does where kernels differ, asked by way of an executor, so that it is
// learnt for 32-bit and legacy processes as well.
//
// The same questions as sim/os/host_probe.h asks for its own process. Leaves no mapping behind, but may leave
// page tables: use a fresh executor afterwards. Threads: one.
#ifndef REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_SWITCH_PROBE_H_
#define REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_SWITCH_PROBE_H_

#include "absl/status/statusor.h"
#include "sim/os/virtual_os.h"
#include "tests/differential/lockstep/process_kind.h"

namespace reheap {

// Of a process of that kind on this machine; kUnavailable where there can be none.
absl::StatusOr<HostSwitches> ProbeSwitches(const ProcessKind& kind);

// Whether /proc/PID/statm shows a newly written page at once. Kernels that add up per-thread or per-CPU parts
// only now and then are up to 63 pages behind (measured: 6.1 lags, 6.18 does not).
absl::StatusOr<bool> RssCounterLags(const ProcessKind& kind);

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_SWITCH_PROBE_H_
