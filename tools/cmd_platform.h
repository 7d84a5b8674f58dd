// `reheap platform list` and `reheap platform show`: the platform catalogue for people (sim/os).
//
// Functions of their arguments. Threads: one.
#ifndef REHEAP_TOOLS_CMD_PLATFORM_H_
#define REHEAP_TOOLS_CMD_PLATFORM_H_

#include <string>
#include <vector>

#include "tools/command.h"

namespace reheap {

int PlatformListCommand(const std::vector<std::string>& arguments, Terminal& terminal);
int PlatformShowCommand(const std::vector<std::string>& arguments, Terminal& terminal);

}  // namespace reheap

#endif  // REHEAP_TOOLS_CMD_PLATFORM_H_
