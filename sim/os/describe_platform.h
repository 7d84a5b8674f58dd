// DescribePlatform: every rule of one platform with its value and its source, for people.
//
// Reads the catalogue's text itself (by reflection over proto/platform.proto), so that a new rule appears
// here without a line of code. Pure function: no ownership, any thread.
#ifndef REHEAP_SIM_OS_DESCRIBE_PLATFORM_H_
#define REHEAP_SIM_OS_DESCRIBE_PLATFORM_H_

#include <string>

#include "absl/status/statusor.h"

namespace reheap {

// A name as in Platforms().Names(), or NAME@RELEASE, not an alias; or the path of a file of the user's own. A rule that another platform or release gave is
// followed by "as NAME". Lines end in '\n'. kNotFound for any other name;
// kInvalidArgument for a file that is no platform, with its line.
absl::StatusOr<std::string> DescribePlatform(const std::string& name_or_path);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_DESCRIBE_PLATFORM_H_
