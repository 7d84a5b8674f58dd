// ReplayTarget: something that carries out ReplayOps, and the result that it leaves (row 6 of the walk).
//
// One virtual call per batch of some thousand ops. A target may live in a child process: TargetResult is
// therefore plain data of fixed size that can stand in shared memory.
//
// Threads: one. Limits: kTimelinePoints.
#ifndef REHEAP_SIM_REPLAY_REPLAY_TARGET_H_
#define REHEAP_SIM_REPLAY_REPLAY_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "alloc/os.h"
#include "alloc/reservation_strategy.h"
#include "sim/metrics/metric_sink.h"
#include "sim/replay/replay_op.h"

namespace reheap {

enum class TargetOutcome : uint8_t { kSurvived = 0, kStartupAbort, kLateAbort, kCatchableError };

struct TargetResult {
  TargetOutcome outcome = TargetOutcome::kSurvived;
  bool refused = false;
  Refusal refusal;               // the first one that mattered; valid when `refused`
  uint64_t refusal_event = 0;    // valid when refused and not at startup
  uint64_t events = 0;           // ops carried out
  uint64_t failed_allocations = 0;
  uint64_t peak_live_bytes = 0;  // asked for by the program
  uint64_t os_calls = 0;
  uint64_t rejected_frees = 0;   // frees that the heap named foreign, interior or double; 0 for a sound trace
  MetricSink metrics;

  PageMapKind page_map_kind = PageMapKind::kFlat;
  uint64_t page_map_reserved_bytes = 0;
  uint64_t page_map_resident_bytes = 0;
  int loads_per_lookup = 0;      // 0 = this target has no page map
  double lookup_ns = 0;          // 0 = not measured
  double baseline_ns = 0;
  uint64_t cpu_ns = 0;           // of the ops, measured; 0 = not measured
};
static_assert(std::is_trivially_copyable_v<TargetResult>);

class ReplayTarget {
 public:
  virtual ~ReplayTarget() = default;

  // What the target does before the program's first call. False: it was refused and ended, see result().
  virtual bool Start() = 0;

  // Carries out ops in order. Returns how many; fewer than `count` when the target ended at that op.
  virtual size_t Apply(const ReplayOp* ops, size_t count) = 0;

  // After the last Apply (or a failed Start): closes the metrics.
  virtual void Finish() = 0;

  // Measures page-map lookups, if there is a page map. After Finish; it disturbs RSS.
  virtual void MeasureLookups() {}

  TargetResult& result() { return result_; }

 protected:
  TargetResult result_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_REPLAY_TARGET_H_
