// `reheap replay`: a trace on strategies, worlds, platforms and limits; one row per combination.
//
// The command line becomes a ReplayRequest here; sim/replay does the work, sim/report prints it. What does
// the work is a parameter, so that the words of the command line are tested without any replay.
//
// Functions of their arguments. Threads: one.
#ifndef REHEAP_TOOLS_CMD_REPLAY_H_
#define REHEAP_TOOLS_CMD_REPLAY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/report.pb.h"
#include "sim/replay/replay_request.h"
#include "tools/command.h"

namespace reheap {

using ReplayFunction = absl::StatusOr<proto::Report> (*)(const ReplayRequest& request,
                                                         ProgressSink* progress);

int ReplayWith(ReplayFunction replay, const std::vector<std::string>& arguments, Terminal& terminal);

}  // namespace reheap

#endif  // REHEAP_TOOLS_CMD_REPLAY_H_
