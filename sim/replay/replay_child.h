// ReplayChild: a replay in a process of its own, fed through shared memory (row 6 of the walk, real world).
//
// The parent decodes the trace; the child does nothing but carry out ops and read its own usage, so that what
// is measured is the target. A limit set there, or a crash there, is the child's alone. Batches travel
// through a ring in MAP_SHARED memory, which is in the child's baseline and not anonymous RSS.
//
//   parent: OpStream -> ring[free] ------ sem ------> child: ring[filled] -> ReplayTarget::Apply
//
// Ownership: the child ends inside RunInChild. Threads: the parent must have one when it calls (fork).
// Linux only.
#ifndef REHEAP_SIM_REPLAY_REPLAY_CHILD_H_
#define REHEAP_SIM_REPLAY_REPLAY_CHILD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "alloc/addr.h"
#include "sim/os/maps_text.h"
#include "sim/os/space_picture.h"
#include "sim/replay/child_baseline.h"
#include "sim/replay/op_stream.h"
#include "sim/replay/replay_target.h"

namespace reheap {

// The traced program's own address-space calls, carried out in the child.
struct ForeignPlan {
  uint64_t calls = 0;        // at most so many; 0 = none are carried out
  uint64_t stack_bytes = 0;  // of a thread, without guard page; 0 = stacks are not modelled
};

struct ChildPlan {
  // Called in the child, before the baseline; `os` is the child's RealOs and outlives the target.
  std::function<std::unique_ptr<ReplayTarget>(Os* os)> make_target;
  // Instead of make_target: the program and library of a replay worker with another malloc. The child execs
  // `worker_program` with LD_PRELOAD = `preload` (empty = the C library's own malloc).
  bool exec_worker = false;
  std::string preload;
  uint32_t slot_count = 0;      // exec_worker only
  bool touch_objects = false;   // exec_worker only

  // Mapped in the child before the target is made; make_target only.
  std::vector<AddrRange> squatters;

  // Most that the target may add to the baseline: RLIMIT_AS and RLIMIT_DATA are set to baseline + this.
  std::optional<uint64_t> address_room_bytes;
  std::optional<uint64_t> data_room_bytes;
  bool measure_lookup = false;
  ForeignPlan foreign;
};

struct ChildReport {
  TargetResult result;
  OsUsage baseline;
  std::vector<ImageMapping> baseline_image;  // the child's mappings then
  uint64_t baseline_data_bytes = 0;          // what RLIMIT_DATA counts of it
  uint64_t added_mappings = 0;               // VMAs at the end, less those at the baseline
  // When the result's refusal happened; valid when there was one.
  uint64_t refusal_vsize_bytes = 0;
  ForeignStats refusal_foreign;
  SpacePicture picture;  // then; else at the end
};

// The limit that leaves `room` above what is in use; a limit near 2^64 is none.
constexpr uint64_t PlusRoom(uint64_t in_use_bytes, uint64_t room_bytes) {
  return room_bytes > ~uint64_t{0} - in_use_bytes ? ~uint64_t{0} : in_use_bytes + room_bytes;
}

// Errors: the stream's; InvalidArgument for a squatter whose place is taken and FailedPrecondition for a limit
// above this process's own hard limit (no process may raise that); Internal when the child dies of a signal (it names signal and event).
// `progress` (may be empty) is told the number of events fed.
absl::StatusOr<ChildReport> RunInChild(const ChildPlan& plan, OpStream* stream,
                                       const std::function<void(uint64_t)>& progress);

// To be called first in main() of any program that runs exec_worker children: when this process is such a
// worker it carries out the replay and exits, otherwise it returns.
void MaybeRunReplayWorker(int argc, char** argv);

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_REPLAY_CHILD_H_
