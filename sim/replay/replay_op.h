// ReplayOp: a trace event reduced to what a replay does, 16 bytes (row 6 of the walk).
//
// The number of an op is the number of its event: events that a replay does not carry out (failed calls,
// free(NULL), memory samples) are kNothing. An address-space call does not fit and stands in a table beside
// the batch (foreign_op.h). Made and checked by OpStream, so a target may trust it.
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

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_REPLAY_OP_H_
