// `reheap compare`: two saved results side by side; exit code 1 when the second is worse than the tolerances.
//
// Function of its arguments. Threads: one.
#ifndef REHEAP_TOOLS_CMD_COMPARE_H_
#define REHEAP_TOOLS_CMD_COMPARE_H_

#include <string>
#include <vector>

#include "tools/command.h"

namespace reheap {

int CompareCommand(const std::vector<std::string>& arguments, Terminal& terminal);

}  // namespace reheap

#endif  // REHEAP_TOOLS_CMD_COMPARE_H_
