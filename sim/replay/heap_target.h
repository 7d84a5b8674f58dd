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
#include "sim/metrics/cpu_clock.h"
#include "sim/metrics/lookup_probe.h"
#include "sim/replay/replay_target.h"
#include "sim/replay/object_table.h"

namespace reheap {

struct HeapTargetOptions {
  uint32_t slot_count = 0;
  bool touch_objects = false;  // write to every OS page of each object
  // A picture of the heap is taken before the event of this number; of a replay that ends earlier, at its end.
  uint64_t picture_event = ~uint64_t{0};
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
        watcher_(this) {
    result_.page_map_kind = strategy.page_map;
    lanes_.resize(kMaxLanes, kNoCache);
    if constexpr (kTellsNews) memory_.set_news(&news_);
  }
  ~HeapTarget() override {
    os_.set_observer(nullptr);
    if constexpr (kTellsNews) memory_.set_news(nullptr);
  }

  bool Start() override {
    result_.metrics.SetBaseline(os_.Usage());
    os_.set_observer(&watcher_);
    const OsResult<Done> started = heap_.Start();
    result_.metrics.Sample(os_.Usage());
    Place(kAtStartup, Missed::kNothing);
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
      if (result_.events == options_.picture_event) TakePicture();
      uint64_t most = std::min<uint64_t>(count - done, result_.metrics.EventsUntilPoint(result_.events));
      if (result_.events < options_.picture_event) most = std::min(most, options_.picture_event - result_.events);
      const size_t run = static_cast<size_t>(most);
      const size_t applied = ApplyRun(ops + done, run, foreign);
      done += applied;
      result_.events += applied;
      if (!result_.metrics.is_placed()) Place(LastEvent(), Missed::kAnything);
      if (applied < run) return done;
    }
    return done;
  }

  bool WantsTime() const override {
    if constexpr (requires { heap_.arena(); }) {
      return heap_.arena().plan().release.is_timed();
    } else {
      return false;  // a bench's stand-in for a heap
    }
  }

  void Advance(uint64_t time_ns) override {
    if constexpr (requires { heap_.Advance(time_ns); }) heap_.Advance(time_ns);
    if (result_.metrics.is_placed()) return;
    // What was given back, or mapped for the record of it, belongs to the event before.
    news_ = false;
    Place(LastEvent(), kMissed);
  }

  void Finish() override {
    AddPoint();
    if (!result_.picture.is_taken && result_.outcome != TargetOutcome::kStartupAbort) TakePicture();
    os_.set_observer(nullptr);
    FinishForeign();
    NoteMostLive();
    result_.peak_live_bytes = most_live_bytes_;
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
  using Missed = MetricSink::Missed;

  // Samples at each request of the heap, and makes sure that the target comes to know the event of it.
  class Watcher final : public OsSampler {
   public:
    explicit Watcher(HeapTarget* target) : OsSampler(&target->os_, &target->result_.metrics), target_(target) {}
    void AfterRequest(OsOperation operation, AddrRange range, const Refusal* refusal) override {
      OsSampler::AfterRequest(operation, range, refusal);
      target_->news_ = true;
      target_->NoteMostLive();
      target_->unseen_live_bytes_ = 0;
    }

   private:
    HeapTarget* target_;
  };

  // Whether the memory says when more of it became resident, and when the process was ended. Then every op is
  // followed by a look at `news_`; else AddLive's comparison has to do, at no cost per event.
  static constexpr bool kTellsNews = requires(M& memory, bool* news) { memory.set_news(news); };
  static constexpr Missed kMissed = kTellsNews ? Missed::kNothing : Missed::kRss;

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
          if (op.slot != kNoForeign) ApplyForeign(foreign[op.slot], EventOf(op), live_bytes_, os_);
          break;
      }
      if constexpr (kTellsNews) {
        if (news_) [[unlikely]] {
          Attend(op);
          alive = alive && !Died(op);
        }
      }
      if (!alive) return i;
    }
    return count;
  }

  // After an op that asked the OS for something, or made more resident.
  void Attend(const ReplayOp& op) {
    news_ = false;
    result_.metrics.Sample(os_.Usage());
    Place(EventOf(op), Missed::kNothing);
  }

  void Place(uint64_t event, Missed missed) { result_.metrics.Place(event, live_bytes_, missed); }
  uint64_t LastEvent() const { return result_.events == 0 ? kAtStartup : result_.events - 1; }

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
    if (killed == nullptr) return false;
    NoteRefusal(*killed, EventOf(op), /*is_foreign=*/false);
    result_.outcome = TargetOutcome::kLateAbort;
    return true;
  }

  bool Allocate(const ReplayOp& op) {
    const uint32_t cache = CacheOf(op);
    if (cache == kNoCache) return Refused(op);
    const uint64_t alignment = op.alignment_log2 == 0 ? 0 : uint64_t{1} << op.alignment_log2;
    const Addr address = heap_.Malloc(cache, op.size, alignment);
    if (!address) return Refused(op);
    slots_[op.slot] = {address, op.size};
    AddLive(op);
    if (options_.touch_objects) memory_.Touch(address, op.size);
    return true;
  }

  bool Free(const ReplayOp& op) {
    ObjectTable::Entry& entry = slots_[op.slot];
    if (!entry.address) return true;  // its allocation was answered NULL
    const Addr address = entry.address;
    live_bytes_ -= entry.bytes;
    entry = {};
    const uint32_t cache = CacheOf(op);
    if (cache == kNoCache) return Refused(op);  // a thread's first call may be free(): the object is lost
    if (heap_.Free(cache, address) != FreeError::kNone) ++result_.rejected_frees;
    return true;
  }

  bool Resize(const ReplayOp& op) {
    ObjectTable::Entry& entry = slots_[op.slot];
    if (!entry.address) return Allocate(op);
    const uint32_t cache = CacheOf(op);
    if (cache == kNoCache) return Refused(op);
    FreeError error = FreeError::kNone;
    const Addr address = heap_.Resize(cache, entry.address, op.size, &error);
    if (error != FreeError::kNone) ++result_.rejected_frees;
    if (!address) return Refused(op);
    live_bytes_ -= entry.bytes;
    entry = {address, op.size};
    AddLive(op);
    if (options_.touch_objects) memory_.Touch(address, op.size);
    return true;
  }

  // The thread cache of a lane, made at its first use; kNoCache when that was refused.
  uint32_t CacheOf(const ReplayOp& op) {
    const uint16_t lane = op.lane;
    if (lanes_[lane] == kNoCache) [[unlikely]] {
      const auto cache = heap_.NewCache();
      if (op.kind == ReplayOpKind::kFree && !result_.metrics.is_placed()) Place(EventOf(op), kMissed);
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
    if (!result_.metrics.is_placed()) Place(EventOf(op), kMissed);
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

  void AddLive(const ReplayOp& op) {
    live_bytes_ += op.size;
    if (live_bytes_ < unseen_live_bytes_) return;
    unseen_live_bytes_ = live_bytes_ + 1;
    if constexpr (!kTellsNews) {
      if (!result_.metrics.is_placed()) [[unlikely]] Place(EventOf(op), kMissed);
    }
  }

  void NoteMostLive() {
    if (unseen_live_bytes_ > most_live_bytes_) most_live_bytes_ = unseen_live_bytes_ - 1;
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
    Place(LastEvent(), kMissed);
    result_.metrics.AddPoint(result_.events, live_bytes_);
  }

  void TakePicture() {
    if constexpr (requires { TakeHeapPicture(heap_, slots_, &result_.picture); }) {
      const uint64_t before_ns = kTellsNews ? 0 : ThreadCpuNs();
      result_.picture.events = result_.events;
      TakeHeapPicture(heap_, slots_, &result_.picture);
      if (!kTellsNews) result_.picture_ns += ThreadCpuNs() - before_ns;
    }
  }

  Os& os_;
  M& memory_;
  const ReservationStrategy& strategy_;
  HeapTargetOptions options_;
  HeapT heap_;
  ObjectTable slots_;
  Watcher watcher_;
  std::vector<uint32_t> lanes_;
  Refusal cache_refusal_;
  const ReplayOp* run_begin_ = nullptr;  // its number is result_.events
  uint64_t live_bytes_ = 0;
  // The most live bytes so far, and what would be more. A request to the OS moves the former up and the latter down to
  // 0, so that the next object, the request's own, has its event noted.
  uint64_t most_live_bytes_ = 0;
  uint64_t unseen_live_bytes_ = 0;
  bool news_ = false;
};

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_HEAP_TARGET_H_
