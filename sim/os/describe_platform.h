// DescribePlatform: every rule of one platform with its value and its source, for people.
//
// Reads the catalogue's text itself (by reflection over proto/platform.proto), so that a new rule appears
// here without a line of code. Pure function: no ownership, any thread.
#ifndef REHEAP_SIM_OS_DESCRIBE_PLATFORM_H_
#define REHEAP_SIM_OS_DESCRIBE_PLATFORM_H_

#include <string>

#include "absl/status/statusor.h"

namespace reheap {

// `name` as in Platforms().Names(), or NAME@RELEASE; not an alias. A rule that another platform or release gave is
// followed by "as NAME". Lines end in '\n'. kNotFound for any other name.
absl::StatusOr<std::string> DescribePlatform(const std::string& name);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_DESCRIBE_PLATFORM_H_
