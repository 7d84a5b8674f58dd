// WriteOutput: a whole file in one call, under its name whole or not at all.
//
// Function of its arguments. Threads: any, one per path.
#ifndef REHEAP_TOOLS_WRITE_OUTPUT_H_
#define REHEAP_TOOLS_WRITE_OUTPUT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace reheap {

// Written to a temporary beside it and renamed (traces/output_file.h); what exists is replaced.
absl::Status WriteOutput(const std::string& path, absl::string_view contents);

}  // namespace reheap

#endif  // REHEAP_TOOLS_WRITE_OUTPUT_H_
