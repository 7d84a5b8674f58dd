// `reheap os`: a modelled process as a line shell (sim/os/line_shell.h).
//
// A function of its arguments and the terminal's input. Threads: one.
#ifndef REHEAP_TOOLS_CMD_OS_H_
#define REHEAP_TOOLS_CMD_OS_H_

#include <string>
#include <vector>

#include "tools/command.h"

namespace reheap {

int OsCommand(const std::vector<std::string>& arguments, Terminal& terminal);

}  // namespace reheap

#endif  // REHEAP_TOOLS_CMD_OS_H_
