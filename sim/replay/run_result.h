// RunResult: what a target left behind, as a row of the report with a provenance for each figure (rows 10, 11).
//
// Values only: no threads.
#ifndef REHEAP_SIM_REPLAY_RUN_RESULT_H_
#define REHEAP_SIM_REPLAY_RUN_RESULT_H_

#include "proto/report.pb.h"
#include "sim/os/refusal_text.h"
#include "sim/replay/replay_request.h"
#include "sim/replay/replay_target.h"

namespace reheap {

// Fills outcome, refusal, peaks, page map, timeline and provenance of `run` from `result`.
// Preconditions: run->world() is set.
void FillRun(const TargetResult& result, proto::Run* run);

// Who held what, beside the refusal that FillRun filled in; nothing when there is none.
void FillHolders(const ShareReport& shares, proto::Provenance provenance, proto::Run* run);

// Carries over the figures of foreign mappings, with their provenance and how `request` wanted them.
// Preconditions: run->world() is set.
void FillForeign(const ForeignStats& stats, const ReplayRequest& request, proto::Run* run);

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_RUN_RESULT_H_
