// TraceSetup: what every row of one trace shares, read once (rows 4 to 6 of the walk).
//
// How large the tables must be, what the process held before the heap's first request, and whether the
// program's own address-space calls are replayed. Values only: any thread may read it.
#ifndef REHEAP_SIM_REPLAY_TRACE_SETUP_H_
#define REHEAP_SIM_REPLAY_TRACE_SETUP_H_

#include "absl/status/statusor.h"
#include "sim/replay/op_stream.h"
#include "sim/replay/process_image.h"
#include "sim/replay/replay_child.h"
#include "sim/replay/replay_request.h"
#include "sim/replay/target_factory.h"
#include "sim/replay/trace_demand.h"

namespace reheap {

struct TraceSetup {
  OpStream::Facts facts;
  TraceDemand demand;
  ProcessImage image;    // of the request's maps file, else the trace's own
  ForeignPlan foreign;   // calls 0: the trace has none, or they are left out

  bool replays_foreign() const { return foreign.calls != 0; }
};

// Of a heap that is to replay the request's trace.
HeapTargetOptions TargetOptions(const ReplayRequest& request, const TraceSetup& setup);

// Errors name the trace or the maps file.
absl::StatusOr<TraceSetup> ReadTraceSetup(const ReplayRequest& request);

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_TRACE_SETUP_H_
