// HostProbe: what the running linux kernel does where kernels differ, learnt by asking it (row 9).
//
// A few mmap, mprotect and munmap calls and reads of /proc; leaves no mapping behind. The answers start a
// VirtualOs that agrees with this kernel and this process. Allocates nothing on success, so that a probed
// layout stays as it is.
//
// Threads: none other may map meanwhile. Limits: linux.
#ifndef REHEAP_SIM_OS_HOST_PROBE_H_
#define REHEAP_SIM_OS_HOST_PROBE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sim/os/maps_text.h"
#include "sim/os/virtual_os.h"

namespace reheap {

// Of the calling process.
absl::StatusOr<HostSwitches> ProbeHost();

// What does not take a question: sizes and settings of the machine, and the caller's privilege.
absl::Status ReadMachine(HostSwitches* host);

// The mappings of process `pid` ("self" or a number), with what smaps knows beyond maps. `pid` must be
// stopped or the caller.
absl::StatusOr<std::vector<ImageMapping>> ReadImage(const std::string& pid);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_HOST_PROBE_H_
