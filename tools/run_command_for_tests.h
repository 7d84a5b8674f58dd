// RunCommand: the verbs called as main() calls them, for tests: exit code and both streams as values.
//
// In this process, so that nothing is found through a path. Threads: one.
#ifndef REHEAP_TOOLS_RUN_COMMAND_FOR_TESTS_H_
#define REHEAP_TOOLS_RUN_COMMAND_FOR_TESTS_H_

#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "tools/command.h"

namespace reheap {

struct Ran {
  int exit_code;
  std::string out;
  std::string err;
};

inline Ran Reheap(const std::vector<std::string>& arguments) {
  std::ostringstream out, err;
  Terminal terminal{out, err, false, false, ShellQuoted(arguments)};
  const int exit_code = RunReheap(arguments, Verbs(), terminal);
  return {exit_code, out.str(), err.str()};
}

inline std::string TempPath(const std::string& name) { return std::string(std::getenv("TEST_TMPDIR")) + "/" + name; }

}  // namespace reheap

#endif  // REHEAP_TOOLS_RUN_COMMAND_FOR_TESTS_H_
