// RunResult: what a target left behind, as a row of the report with a provenance for each figure (rows 10, 11).
//
// Values only: no threads.
#ifndef REHEAP_SIM_REPLAY_RUN_RESULT_H_
#define REHEAP_SIM_REPLAY_RUN_RESULT_H_

#include "absl/status/status.h"
#include "proto/report.pb.h"
#include "sim/os/refusal_text.h"
#include "sim/os/space_picture.h"
#include "sim/replay/replay_request.h"
#include "sim/replay/replay_target.h"
#include "sim/replay/trace_demand.h"

namespace reheap {

// Fills outcome, refusal, peaks and their causes (FillCalls puts those into words), page map, timeline and provenance of
// `run` from `result`.
// Preconditions: run->world() is set.
void FillRun(const TargetResult& result, proto::Run* run);

// Who held what, beside the refusal that FillRun filled in; nothing when there is none.
void FillHolders(const ShareReport& shares, proto::Provenance provenance, proto::Run* run);

// What lay in the heap when most was alive, by size class; nothing where no picture was taken. After FillRun.
void FillHeapPicture(const HeapPicture& picture, const TraceDemand& demand, proto::Run* run);

// Who sits where; nothing when there is no picture. After FillRun.
void FillAddressSpace(const SpacePicture& picture, proto::Run* run);

// The row of a program that does not start, since the strategy's formulas give no plan on its machine and limits:
// rule "no plan". Preconditions: run->world() is set.
void FillNoPlan(const absl::Status& why, proto::Run* run);

// Carries over the figures of foreign mappings, with their provenance and how `request` wanted them.
// Preconditions: run->world() is set.
void FillForeign(const ForeignStats& stats, const ReplayRequest& request, proto::Run* run);

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_RUN_RESULT_H_
