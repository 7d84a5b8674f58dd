#include "sim/replay/malloc_target.h"

#include <stdlib.h>

#include <algorithm>

namespace reheap {
namespace {

constexpr uint64_t kSampleLiveBytes = 64 * kKiB;
constexpr uint64_t kSampleOps = 4096;

Addr AddrOf(void* p) { return Addr(reinterpret_cast<uint64_t>(p)); }
void* PointerOf(Addr a) { return reinterpret_cast<void*>(a.value()); }

}  // namespace

MallocTarget::MallocTarget(Os* os, uint32_t slot_count, bool touch_objects)
    : os_(os), slots_(slot_count), touch_objects_(touch_objects) {}

bool MallocTarget::Start() {
  result_.metrics.SetBaseline(os_->Usage());
  return true;
}

size_t MallocTarget::Apply(const ReplayOp* ops, size_t count, const ForeignOp* foreign) {
  for (size_t i = 0; i < count; ++i) {
    const ReplayOp& op = ops[i];
    switch (op.kind) {
      case ReplayOpKind::kNothing: break;
      case ReplayOpKind::kEndLane:
      case ReplayOpKind::kForeign:
        if (op.slot != kNoForeign) ApplyForeign(foreign[op.slot], result_.events, live_bytes_, *os_);
        break;
      case ReplayOpKind::kAllocate: Allocate(op); break;
      case ReplayOpKind::kResize: Resize(op); break;
      case ReplayOpKind::kFree:
        free(PointerOf(slots_[op.slot].address));
        Place(op.slot, nullptr, 0);
        break;
    }
    if (++result_.events % kSampleOps == 0) Sample(result_.events - 1);
  }
  return count;
}

void MallocTarget::Finish() {
  Sample(result_.events == 0 ? kAtStartup : result_.events - 1);
  FinishForeign();
}

void MallocTarget::Allocate(const ReplayOp& op) {
  void* p = nullptr;
  if (op.alignment_log2 == 0) {
    p = malloc(op.size);
  } else {
    const uint64_t alignment = std::max<uint64_t>(uint64_t{1} << op.alignment_log2, sizeof(void*));
    if (posix_memalign(&p, alignment, op.size) != 0) p = nullptr;
  }
  if (p == nullptr) {
    ++result_.failed_allocations;
    result_.outcome = TargetOutcome::kCatchableError;
  }
  Place(op.slot, p, p == nullptr ? 0 : op.size);
}

void MallocTarget::Resize(const ReplayOp& op) {
  // realloc(p, 0) may free p and answer NULL; the trace says that an object lives on, so it keeps a byte.
  void* p = realloc(PointerOf(slots_[op.slot].address), std::max<uint64_t>(op.size, 1));
  if (p == nullptr) {
    ++result_.failed_allocations;
    result_.outcome = TargetOutcome::kCatchableError;
    return;  // the old object lives on
  }
  Place(op.slot, p, op.size);
}

void MallocTarget::Place(uint32_t slot, void* p, uint64_t bytes) {
  ObjectTable::Entry& entry = slots_[slot];
  live_bytes_ = live_bytes_ - entry.bytes + bytes;
  entry = {AddrOf(p), bytes};
  if (live_bytes_ > result_.peak_live_bytes) result_.peak_live_bytes = live_bytes_;
  if (touch_objects_ && bytes != 0) memory_.Touch(entry.address, bytes);
  if (live_bytes_ >= next_sample_live_bytes_) {
    Sample(result_.events);
    next_sample_live_bytes_ = live_bytes_ + kSampleLiveBytes;
  }
}

void MallocTarget::Sample(uint64_t event) {
  result_.metrics.Sample(os_->Usage());
  result_.metrics.Place(event, live_bytes_, MetricSink::Missed::kAnything);
  if (result_.metrics.WantsPoint(result_.events)) result_.metrics.AddPoint(result_.events, live_bytes_);
}

}  // namespace reheap
