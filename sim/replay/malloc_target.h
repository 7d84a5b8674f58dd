// MallocTarget: the malloc of this process as the target of a replay (row 6 of the walk, "another malloc").
//
// Runs in a worker process that was started with the malloc in question preloaded, or with the C library's.
// Its peaks are sampled: at each 64 KiB of new peak of live bytes and every 4,096 ops, since nobody tells when
// a foreign malloc asks the OS.
//
// Borrows Os (for usage alone). Threads: one; thread caches of the foreign malloc see a single thread.
#ifndef REHEAP_SIM_REPLAY_MALLOC_TARGET_H_
#define REHEAP_SIM_REPLAY_MALLOC_TARGET_H_

#include "alloc/memory.h"
#include "sim/replay/replay_target.h"
#include "sim/replay/object_table.h"

namespace reheap {

class MallocTarget final : public ReplayTarget {
 public:
  MallocTarget(Os* os, uint32_t slot_count, bool touch_objects);

  bool Start() override;
  size_t Apply(const ReplayOp* ops, size_t count, const ForeignOp* foreign) override;
  void Finish() override;

 private:
  void Allocate(const ReplayOp& op);
  void Resize(const ReplayOp& op);
  void Place(uint32_t slot, void* p, uint64_t bytes);
  // While `event` is carried out.
  void Sample(uint64_t event);

  Os* os_;
  DirectMemory memory_;
  ObjectTable slots_;
  bool touch_objects_;
  uint64_t live_bytes_ = 0;
  uint64_t next_sample_live_bytes_ = 0;
};

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_MALLOC_TARGET_H_
