// `reheap help`: the list of verbs, one verb's help, the man page, completion for shells.
//
// Function of its arguments. Threads: one.
#ifndef REHEAP_TOOLS_CMD_HELP_H_
#define REHEAP_TOOLS_CMD_HELP_H_

#include <string>
#include <vector>

#include "tools/command.h"

namespace reheap {

int HelpCommand(const std::vector<std::string>& arguments, Terminal& terminal);

}  // namespace reheap

#endif  // REHEAP_TOOLS_CMD_HELP_H_
