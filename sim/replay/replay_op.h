// ReplayOp: a trace event reduced to what a replay does, 16 bytes (row 6 of the walk).
//
// The number of an op is the number of its event: events that a replay does not carry out (failed calls,
// free(NULL), memory samples) are kNothing. An address-space call does not fit and stands in a table beside
// the batch (foreign_op.h), and so does the time. Made and checked by OpStream, so a target may trust it.
//
// Values only: no ownership, no threads. Limits: 65,536 lanes.
#ifndef REHEAP_SIM_REPLAY_REPLAY_OP_H_
#define REHEAP_SIM_REPLAY_REPLAY_OP_H_

#include <cstdint>

namespace reheap {

inline constexpr uint32_t kNoForeign = 0xffffffff;

enum class ReplayOpKind : uint8_t { kNothing = 0, kAllocate, kFree, kResize, kEndLane, kForeign };

struct ReplayOp {
  uint64_t size = 0;           // bytes asked for
  uint32_t slot = kNoForeign;  // of the object; of kForeign and kEndLane: index of the batch's ForeignOps
  uint16_t lane = 0;           // thread cache: one per thread that is alive, numbers reused
  ReplayOpKind kind = ReplayOpKind::kNothing;
  uint8_t alignment_log2 = 0;  // 0 = the default
};
static_assert(sizeof(ReplayOp) == 16);

inline constexpr uint32_t kOpsPerBatch = 8192;

// The time at some ops of a batch: at the first of each kTimeStepNs of the trace's time in which there is one. An op
// itself has none, and none is looked at where no step ended.
struct BatchTimes {
  static constexpr uint64_t kTimeStepNs = 10'000'000;  // 10 ms: mimalloc's delay, a fifth of jemalloc's epoch
  struct Mark {
    uint64_t time_ns;  // since the trace's start; rises
    uint32_t op;       // in the batch; rises
  };
  static constexpr uint32_t kMostOps = 2 * kOpsPerBatch;  // of a batch that has them
  uint32_t count = 0;
  Mark marks[kMostOps];
};

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_REPLAY_OP_H_
