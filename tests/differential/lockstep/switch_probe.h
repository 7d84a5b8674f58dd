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

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_SWITCH_PROBE_H_
