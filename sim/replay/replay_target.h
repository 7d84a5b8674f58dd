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
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "alloc/os.h"
#include "alloc/reservation_strategy.h"
#include "sim/metrics/metric_sink.h"
#include "sim/replay/foreign_mappings.h"
#include "sim/replay/heap_picture.h"
#include "sim/replay/replay_op.h"

namespace reheap {

enum class TargetOutcome : uint8_t { kSurvived = 0, kStartupAbort, kLateAbort, kCatchableError, kDegraded };

struct TargetResult {
  TargetOutcome outcome = TargetOutcome::kSurvived;
  bool refused = false;
  Refusal refusal;               // the first one that mattered; valid when `refused`
  uint64_t refusal_event = 0;    // valid when refused and not at startup
  bool refusal_is_foreign = false;  // of a call of the program's own, not of the heap's
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
  uint64_t picture_ns = 0;       // CPU time between ops, taken by the picture; real world only
  HeapPicture picture;
  ForeignStats foreign;
  // What the heap fell back to, in words, and the mapping whose refusal ended its start; cut off at the end.
  char mode[120] = {};
  char failed_purpose[60] = {};
};
static_assert(std::is_trivially_copyable_v<TargetResult>);

class ReplayTarget {
 public:
  virtual ~ReplayTarget() = default;

  // What the target does before the program's first call. False: it was refused and ended, see result().
  virtual bool Start() = 0;

  // Carries out ops in order. Returns how many; fewer than `count` when the target ended at that op. `foreign`
  // is the batch's table of address-space calls; null when it has none.
  virtual size_t Apply(const ReplayOp* ops, size_t count, const ForeignOp* foreign) = 0;

  // Whether Advance does anything. After Start.
  virtual bool WantsTime() const { return false; }
  // The trace's time before the next op; it rises.
  virtual void Advance(uint64_t time_ns) { static_cast<void>(time_ns); }

  // Apply, told the time at the marks. A target that does not want it gets the batch in one piece.
  size_t ApplyTimed(const ReplayOp* ops, size_t count, const ForeignOp* foreign, const BatchTimes& times) {
    if (times.count == 0 || !WantsTime()) return Apply(ops, count, foreign);
    size_t done = 0;
    for (uint32_t n = 0; n < times.count; ++n) {
      const size_t until = times.marks[n].op;
      if (until > done) {
        const size_t applied = Apply(ops + done, until - done, foreign);
        if (applied < until - done) return done + applied;
        done = until;
      }
      Advance(times.marks[n].time_ns);
    }
    return done < count ? done + Apply(ops + done, count - done, foreign) : done;
  }

  // After the last Apply (or a failed Start): closes the metrics.
  virtual void Finish() = 0;

  // Measures page-map lookups, if there is a page map. After Finish; it disturbs RSS.
  virtual void MeasureLookups() {}

  TargetResult& result() { return result_; }

  // Who carries out the program's own address-space calls; borrowed, null = nobody does.
  void set_foreign(ForeignMappings* mappings) { foreign_ = mappings; }
  // Called when a request is refused that may become the result's refusal, while the process is as it was then.
  void set_on_refusal(std::function<void(const Refusal&)> on_refusal) { on_refusal_ = std::move(on_refusal); }

 protected:
  // The heap's first refusal takes the place of one that only the program's own calls met.
  void NoteRefusal(const Refusal& refusal, uint64_t event, bool is_foreign) {
    if (result_.refused && (is_foreign || !result_.refusal_is_foreign)) return;
    result_.refused = true;
    result_.refusal = refusal;
    result_.refusal_event = event;
    result_.refusal_is_foreign = is_foreign;
    if (on_refusal_) on_refusal_(refusal);
  }

  // `event` is the call's number. Usage peaks before what is unmapped goes and after what is mapped came.
  void ApplyForeign(const ForeignOp& op, uint64_t event, uint64_t live_bytes, Os& os) {
    if (foreign_ == nullptr) return;
    result_.metrics.Sample(os.Usage());
    const std::optional<Refusal> refusal = foreign_->Apply(op);
    result_.metrics.Sample(os.Usage());
    result_.metrics.Place(event, live_bytes, MetricSink::Missed::kRss);
    if (refusal.has_value()) NoteRefusal(*refusal, event, /*is_foreign=*/true);
  }

  // At the end: a program that was refused a mapping of its own went on without it.
  void FinishForeign() {
    if (foreign_ == nullptr) return;
    result_.foreign = foreign_->stats();
    const bool survived = result_.outcome == TargetOutcome::kSurvived;
    if (survived && result_.refused && result_.refusal_is_foreign) result_.outcome = TargetOutcome::kDegraded;
  }

  TargetResult result_;

 private:
  ForeignMappings* foreign_ = nullptr;
  std::function<void(const Refusal&)> on_refusal_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_REPLAY_TARGET_H_
