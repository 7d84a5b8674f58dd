// RecogniseHost: which platform of the catalogue, and which release of it, the running kernel is (row 9).
//
// The machine tells the platform, what a probe found tells the release, and where the probe cannot decide,
// the kernel's own version number does. Pure but for uname and one mmap; no ownership. Threads: none other
// may map meanwhile. Limits: linux.
#ifndef REHEAP_SIM_OS_HOST_PLATFORM_H_
#define REHEAP_SIM_OS_HOST_PLATFORM_H_

#include <string>

#include "absl/status/statusor.h"
#include "sim/os/virtual_os.h"

namespace reheap {

struct HostPlatform {
  std::string name;          // "linux-amd64@6.12", for Platforms().Find
  bool rules_agree = false;  // every probed switch is as that release has it
};

// kUnimplemented: a machine that no platform describes.
absl::StatusOr<HostPlatform> RecogniseHost(const HostSwitches& switches);

// The same with everything said: `machine` and `version` as uname tells them ("x86_64",
// "6.12.107+deb12-amd64"), whether hints above 2^47 are followed.
absl::StatusOr<HostPlatform> RecogniseKernel(const HostSwitches& switches, const std::string& machine,
                                             const std::string& version, int word_bits, bool wide_hints);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_HOST_PLATFORM_H_
