// What a replay costs beyond the allocator: decoding a trace into ops, and the loop that feeds them. The floor
// is the same loop with a heap that only counts; the difference to a real heap is the allocator's.
//
//   bazel run //tests/bench:replay_bench
#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "alloc/check.h"
#include "alloc/flat_page_map.h"
#include "alloc/heap.h"
#include "alloc/memory.h"
#include "alloc/real_os.h"
#include "sim/replay/heap_target.h"
#include "sim/replay/op_stream.h"
#include "traces/trace_writer.h"

namespace reheap {
namespace {

constexpr int kEvents = 1 << 20;
constexpr uint32_t kLive = 4096;

// Churn over 4,096 slots, sizes 8 to 1,024 bytes, seed 1: the shape of measurements that others publish.
const std::string& TracePath() {
  static const std::string path = [] {
    const std::string file = "/tmp/reheap_replay_bench.trace";
    auto writer = TraceWriter::Create(file, proto::TraceHeader());
    REHEAP_CHECK(writer.ok());
    std::mt19937_64 random(1);
    std::vector<bool> live(kLive);
    TraceEvent event;
    event.thread = (*writer)->AddThread(proto::TraceThread());
    for (int i = 0; i < kEvents; ++i) {
      event.object = static_cast<uint32_t>(random() % kLive);
      event.kind = live[event.object] ? EventKind::kFree : EventKind::kAllocate;
      event.call = live[event.object] ? CallKind::kFree : CallKind::kMalloc;
      event.size = live[event.object] ? 0 : 8 + random() % 1017;
      live[event.object] = !live[event.object];
      REHEAP_CHECK((*writer)->Append(event).ok());
    }
    REHEAP_CHECK((*writer)->Finish().ok());
    return file;
  }();
  return path;
}

std::vector<ReplayOp> AllOps() {
  auto stream = OpStream::Open(TracePath(), /*allow_cut_off=*/false);
  REHEAP_CHECK(stream.ok());
  std::vector<ReplayOp> ops(kEvents);
  size_t have = 0;
  while (have < ops.size()) {
    auto n = (*stream)->Next(ops.data() + have, ops.size() - have);
    REHEAP_CHECK(n.ok());
    if (*n == 0) break;
    have += *n;
  }
  ops.resize(have);
  return ops;
}

// Answers addresses without allocating anything.
class CountingHeap {
 public:
  struct NoPageMap {
    PageMapCost Cost() const { return {}; }
    SpanRef Get(PageId) const { return SpanRef(); }
  };
  CountingHeap(Os&, DirectMemory&, const ReservationStrategy&) {}
  OsResult<Done> Start() { return Done(); }
  OsResult<uint32_t> NewCache() { return 0u; }
  void DropCache(uint32_t) {}
  Addr Malloc(uint32_t, uint64_t bytes, uint64_t) { return Addr(next_ += bytes); }
  FreeError Free(uint32_t, Addr) { return FreeError::kNone; }
  Addr Resize(uint32_t, Addr, uint64_t bytes, FreeError*) { return Addr(next_ += bytes); }
  Refusal last_refusal() const { return {}; }
  NoPageMap& page_map() { return page_map_; }

 private:
  uint64_t next_ = 4096;
  NoPageMap page_map_;
};

ReservationStrategy FlatStrategy() {
  ReservationStrategy strategy;
  strategy.name = "bench";
  strategy.firmness = Firmness::kReserve;
  strategy.heap_bytes = 4 * kGiB;
  return strategy;
}

template <class HeapT>
void BM_ReplayLoop(benchmark::State& state) {
  const std::vector<ReplayOp> ops = AllOps();
  const ReservationStrategy strategy = FlatStrategy();
  for (auto _ : state) {
    state.PauseTiming();
    RealOs os;
    DirectMemory memory;
    HeapTargetOptions options;
    options.slot_count = kLive;
    auto target = std::make_unique<HeapTarget<HeapT, DirectMemory>>(os, memory, strategy, options);
    REHEAP_CHECK(target->Start());
    state.ResumeTiming();
    REHEAP_CHECK_EQ(target->Apply(ops.data(), ops.size(), nullptr), ops.size());
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(ops.size()));
}
BENCHMARK(BM_ReplayLoop<CountingHeap>)->Name("BM_ReplayLoop/floor");
BENCHMARK(BM_ReplayLoop<Heap<DirectMemory, FlatPageMap>>)->Name("BM_ReplayLoop/heap_flat")->Iterations(8);

void BM_OpStream(benchmark::State& state) {
  std::vector<ReplayOp> ops(kOpsPerBatch);
  int64_t events = 0;
  for (auto _ : state) {
    auto stream = OpStream::Open(TracePath(), /*allow_cut_off=*/false);
    REHEAP_CHECK(stream.ok());
    for (;;) {
      auto n = (*stream)->Next(ops.data(), ops.size());
      REHEAP_CHECK(n.ok());
      if (*n == 0) break;
      events += static_cast<int64_t>(*n);
    }
  }
  state.SetItemsProcessed(events);
}
BENCHMARK(BM_OpStream);

}  // namespace
}  // namespace reheap

BENCHMARK_MAIN();
