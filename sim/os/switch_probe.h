// SwitchProbe: the questions by which a process's own calls tell what its kernel does where kernels differ
// (row 9, "modelled kernel").
//
// The process may be the caller (host_probe.h) or another one that carries out calls for it; it may be of
// another word size. A question maps a few OS pages, looks, and unmaps them. Allocates nothing by itself.
//
// Ownership: borrows the process. Threads: none other of that process may map meanwhile. Limits: linux.
#ifndef REHEAP_SIM_OS_SWITCH_PROBE_H_
#define REHEAP_SIM_OS_SWITCH_PROBE_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "sim/os/virtual_os.h"

namespace reheap {

class ProbedProcess {
 public:
  virtual ~ProbedProcess() = default;
  // Private anonymous memory near `hint` (0 = anywhere), or exactly there when `fixed`; 0 = refused.
  virtual uint64_t Map(uint64_t hint, uint64_t bytes, int protection, bool fixed = false) = 0;
  virtual void Unmap(uint64_t at, uint64_t bytes) = 0;
  virtual void Protect(uint64_t at, uint64_t bytes, int protection) = 0;
  virtual void Write(uint64_t at) = 0;
  // mremap to as many bytes elsewhere, and madvise: an error number, 0 = done.
  virtual int Remap(uint64_t from, uint64_t bytes, int flags, uint64_t to) = 0;
  virtual int Advise(uint64_t at, uint64_t bytes, int advice) = 0;
  // RLIMIT_AS 0, and back to what it was.
  virtual void ForbidGrowth() = 0;
  virtual void AllowGrowth() = 0;
  // Start and end of each mapping in order; false when they cannot be read.
  virtual bool VisitMappings(absl::FunctionRef<void(uint64_t, uint64_t)> visit) = 0;
};

// The switches that the process's own calls show: placement_base, hint floor, huge alignment, charges, merges, moves,
// guards.
// `upwards`: its searches go up (legacy layout). kUnavailable when its mappings cannot be read.
absl::Status ProbeCalls(ProbedProcess& process, bool upwards, HostSwitches* host);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_SWITCH_PROBE_H_
