// HeapTarget: reheap's own span allocator as the target of a replay (rows 6 and 7 of the walk).
//
// The same template serves both worlds: Heap<DirectMemory, ...> on RealOs inside a child process, and
// Heap<ShadowMemory, ...> on VirtualOs. It is instantiated in target_factory.cc alone.
//
// Owns the heap; borrows Os, Memory and strategy. Threads: one. Allocates nothing on the host's heap after
// construction.
#ifndef REHEAP_SIM_REPLAY_HEAP_TARGET_H_
#define REHEAP_SIM_REPLAY_HEAP_TARGET_H_

#include <algorithm>
#include <vector>

#include "alloc/heap.h"
#include "sim/metrics/lookup_probe.h"
#include "sim/replay/replay_target.h"
#include "sim/replay/object_table.h"

namespace reheap {

struct HeapTargetOptions {
  uint32_t slot_count = 0;
  bool touch_objects = false;  // write to every OS page of each object
};

// HeapT is Heap<M, some page map>; a benchmark puts a heap that does nothing in its place to find the loop's floor.
template <class HeapT, Memory M>
class HeapTarget final : public ReplayTarget {
 public:
  HeapTarget(Os& os, M& memory, const ReservationStrategy& strategy, const HeapTargetOptions& options)
      : os_(os),
        memory_(memory),
        strategy_(strategy),
        options_(options),
        heap_(os, memory, strategy),
        slots_(options.slot_count),
        sampler_(&os, &result_.metrics) {
    result_.page_map_kind = strategy.page_map;
    lanes_.resize(kMaxLanes, kNoCache);
  }
  ~HeapTarget() override { os_.set_observer(nullptr); }

  bool Start() override {
    result_.metrics.SetBaseline(os_.Usage());
    os_.set_observer(&sampler_);
    const OsResult<Done> started = heap_.Start();
    const Refusal* refusal = started.ok() ? Killed() : &started.refusal();
    if (refusal == nullptr) return true;
    result_.outcome = TargetOutcome::kStartupAbort;
    NoteRefusal(*refusal, 0, /*is_foreign=*/false);
    return false;
  }

  size_t Apply(const ReplayOp* ops, size_t count, const ForeignOp* foreign) override {
    size_t done = 0;
    while (done < count) {
      if (result_.metrics.WantsPoint(result_.events)) AddPoint();
      const size_t run = static_cast<size_t>(
          std::min<uint64_t>(count - done, result_.metrics.EventsUntilPoint(result_.events)));
      const size_t applied = ApplyRun(ops + done, run, foreign);
      done += applied;
      result_.events += applied;
      if (applied < run) return done;
    }
    return done;
  }

  void Finish() override {
    AddPoint();
    os_.set_observer(nullptr);
    FinishForeign();
    NoteMode();
    result_.os_calls = os_.total_calls();
    const PageMapCost cost = heap_.page_map().Cost();
    result_.page_map_reserved_bytes = cost.reserved_bytes;
    result_.page_map_resident_bytes = cost.resident_bytes;
    result_.loads_per_lookup = cost.loads_per_lookup;
  }

  void MeasureLookups() override {
    // Every page that belongs to a span now, found through the objects alive at the end; without objects, the
    // pages of the heap's last growth would be a made-up population: then nothing is measured.
    std::vector<PageId> pages;
    for (uint32_t slot = 0; slot < slots_.size(); ++slot) {
      const ObjectTable::Entry& entry = slots_[slot];
      if (entry.address) pages.push_back(PageId::Containing(entry.address, strategy_.heap_page_shift));
    }
    std::sort(pages.begin(), pages.end());
    pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
    if (pages.empty()) return;
    const LookupProbeResult probe = ProbeLookup(heap_.page_map(), pages, /*seed=*/1, /*lookups=*/1 << 20);
    result_.lookup_ns = probe.lookup_ns;
    result_.baseline_ns = probe.baseline_ns;
  }

  HeapT& heap() { return heap_; }

 private:
  static constexpr uint32_t kMaxLanes = 1u << 16;
  static constexpr uint32_t kNoCache = 0xffffffff;

  // Returns how many of the ops were carried out: fewer than `count` when the heap ended at that op.
  size_t ApplyRun(const ReplayOp* ops, size_t count, const ForeignOp* foreign) {
    run_begin_ = ops;
    for (size_t i = 0; i < count; ++i) {
      const ReplayOp& op = ops[i];
      bool alive = true;
      switch (op.kind) {
        case ReplayOpKind::kNothing: break;
        case ReplayOpKind::kAllocate: alive = Allocate(op); break;
        case ReplayOpKind::kFree: alive = Free(op); break;
        case ReplayOpKind::kResize: alive = Resize(op); break;
        case ReplayOpKind::kEndLane:
          EndLane(op.lane);
          [[fallthrough]];
        case ReplayOpKind::kForeign:
          if (op.slot != kNoForeign) ApplyForeign(foreign[op.slot], EventOf(op), os_);
          break;
      }
      if (!alive || Died(op)) return i;
    }
    return count;
  }

  // What the OS ended the process for, at an access; null while it lives.
  const Refusal* Killed() const {
    if constexpr (requires(const M& memory) { memory.killed(); }) {
      return memory_.killed();
    } else {
      return nullptr;
    }
  }

  // Whether that happened at the op.
  bool Died(const ReplayOp& op) {
    const Refusal* const killed = Killed();
    if (killed == nullptr) [[likely]] return false;
    NoteRefusal(*killed, EventOf(op), /*is_foreign=*/false);
    result_.outcome = TargetOutcome::kLateAbort;
    return true;
  }

  bool Allocate(const ReplayOp& op) {
    const uint32_t cache = CacheOf(op.lane);
    if (cache == kNoCache) return Refused(op);
    const uint64_t alignment = op.alignment_log2 == 0 ? 0 : uint64_t{1} << op.alignment_log2;
    const Addr address = heap_.Malloc(cache, op.size, alignment);
    if (!address) return Refused(op);
    slots_[op.slot] = {address, op.size};
    AddLive(op.size);
    if (options_.touch_objects) memory_.Touch(address, op.size);
    return true;
  }

  bool Free(const ReplayOp& op) {
    ObjectTable::Entry& entry = slots_[op.slot];
    if (!entry.address) return true;  // its allocation was answered NULL
    const Addr address = entry.address;
    live_bytes_ -= entry.bytes;
    entry = {};
    const uint32_t cache = CacheOf(op.lane);
    if (cache == kNoCache) return Refused(op);  // a thread's first call may be free(): the object is lost
    if (heap_.Free(cache, address) != FreeError::kNone) ++result_.rejected_frees;
    return true;
  }

  bool Resize(const ReplayOp& op) {
    ObjectTable::Entry& entry = slots_[op.slot];
    if (!entry.address) return Allocate(op);
    const uint32_t cache = CacheOf(op.lane);
    if (cache == kNoCache) return Refused(op);
    FreeError error = FreeError::kNone;
    const Addr address = heap_.Resize(cache, entry.address, op.size, &error);
    if (error != FreeError::kNone) ++result_.rejected_frees;
    if (!address) return Refused(op);
    live_bytes_ -= entry.bytes;
    entry = {address, op.size};
    AddLive(op.size);
    if (options_.touch_objects) memory_.Touch(address, op.size);
    return true;
  }

  // The thread cache of a lane, made at its first use; kNoCache when that was refused.
  uint32_t CacheOf(uint16_t lane) {
    if (lanes_[lane] == kNoCache) [[unlikely]] {
      const auto cache = heap_.NewCache();
      if (!cache.ok()) {
        cache_refusal_ = cache.refusal();
        return kNoCache;
      }
      lanes_[lane] = cache.value();
    }
    return lanes_[lane];
  }

  void EndLane(uint16_t lane) {
    if (lanes_[lane] == kNoCache) return;
    heap_.DropCache(lanes_[lane]);
    lanes_[lane] = kNoCache;
  }

  // The OS refused. Does the program live on?
  bool Refused(const ReplayOp& op) {
    const Refusal& refusal = cache_refusal_.rule != Rule::kNone ? cache_refusal_ : heap_.last_refusal();
    NoteRefusal(refusal, EventOf(op), /*is_foreign=*/false);
    ++result_.failed_allocations;
    if (strategy_.on_refusal == OnRefusal::kReturnNull) {
      result_.outcome = TargetOutcome::kCatchableError;
      return true;
    }
    result_.outcome = TargetOutcome::kLateAbort;
    return false;
  }

  uint64_t EventOf(const ReplayOp& op) const {
    return result_.events + static_cast<uint64_t>(&op - run_begin_);
  }

  void AddLive(uint64_t bytes) {
    live_bytes_ += bytes;
    if (live_bytes_ > result_.peak_live_bytes) result_.peak_live_bytes = live_bytes_;
  }

  // A bench's stand-in for a heap has no arena.
  void NoteMode() {
    if constexpr (requires(const HeapT& heap) { heap.arena(); }) {
      const Arena& arena = heap_.arena();
      arena.mode().copy(result_.mode, sizeof(result_.mode) - 1);
      if (result_.refused) arena.failed_purpose().copy(result_.failed_purpose, sizeof(result_.failed_purpose) - 1);
      const bool survived = result_.outcome == TargetOutcome::kSurvived;
      if (survived && arena.is_degraded()) result_.outcome = TargetOutcome::kDegraded;
    }
  }

  void AddPoint() {
    result_.metrics.Sample(os_.Usage());
    result_.metrics.AddPoint(result_.events, live_bytes_);
  }

  Os& os_;
  M& memory_;
  const ReservationStrategy& strategy_;
  HeapTargetOptions options_;
  HeapT heap_;
  ObjectTable slots_;
  OsSampler sampler_;
  std::vector<uint32_t> lanes_;
  Refusal cache_refusal_;
  const ReplayOp* run_begin_ = nullptr;  // its number is result_.events
  uint64_t live_bytes_ = 0;
};

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_HEAP_TARGET_H_
