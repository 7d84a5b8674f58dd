// `reheap record`: runs a program and records what it asks of malloc (traces/record_session.h).
//
// Functions of their arguments. Threads: one; the signal dispositions of the process are the session's while
// it runs.
#ifndef REHEAP_TOOLS_CMD_RECORD_H_
#define REHEAP_TOOLS_CMD_RECORD_H_

#include <string>
#include <vector>

#include "tools/command.h"

namespace reheap {

int RecordCommand(const std::vector<std::string>& arguments, Terminal& terminal);

}  // namespace reheap

#endif  // REHEAP_TOOLS_CMD_RECORD_H_
