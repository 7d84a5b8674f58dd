// `reheap study` and its family: the grid, minimal limits, usable heap, sensitivity; on all cores, in shards.
//
//   study FILE|NAME        runs it, or one shard of it; results to stdout and --output
//   study merge R...       shards' results become one
//   study list, show       the studies that are part of reheap
//
// An interrupted run leaves its finished cells beside the result (sim/studies/cell_store.h); --resume runs the
// rest. A run that SIGINT or SIGTERM ended dies of that signal in the end, as its parent expects.
//
// Functions of their arguments. Threads: one; a study's own end with it.
#ifndef REHEAP_TOOLS_CMD_STUDY_H_
#define REHEAP_TOOLS_CMD_STUDY_H_

#include <string>
#include <vector>

#include "tools/command.h"

namespace reheap {

int StudyCommand(const std::vector<std::string>& arguments, Terminal& terminal);
int StudyMergeCommand(const std::vector<std::string>& arguments, Terminal& terminal);
int StudyListCommand(const std::vector<std::string>& arguments, Terminal& terminal);
int StudyShowCommand(const std::vector<std::string>& arguments, Terminal& terminal);

}  // namespace reheap

#endif  // REHEAP_TOOLS_CMD_STUDY_H_
