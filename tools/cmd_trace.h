// `reheap trace ...`: what is in a trace file, is it sound, and files of others (traces/).
//
// Functions of their arguments. Threads: one.
#ifndef REHEAP_TOOLS_CMD_TRACE_H_
#define REHEAP_TOOLS_CMD_TRACE_H_

#include <string>
#include <vector>

#include "tools/command.h"

namespace reheap {

int TraceInfoCommand(const std::vector<std::string>& arguments, Terminal& terminal);
int TraceCheckCommand(const std::vector<std::string>& arguments, Terminal& terminal);
int TraceCollectCommand(const std::vector<std::string>& arguments, Terminal& terminal);
int TraceImportCommand(const std::vector<std::string>& arguments, Terminal& terminal);

}  // namespace reheap

#endif  // REHEAP_TOOLS_CMD_TRACE_H_
