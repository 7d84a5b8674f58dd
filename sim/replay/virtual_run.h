// VirtualRun: one row of the virtual world while it runs: modelled process, heap, the program's own mappings
// (rows 6 to 10 of the walk).
//
// What all rows of a trace share is read once (TraceSetup); whoever decodes the trace hands each batch to as
// many runs as are alive:
//
//   TraceSetup ── Create ──> VirtualRun ... VirtualRun      one per row
//   OpStream ─── batch ───> Apply          Apply            until it is not alive
//                           Finish         Finish           its row of the report
//
// Ownership: a run owns its OS, memory and heap; request, setup, row (with strategy and platform) and the real
// row's child outlive it. Threads: one at a time; different runs share nothing that changes. Limits: memory is
// the heap's tables and 16 bytes per slot.
#ifndef REHEAP_SIM_REPLAY_VIRTUAL_RUN_H_
#define REHEAP_SIM_REPLAY_VIRTUAL_RUN_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/report.pb.h"
#include "sim/os/shadow_memory.h"
#include "sim/os/share_report.h"
#include "sim/os/space_picture.h"
#include "sim/os/virtual_os.h"
#include "sim/replay/foreign_mappings.h"
#include "sim/replay/replay_child.h"
#include "sim/replay/replay_grid.h"
#include "sim/replay/replay_request.h"
#include "sim/replay/replay_target.h"
#include "sim/replay/trace_setup.h"

namespace reheap {

class VirtualRun {
 public:
  // The process stands, the heap has started (or was refused). `paired` is the real row that this one is compared
  // with byte by byte, and starts as its child did; null = none. InvalidArgument: the request's image or squatters
  // do not fit the platform.
  static absl::StatusOr<std::unique_ptr<VirtualRun>> Create(const ReplayRequest& request, const TraceSetup& setup,
                                                            const ReplayRow& row, const ChildReport* paired);
  VirtualRun(const VirtualRun&) = delete;
  VirtualRun& operator=(const VirtualRun&) = delete;

  // False: the strategy's formulas give no plan on this machine; alive() is false, and result() is not to be asked.
  bool has_plan() const { return target_ != nullptr; }
  // False: refused and ended; it takes no more batches.
  bool alive() const { return alive_; }
  // As ReplayTarget::ApplyTimed; `foreign` is not looked at when the setup replays no foreign calls.
  void Apply(const ReplayOp* ops, size_t count, const ForeignOp* foreign, const BatchTimes& times) {
    alive_ = target_->ApplyTimed(ops, count, foreign, times) == count;
  }
  // What it has come to so far.
  const TargetResult& result() const { return target_->result(); }
  // Once, after the last Apply: the row of the report.
  void Finish(proto::Run* run);

 private:
  VirtualRun(const ReplayRequest& request, const TraceSetup& setup, const ReplayRow& row, const VirtualProcess& process,
             proto::Run described);
  absl::Status PlaceSquatters(bool is_paired);
  absl::Status Start();

  const ReplayRequest& request_;
  const TraceSetup& setup_;
  const ReplayRow& row_;
  proto::Run described_;  // what is known before the first event
  VirtualOs os_;
  ShadowMemory memory_;
  std::unique_ptr<ForeignSpace> space_;
  ForeignMappings foreign_;
  ShareReport shares_;        // at the refusal
  SpacePicture picture_;      // then, else at the end
  ReservationStrategy plan_;  // the row's strategy, with this process's numbers
  absl::Status no_plan_;      // why there is none
  std::unique_ptr<ReplayTarget> target_;
  bool alive_ = false;
};

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_VIRTUAL_RUN_H_
