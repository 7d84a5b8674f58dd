#include "sim/replay/trace_demand.h"

#include <algorithm>
#include <memory>

namespace reheap {
namespace {

// Counts what Heap would make of the ops (heap.h, "Malloc" and Resize).
class ClassCounter {
 public:
  ClassCounter(uint32_t heap_page_shift, std::vector<uint64_t>* counts)
      : classes_(SizeClasses::ForHeapPageShift(heap_page_shift)), shift_(heap_page_shift), counts_(*counts) {
    counts_.resize(static_cast<size_t>(classes_.count()));
  }

  void Allocate(const ReplayOp& op) {
    const uint64_t alignment = op.alignment_log2 == 0 ? 1 : uint64_t{1} << op.alignment_log2;
    ++counts_[static_cast<size_t>(classes_.ClassFor(op.size, alignment))];
  }
  void Resize(uint64_t old_bytes, uint64_t new_bytes) {
    const int old_class = classes_.ClassFor(old_bytes), new_class = classes_.ClassFor(new_bytes);
    if (old_class == new_class && (new_class != 0 || Pages(new_bytes) <= Pages(old_bytes))) return;
    ++counts_[static_cast<size_t>(new_class)];
  }

 private:
  uint64_t Pages(uint64_t bytes) const {
    return (bytes >> shift_) + ((bytes & ((uint64_t{1} << shift_) - 1)) != 0);
  }

  const SizeClasses& classes_;
  const uint32_t shift_;
  std::vector<uint64_t>& counts_;
};

}  // namespace

absl::StatusOr<TraceDemand> ReadDemand(const std::string& trace_path, bool allow_cut_off) {
  absl::StatusOr<std::unique_ptr<OpStream>> stream = OpStream::Open(trace_path, allow_cut_off);
  if (!stream.ok()) return stream.status();
  TraceDemand demand;
  ClassCounter small(12, &demand.allocations_4k), large(13, &demand.allocations_8k);
  std::vector<ReplayOp> ops(kOpsPerBatch);
  std::vector<uint64_t> bytes_of_slot;
  uint64_t live_bytes = 0;
  for (;;) {
    const absl::StatusOr<size_t> n = (*stream)->Next(ops.data(), ops.size());
    if (!n.ok()) return n.status();
    if (*n == 0) return demand;
    for (size_t i = 0; i < *n; ++i) {
      const ReplayOp& op = ops[i];
      ++demand.events;
      const bool allocates = op.kind == ReplayOpKind::kAllocate, resizes = op.kind == ReplayOpKind::kResize;
      if (!allocates && !resizes && op.kind != ReplayOpKind::kFree) continue;
      if (op.slot >= bytes_of_slot.size())
        bytes_of_slot.resize(std::max<size_t>(op.slot + 1, 2 * bytes_of_slot.size()));
      uint64_t& bytes = bytes_of_slot[op.slot];
      if (allocates) {
        small.Allocate(op);
        large.Allocate(op);
      } else if (resizes) {
        small.Resize(bytes, op.size);
        large.Resize(bytes, op.size);
      }
      live_bytes -= bytes;
      bytes = op.kind == ReplayOpKind::kFree ? 0 : op.size;
      live_bytes += bytes;
      if (live_bytes <= demand.peak_live_bytes) continue;
      demand.peak_live_bytes = live_bytes;
      demand.events_at_peak = demand.events;
    }
  }
}

}  // namespace reheap
