// Probe: one replay that a question asks for, and where its events come from (rows 5 and 6 of the walk).
//
// Values; a probe keeps a strategy of its own alive. OpFeed and ProbeSource: one feed per thread, a source for
// all. Who runs probes: probe_runner.h.
#ifndef REHEAP_SIM_STUDIES_PROBE_H_
#define REHEAP_SIM_STUDIES_PROBE_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "sim/replay/foreign_op.h"
#include "sim/replay/replay_grid.h"
#include "sim/replay/replay_op.h"
#include "sim/replay/replay_request.h"
#include "sim/replay/trace_setup.h"
#include "sim/strategies/strategy_catalog.h"

namespace reheap {

struct Probe {
  ReplayRow row;
  std::shared_ptr<const CatalogStrategy> own_plan;  // row.strategy and row.text point into it, unless null
};

// Ops in order, for as many runs as listen.
class OpFeed {
 public:
  virtual ~OpFeed() = default;
  // As OpStream::Next; what has no time has no marks.
  virtual absl::StatusOr<size_t> Next(ReplayOp* ops, size_t capacity, ForeignOp* foreign, BatchTimes* times) = 0;
};

// What the probes of a group are replayed on.
class ProbeSource {
 public:
  virtual ~ProbeSource() = default;
  virtual absl::StatusOr<std::unique_ptr<OpFeed>> Open() const = 0;
  virtual const ReplayRequest& request() const = 0;
  virtual const TraceSetup& setup() const = 0;
  // Whether a run is over when an allocation of its has failed, though the heap lives on.
  virtual bool ends_at_first_failure() const = 0;
};

// The events of a trace file. `request` and `setup` outlive it.
std::unique_ptr<ProbeSource> MakeTraceSource(const ReplayRequest* request, const TraceSetup* setup);

// Blocks of one size, `up_to_bytes` of them; no trace. `request` says the image, and outlives it.
absl::StatusOr<std::unique_ptr<ProbeSource>> MakeBlockSource(const ReplayRequest* request, uint64_t block_bytes,
                                                             uint64_t up_to_bytes);

}  // namespace reheap

#endif  // REHEAP_SIM_STUDIES_PROBE_H_
