// Why a program was not recorded: what its file says about preloading (beside row 1 of the walk).
//
// Values only. Threads: any. Limits: looks at the file named; a script is answered for its interpreter.
#ifndef REHEAP_TRACES_PRELOADABLE_H_
#define REHEAP_TRACES_PRELOADABLE_H_

#include <string>

namespace reheap {

// "statically linked: ...", "set-user-ID ...", "32-bit ...", "uses another C library ..."; empty: it can be preloaded.
std::string WhyNotPreloadable(const std::string& program_path);

// The same for a command looked up in PATH; never empty: says what else may be the matter.
std::string WhyNotRecorded(const std::string& command);

}  // namespace reheap

#endif  // REHEAP_TRACES_PRELOADABLE_H_
