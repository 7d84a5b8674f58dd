// Heap against the C library's malloc, one thread, the loops of the allocator literature.
//
//   tools/bazel run -c opt //tests/bench:heap_bench
//
// Time is per call (a malloc or a free): compare the two rows of a pair in the same run, not figures of different
// days. Each pair does the same calls in the same order. "lifo": malloc 64 B, free it. "churn": 4,096 (or 200,000)
// slots, each step frees a random one and puts an object of random size there, sizes 1 B .. 1 KiB (up to a
// power of two that is drawn first, so small ones are more frequent). Objects are touched (8 bytes) in both.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "alloc/heap_direct.h"
#include "alloc/real_os.h"

namespace reheap {
namespace {

ReservationStrategy Plan(PageMapKind kind, bool bitmap) {
  ReservationStrategy s;
  s.name = "bench";
  s.firmness = Firmness::kReserve;
  s.heap_bytes = 16 * kGiB;
  s.page_map = kind;
  if (bitmap) {
    s.bitmap_bits_per_word = 4;
    s.bitmap_bytes = kGiB;
  }
  return s;
}

class LibcMalloc {
 public:
  explicit LibcMalloc(bool) {}
  void* Allocate(uint64_t bytes) { return std::malloc(bytes); }
  void Free(void* p) { std::free(p); }
};

// What the loops cost by themselves.
class NoMalloc {
 public:
  explicit NoMalloc(bool) {}
  __attribute__((noinline)) void* Allocate(uint64_t bytes) {
    benchmark::DoNotOptimize(bytes);
    return room_;
  }
  __attribute__((noinline)) void Free(void* p) { benchmark::DoNotOptimize(p); }

 private:
  uint64_t room_[1] = {};
};

template <template <class> class PageMapT>
class SpanHeap {
 public:
  using HeapT = Heap<DirectMemory, PageMapT>;

  explicit SpanHeap(bool bitmap)
      : heap_(std::make_unique<HeapT>(os_, memory_, Plan(PageMapT<DirectMemory>::kKind, bitmap))) {
    REHEAP_CHECK(heap_->Start().ok());
    cache_ = heap_->NewCache().value();
  }
  ~SpanHeap() {
    // The heap never gives its reservation back; the next benchmark wants room in the address space.
    const AddrRange heap = heap_->arena().heap_range();
    REHEAP_CHECK(os_.Release(heap).ok());
  }
  void* Allocate(uint64_t bytes) { return reinterpret_cast<void*>(heap_->Malloc(cache_, bytes, 1).value()); }
  void Free(void* p) {
    const FreeError error = heap_->Free(cache_, Addr(reinterpret_cast<uint64_t>(p)));
    REHEAP_CHECK(error == FreeError::kNone);
  }

 private:
  RealOs os_;
  DirectMemory memory_;
  std::unique_ptr<HeapT> heap_;
  CacheId cache_ = 0;
};

inline void Touch(void* p) { *static_cast<volatile uint64_t*>(p) = 1; }

void PerCall(benchmark::State& state, uint64_t calls) {
  state.counters["per_call"] =
      benchmark::Counter(static_cast<double>(calls), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

template <class Allocator, bool kBitmap = false>
void Lifo(benchmark::State& state) {
  Allocator allocator(kBitmap);
  uint64_t bytes = 64;
  uint64_t calls = 0;
  for (auto _ : state) {
    for (int n = 0; n < 1000; ++n) {
      benchmark::DoNotOptimize(bytes);
      void* p = allocator.Allocate(bytes);
      Touch(p);
      allocator.Free(p);
    }
    calls += 2000;
  }
  PerCall(state, calls);
}

// The steps, drawn beforehand: drawing costs as much as allocating.
struct Step {
  uint32_t slot;
  uint32_t bytes;
};
std::vector<Step> DrawSteps(uint32_t slots, size_t count) {
  std::vector<Step> steps(count);
  uint64_t x = 88172645463325252;  // xorshift64, fixed: both allocators get the same steps
  for (Step& step : steps) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    const uint32_t top_bytes = 8u << ((x >> 32) % 8);  // 8 B .. 1 KiB, each as likely
    step = {static_cast<uint32_t>(x) % slots, 1 + static_cast<uint32_t>(x >> 48) % top_bytes};
  }
  return steps;
}

template <class Allocator, bool kBitmap = false>
void Churn(benchmark::State& state) {
  const uint32_t slots = static_cast<uint32_t>(state.range(0));
  static const std::vector<Step>* const steps = new std::vector<Step>(DrawSteps(1u << 30, 1 << 20));
  Allocator allocator(kBitmap);
  std::vector<void*> objects(slots);
  for (void*& p : objects) p = allocator.Allocate(64);
  size_t next = 0;
  uint64_t calls = 0;
  for (auto _ : state) {
    for (int n = 0; n < 1000; ++n) {
      const Step step = (*steps)[next++ & ((1 << 20) - 1)];
      void*& p = objects[step.slot % slots];
      allocator.Free(p);
      p = allocator.Allocate(step.bytes);
      Touch(p);
    }
    calls += 2000;
  }
  for (void* p : objects) allocator.Free(p);
  PerCall(state, calls);
}

using FlatHeap = SpanHeap<FlatPageMap>;
using FlatIndexHeap = SpanHeap<FlatIndexPageMap>;

BENCHMARK(Lifo<NoMalloc>)->Name("lifo/loop alone");
BENCHMARK(Lifo<LibcMalloc>)->Name("lifo/libc");
BENCHMARK(Lifo<FlatHeap>)->Name("lifo/flat");
BENCHMARK(Lifo<FlatHeap, true>)->Name("lifo/flat+bitmap");
BENCHMARK(Churn<NoMalloc>)->Name("churn/loop alone")->Arg(4096)->Arg(200000);
BENCHMARK(Churn<LibcMalloc>)->Name("churn/libc")->Arg(4096)->Arg(200000);
BENCHMARK(Churn<FlatHeap>)->Name("churn/flat")->Arg(4096)->Arg(200000);
BENCHMARK(Churn<FlatHeap, true>)->Name("churn/flat+bitmap")->Arg(4096)->Arg(200000);
BENCHMARK(Churn<FlatIndexHeap>)->Name("churn/flat-index")->Arg(4096)->Arg(200000);

}  // namespace
}  // namespace reheap

BENCHMARK_MAIN();
