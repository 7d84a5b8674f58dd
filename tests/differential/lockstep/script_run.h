// RunScript: one script of tests/differential/scripts on one kind of process, kernel and model in lockstep.
//
// Each line by itself, with a checkpoint after it. Threads: one.
#ifndef REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_SCRIPT_RUN_H_
#define REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_SCRIPT_RUN_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/differential/lockstep/lockstep_pair.h"

namespace reheap {

// kAborted with both answers where they part; else why it could not be run.
absl::Status RunScript(const LockstepSetup& setup, const std::string& path);

// The scripts of a directory, sorted. Empty when there is no such directory.
std::vector<std::string> ScriptsIn(const std::string& directory);

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_SCRIPT_RUN_H_
