// `reheap check`: replays of one trace against a budget; says yes or no, and what made the difference.
//
// Each row of the budget becomes a ReplayRequest; what replays is a parameter, so that words and verdicts are
// tested without any replay.
//
// Functions of their arguments. Threads: one.
#ifndef REHEAP_TOOLS_CMD_CHECK_H_
#define REHEAP_TOOLS_CMD_CHECK_H_

#include <string>
#include <vector>

#include "tools/cmd_replay.h"
#include "tools/command.h"

namespace reheap {

int CheckWith(ReplayFunction replay, const std::vector<std::string>& arguments, Terminal& terminal);

}  // namespace reheap

#endif  // REHEAP_TOOLS_CMD_CHECK_H_
