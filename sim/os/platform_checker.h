// CheckPlatform: whether a platform says everything, with its sources, and nothing impossible (row 9).
//
// Walks the schema (proto/platform.proto) beside the rules: which may be absent and what a number may be is
// written there. What two rules must fulfil together is the one list here. Pure function: no ownership, any
// thread.
#ifndef REHEAP_SIM_OS_PLATFORM_CHECKER_H_
#define REHEAP_SIM_OS_PLATFORM_CHECKER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "sim/os/platform_text.h"

namespace reheap {

// An error names the file and the line of the rule, or of the group that lacks it. `sources` gets
// "path: where it was learnt" for each rule, in the schema's order.
absl::Status CheckPlatform(const PlatformText& text, std::vector<std::string>* sources);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PLATFORM_CHECKER_H_
