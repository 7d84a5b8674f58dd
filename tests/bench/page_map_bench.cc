// Page-to-span lookup per kind of page map, with the machine's floor beside it.
//
//   bazel run //tests/bench:page_map_bench -- --benchmark_filter=heap_mib:1024
//
// A heap of 64 MiB, 1 GiB or 16 GiB of 4 KiB heap pages is cut into spans of 1 to 15 pages (no heap memory is
// mapped: only the map is read). BM_Read8Bytes is the floor: the same visits to an array of 8 bytes per heap
// page. Orders: random; local = seven of eight visits stay within 32 pages of the one before, as a program's
// do. Ratios of one run are what to trust; the machine's caches and neighbours move the nanoseconds.
#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "alloc/flat_index_page_map.h"
#include "alloc/flat_page_map.h"
#include "alloc/radix2_page_map.h"
#include "alloc/radix3_page_map.h"
#include "alloc/scripted_os.h"
#include "alloc/sparse_arena_page_map.h"
#include "benchmark/benchmark.h"
#include "sim/metrics/lookup_probe.h"

namespace reheap {
namespace {

constexpr uint32_t kShift = 12;
constexpr uint64_t kVisits = uint64_t{1} << 21;
constexpr uint64_t kSeed = 2011;

struct Case {
  uint64_t heap_mib;
  bool random;     // else local
  bool dependent;  // else independent
};

std::vector<PageId> HeapPages(Addr heap, uint64_t heap_mib) {
  std::vector<PageId> pages;
  const uint64_t first = heap.value() >> kShift;
  for (uint64_t i = 0; i < heap_mib * kMiB >> kShift; ++i) pages.push_back(PageId(first + i));
  return pages;
}

LookupOrder MakeOrder(const std::vector<PageId>& pages, bool uniform) {
  std::mt19937_64 random(kSeed);
  return LookupOrder(pages, kVisits, [&](uint64_t rank) {
    constexpr uint64_t kReach = 32;
    if (uniform || random() % 8 == 0) return random() % pages.size();
    return (rank + pages.size() - kReach + random() % (2 * kReach + 1)) % pages.size();
  });
}

// A map as a heap that filled up leaves it.
template <class Map>
struct PopulatedMap {
  static constexpr bool kLow = Map::kKind == PageMapKind::kRadix2;
  static constexpr Addr kHeap{kLow ? kGiB : 0xf840000000};

  explicit PopulatedMap(uint64_t heap_mib) {
    if (kLow) os.PlaceLow();
    const uint64_t heap_bytes = heap_mib * kMiB;
    REHEAP_CHECK(
        map.Init({.os = &os, .strategy = &strategy, .heap_range = {kHeap, heap_bytes}, .table = {}}).ok());
    std::mt19937_64 random(kSeed);
    const PageId first = PageId::Containing(kHeap, kShift);
    const uint64_t pages = heap_bytes >> kShift;
    Addr span(kLow ? 0x2000'0000 : 0x7f00'0000'0000);
    for (uint64_t done = 0; done < pages; span = span + 64) {
      const PageCount length(std::min(1 + random() % 15, pages - done));
      REHEAP_CHECK(map.Prepare(first + PageCount(done), length).ok());
      map.Set(first + PageCount(done), length, span);
      done += length.value();
    }
  }

  ScriptedOs os;
  ReservationStrategy strategy;
  DirectMemory memory;
  Map map{memory};
};

void Report(benchmark::State& state, uint64_t visits) {
  state.SetItemsProcessed(static_cast<int64_t>(visits) * state.iterations());
  state.counters["ns"] =
      benchmark::Counter(static_cast<double>(visits) * 1e-9,
                         benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

template <class Map>
void BM_PageMapLookup(benchmark::State& state, Case c) {
  const PopulatedMap<Map> populated(c.heap_mib);
  const LookupOrder order = MakeOrder(HeapPages(populated.kHeap, c.heap_mib), c.random);
  for (auto unused : state) {
    benchmark::DoNotOptimize(c.dependent ? order.DependentLookups(populated.map)
                                         : order.IndependentLookups(populated.map));
  }
  Report(state, order.visits());
  state.counters["table_resident_mib"] = static_cast<double>(populated.map.Cost().resident_bytes) / kMiB;
}

void BM_Read8Bytes(benchmark::State& state, Case c) {
  const LookupOrder order = MakeOrder(HeapPages(Addr(0xf840000000), c.heap_mib), c.random);
  for (auto unused : state) {
    benchmark::DoNotOptimize(c.dependent ? order.DependentReads() : order.IndependentReads());
  }
  Report(state, order.visits());
}

void Register(const std::string& name, void (*run)(benchmark::State&, Case), bool below_4gib) {
  for (uint64_t heap_mib : {64, 1024, 16384}) {
    if (below_4gib && heap_mib > 2048) continue;
    for (bool random : {true, false}) {
      for (bool dependent : {true, false}) {
        const std::string full = name + "/heap_mib:" + std::to_string(heap_mib) +
                                 (random ? "/random" : "/local") +
                                 (dependent ? "/dependent" : "/independent");
        benchmark::RegisterBenchmark(full.c_str(), run, Case{heap_mib, random, dependent})
            ->Unit(benchmark::kMillisecond);
      }
    }
  }
}

}  // namespace
}  // namespace reheap

int main(int argc, char** argv) {
  using reheap::BM_PageMapLookup;
  using reheap::DirectMemory;
  using reheap::Register;
  Register("BM_Read8Bytes", reheap::BM_Read8Bytes, false);
  Register("BM_PageMapLookup<FlatPageMap>", BM_PageMapLookup<reheap::FlatPageMap<DirectMemory>>, false);
  Register("BM_PageMapLookup<FlatIndexPageMap>", BM_PageMapLookup<reheap::FlatIndexPageMap<DirectMemory>>,
           false);
  Register("BM_PageMapLookup<Radix2PageMap>", BM_PageMapLookup<reheap::Radix2PageMap<DirectMemory>>, true);
  Register("BM_PageMapLookup<Radix3PageMap>", BM_PageMapLookup<reheap::Radix3PageMap<DirectMemory>>, false);
  Register("BM_PageMapLookup<SparseArenaPageMap>", BM_PageMapLookup<reheap::SparseArenaPageMap<DirectMemory>>,
           false);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
