// What the modelled kernel costs: calls per second by the number of mappings, and the price of an access.
//
//   ./tools/bazel run //tests/bench:virtual_os_bench
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "sim/os/platform_catalog.h"
#include "sim/os/shadow_memory.h"
#include "sim/os/virtual_os.h"

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;
constexpr int kReadWrite = kProtRead | kProtWrite;
// The numbers of linux.
constexpr int kAnonymous = 0x22;  // MAP_PRIVATE | MAP_ANONYMOUS
constexpr int kDiscard = 4;       // MADV_DONTNEED
constexpr int kMayMove = 1;       // MREMAP_MAYMOVE

VirtualProcess LinuxProcess() {
  VirtualProcess process;
  process.platform = Platforms().Find("linux-amd64");
  process.limits.ram_bytes = kTiB;
  process.limits.max_mappings = 1 << 20;
  return process;
}

// `count` mappings that cannot merge, with a page of room between each two.
void Fill(VirtualOs& os, int64_t count) {
  const Addr start(0x100000000000);
  for (int64_t i = 0; i < count; ++i) {
    const Addr at = start + static_cast<uint64_t>(i) * 4 * kPage;
    REHEAP_CHECK(os.Mmap(at, 3 * kPage, kReadWrite, kAnonymous).ok());
  }
}

// One mmap and one munmap of a size for which only the open space has room.
void BM_MmapMunmap(benchmark::State& state) {
  VirtualOs os(LinuxProcess());
  Fill(os, state.range(0));
  for (auto _ : state) {
    const MmapResult got = os.Mmap(Addr(), 64 * kPage, kReadWrite, kAnonymous);
    benchmark::DoNotOptimize(os.Munmap(got.value(), 64 * kPage));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_MmapMunmap)->Arg(100)->Arg(60'000);

// The same where the answer lies deep among the mappings: random places are unmapped and mapped again.
void BM_MmapMunmapAmongMappings(benchmark::State& state) {
  VirtualOs os(LinuxProcess());
  Fill(os, state.range(0));
  std::mt19937_64 random(1);
  std::vector<uint64_t> order(1 << 16);
  for (uint64_t& n : order) n = random() % static_cast<uint64_t>(state.range(0));
  size_t i = 0;
  for (auto _ : state) {
    const Addr at = Addr(0x100000000000) + order[i++ % order.size()] * 4 * kPage;
    benchmark::DoNotOptimize(os.Munmap(at, 3 * kPage));
    benchmark::DoNotOptimize(os.Mmap(at, 3 * kPage, kReadWrite, kAnonymous));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_MmapMunmapAmongMappings)->Arg(100)->Arg(60'000);

// A page in the middle of one of 60,000 mappings becomes inaccessible and comes back: two splits, two merges.
void BM_ProtectSplitMerge(benchmark::State& state) {
  VirtualOs os(LinuxProcess());
  Fill(os, state.range(0));
  uint64_t i = 0;
  for (auto _ : state) {
    const Addr at =
        Addr(0x100000000000) + (i++ * 7919 % static_cast<uint64_t>(state.range(0))) * 4 * kPage + kPage;
    benchmark::DoNotOptimize(os.Mprotect(at, kPage, kProtRead));
    benchmark::DoNotOptimize(os.Mprotect(at, kPage, kReadWrite));
  }
  state.SetItemsProcessed(2 * state.iterations());
}
BENCHMARK(BM_ProtectSplitMerge)->Arg(100)->Arg(60'000);

// One mapping, one write to it, and away with both: the page and its page tables come and go.
void BM_MmapTouchMunmap(benchmark::State& state) {
  VirtualOs os(LinuxProcess());
  Fill(os, state.range(0));
  for (auto _ : state) {
    const Addr at = os.Mmap(Addr(), 64 * kPage, kReadWrite, kAnonymous).value();
    REHEAP_CHECK(os.Touch(at, true));
    benchmark::DoNotOptimize(os.Munmap(at, 64 * kPage));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_MmapTouchMunmap)->Arg(100)->Arg(60'000);

// 16 OS pages somewhere in `range` bytes are written to and discarded.
void BM_TouchDiscard(benchmark::State& state) {
  VirtualOs os(LinuxProcess());
  const uint64_t bytes = static_cast<uint64_t>(state.range(0));
  const Addr start = os.Mmap(Addr(), bytes, kReadWrite, kAnonymous).value();
  uint64_t at = 0;
  for (auto _ : state) {
    for (uint64_t page = 0; page < 16; ++page) REHEAP_CHECK(os.Touch(start + at + page * kPage, true));
    benchmark::DoNotOptimize(os.Madvise(start + at, 16 * kPage, kDiscard));
    at = (at + 7919 * 16 * kPage) & (bytes - 1);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_TouchDiscard)->Arg(kMiB)->Arg(64 * kGiB);

// A mapping with one written page of its 16 grows, which mostly moves it, and shrinks again.
void BM_MremapGrowShrink(benchmark::State& state) {
  VirtualOs os(LinuxProcess());
  Fill(os, state.range(0));
  Addr at = os.Mmap(Addr(), 16 * kPage, kReadWrite, kAnonymous).value();
  REHEAP_CHECK(os.Touch(at, true));
  for (auto _ : state) {
    at = os.Mremap(at, 16 * kPage, 32 * kPage, kMayMove, Addr()).value();
    at = os.Mremap(at, 32 * kPage, 16 * kPage, kMayMove, Addr()).value();
  }
  state.SetItemsProcessed(2 * state.iterations());
}
BENCHMARK(BM_MremapGrowShrink)->Arg(100)->Arg(60'000);

// Accesses that the kernel is asked about, to pages that are there.
void BM_KernelTouch(benchmark::State& state) {
  VirtualOs os(LinuxProcess());
  const uint64_t bytes = static_cast<uint64_t>(state.range(0));
  const Addr start = os.Mmap(Addr(), bytes, kReadWrite, kAnonymous).value();
  for (uint64_t at = 0; at < bytes; at += kPage) REHEAP_CHECK(os.Touch(start + at, true));
  uint64_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(os.Touch(start + at, true));
    at = (at + 7919 * kPage) & (bytes - 1);
  }
}
BENCHMARK(BM_KernelTouch)->Arg(kMiB)->Arg(kGiB);

// Accesses that hit the page cache of ShadowMemory.
void BM_ShadowWriteHit(benchmark::State& state) {
  VirtualOs os(LinuxProcess());
  ShadowMemory memory(&os);
  const Addr start = os.MapReady(kMiB, Access::kReadWrite).value().start;
  uint64_t at = 0;
  for (auto _ : state) {
    ++memory.Write<uint64_t>(start + at);
    at = (at + 72) & (kMiB / 2 - 8);
  }
}
BENCHMARK(BM_ShadowWriteHit);

void BM_ShadowReadHit(benchmark::State& state) {
  VirtualOs os(LinuxProcess());
  ShadowMemory memory(&os);
  const Addr start = os.MapReady(kMiB, Access::kReadWrite).value().start;
  uint64_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(memory.Read<uint64_t>(start + at));
    at = (at + 72) & (kMiB / 2 - 8);
  }
}
BENCHMARK(BM_ShadowReadHit);

// Writes all over `range` bytes: most miss the cache, all pages are there already.
void BM_ShadowWriteMiss(benchmark::State& state) {
  VirtualOs os(LinuxProcess());
  ShadowMemory memory(&os);
  const uint64_t bytes = static_cast<uint64_t>(state.range(0));
  const Addr start = os.MapReady(bytes, Access::kReadWrite).value().start;
  for (uint64_t at = 0; at < bytes; at += kPage) memory.Write<uint64_t>(start + at) = 1;
  uint64_t page = 0;
  for (auto _ : state) {
    ++memory.Write<uint64_t>(start + page * kPage);
    page = (page + 7919) % (bytes / kPage);
  }
}
BENCHMARK(BM_ShadowWriteMiss)->Arg(64 * kMiB);

// Objects touched for the first time and again: `range` = bytes of address space they are spread over.
void BM_Touch(benchmark::State& state) {
  VirtualOs os(LinuxProcess());
  ShadowMemory memory(&os);
  const uint64_t bytes = static_cast<uint64_t>(state.range(0));
  const Addr start = os.MapReady(bytes, Access::kReadWrite).value().start;
  uint64_t at = 0;
  for (auto _ : state) {
    memory.Touch(start + at, 64);
    at = (at + 64 * 7919) & (bytes - 1);  // a division would cost more than what is measured
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Touch)->Arg(kMiB)->Arg(kGiB);

}  // namespace
}  // namespace reheap
