// NamedPlatform: the platform that a word of the command line means: a name of the catalogue or a file.
//
// A misspelt name is a matter of usage and is answered with the nearest one; what is wrong in a file is a
// matter of that file. Functions only; any thread.
#ifndef REHEAP_TOOLS_NAMED_PLATFORM_H_
#define REHEAP_TOOLS_NAMED_PLATFORM_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sim/os/platform.h"
#include "tools/command.h"

namespace reheap {

// As FindPlatform (sim/os/platform_catalog.h); an unknown name with its nearest. The answer lives as long as
// the process.
absl::StatusOr<const Platform*> NamedPlatform(const std::string& name_or_path);

// Ends `verb` for NamedPlatform(word)'s status: kUsage for a name, kUnreadableInput for a file.
int FailPlatform(const char* verb, const std::string& word, const absl::Status& status,
                 Terminal& terminal);

}  // namespace reheap

#endif  // REHEAP_TOOLS_NAMED_PLATFORM_H_
