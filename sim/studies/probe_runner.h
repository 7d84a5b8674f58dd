// ProbeRunner: many replays from one decoding of their trace (rows 5 to 10 of the walk).
//
//   OpFeed ── batch of ops ──> VirtualRun 1 ── VirtualRun 2 ── ... ── VirtualRun n      a run that dies drops out
//
// Decoding costs more than a heap's work on a batch, so it is done once per group. A batch is large enough that
// a run's tables are fetched into the cache for many events.
//
// Ownership: a runner owns its buffers and is used for many groups. Threads: one runner per thread. Limits: at
// most kRunsAtOnce runs live at once; memory is theirs.
#ifndef REHEAP_SIM_STUDIES_PROBE_RUNNER_H_
#define REHEAP_SIM_STUDIES_PROBE_RUNNER_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "proto/report.pb.h"
#include "sim/replay/foreign_op.h"
#include "sim/replay/replay_op.h"
#include "sim/studies/probe.h"

namespace reheap {

class ProbeRunner {
 public:
  static constexpr size_t kRunsAtOnce = 32;

  // `stop` is asked between batches; Cancelled when it says yes. `progress` is told of events carried out by one
  // run more; a run that died counts as having done all of its own.
  ProbeRunner(std::function<bool()> stop, std::function<void(uint64_t events)> progress);

  // One row of the report per probe, in their order.
  absl::Status Run(const ProbeSource& source, const std::vector<Probe>& probes, std::vector<proto::Run>* runs);

 private:
  absl::Status RunSome(const ProbeSource& source, const Probe* probes, size_t count, proto::Run* runs);

  const std::function<bool()> stop_;
  const std::function<void(uint64_t)> progress_;
  std::vector<ReplayOp> ops_;
  std::vector<ForeignOp> foreign_ops_;
  std::unique_ptr<BatchTimes> times_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_STUDIES_PROBE_RUNNER_H_
