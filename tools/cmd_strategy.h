// `reheap strategy list`, `show` and `diff`: the strategy catalogue for people (sim/strategies).
//
// Functions of their arguments. Threads: one.
#ifndef REHEAP_TOOLS_CMD_STRATEGY_H_
#define REHEAP_TOOLS_CMD_STRATEGY_H_

#include <string>
#include <vector>

#include "tools/command.h"

namespace reheap {

int StrategyListCommand(const std::vector<std::string>& arguments, Terminal& terminal);
int StrategyShowCommand(const std::vector<std::string>& arguments, Terminal& terminal);
int StrategyDiffCommand(const std::vector<std::string>& arguments, Terminal& terminal);

}  // namespace reheap

#endif  // REHEAP_TOOLS_CMD_STRATEGY_H_
