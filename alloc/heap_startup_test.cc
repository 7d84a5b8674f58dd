// What each strategy asks of the OS before the program's first call, request by request.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "alloc/heap_direct.h"
#include "alloc/scripted_os.h"
#include "alloc/strategies_for_tests.h"

namespace reheap {
namespace {

// Writes down each request that succeeded.
class Ledger final : public Os::Observer {
 public:
  void BeforeRequest(OsOperation, AddrRange) override {}
  void AfterRequest(OsOperation operation, AddrRange range, const Refusal* refusal) override {
    char line[96];
    const bool anywhere = operation == OsOperation::kMapReady;  // the kernel's choice is no part of the expectation
    std::snprintf(line, sizeof line, "%s%s %llu KiB at 0x%llx", refusal != nullptr ? "refused " : "",
                  OsOperationName(operation), static_cast<unsigned long long>(range.bytes / kKiB),
                  anywhere ? 0ull : static_cast<unsigned long long>(range.start.value()));
    lines_.push_back(line);
  }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::vector<std::string> lines_;
};

// The image's BSS: 32 MiB, as in the binaries of 2011.
class ImageBss {
 public:
  ImageBss() : range_(os_.MapReady(32 * kMiB, Access::kReadWrite).value()) {}
  ~ImageBss() { EXPECT_TRUE(os_.Release(range_).ok()); }
  AddrRange range() const { return range_; }

 private:
  RealOs os_;
  AddrRange range_;
};

template <template <class> class PageMapT>
std::vector<std::string> StartupRequests(const ReservationStrategy& strategy, HeapStats* stats,
                                         Addr* heap_start = nullptr) {
  ImageBss bss;
  ScriptedOs os;
  Ledger ledger;
  os.set_image_bss(bss.range());
  os.set_observer(&ledger);
  DirectMemory memory;
  auto heap = std::make_unique<Heap<DirectMemory, PageMapT>>(os, memory, strategy);
  const OsResult<Done> started = heap->Start();
  EXPECT_TRUE(started.ok()) << strategy.name;
  heap->CheckInvariants();
  *stats = heap->stats();
  if (heap_start != nullptr) *heap_start = heap->arena().heap_range().start;
  return ledger.lines();
}

using Lines = std::vector<std::string>;

TEST(HeapStartup, Reserve17gAsksForSeventeenGibibytesAndUsesOne) {
  HeapStats stats;
  EXPECT_EQ(StartupRequests<FlatPageMap>(Go201102Reserve17g(), &stats),
            (Lines{"reserve 17825792 KiB at 0xf800000000", "map 128 KiB at 0x0", "map 128 KiB at 0x0",
                   "commit 1024 KiB at 0xf840000000", "commit 64 KiB at 0xf83fff0000"}));
  EXPECT_EQ(stats.heap_bytes, kMiB);
  EXPECT_EQ(stats.held_bytes, 17 * kGiB);
  EXPECT_EQ(stats.bitmap_bytes, 64 * kKiB);
  EXPECT_EQ(stats.metadata_bytes, 256 * kKiB);
  EXPECT_EQ(stats.page_map.reserved_bytes, 32 * kMiB);
}

TEST(HeapStartup, PretendMapsTheSamePiecesAndReservesNothing) {
  HeapStats stats;
  EXPECT_EQ(StartupRequests<FlatPageMap>(Go201102Pretend(), &stats),
            (Lines{"map 128 KiB at 0x0", "map 128 KiB at 0x0", "map at 1024 KiB at 0xf840000000",
                   "map at 64 KiB at 0xf83fff0000"}));
  EXPECT_EQ(stats.held_bytes, kMiB + 64 * kKiB);
}

TEST(HeapStartup, Reserve16gHasNoBitmap) {
  HeapStats stats;
  EXPECT_EQ(StartupRequests<FlatPageMap>(Go201101Reserve16g(), &stats),
            (Lines{"reserve 16777216 KiB at 0xf800000000", "map 128 KiB at 0x0", "map 128 KiB at 0x0",
                   "commit 1024 KiB at 0xf800000000"}));
}

// 1 MiB + 2 MiB + 512 KiB + 2 x 128 KiB = 3,840 KiB, and the root in BSS.
TEST(HeapStartup, RadixMapsHeapThenANodeAndALeaf) {
  HeapStats stats;
  EXPECT_EQ(StartupRequests<Radix3PageMap>(Go2010Radix(), &stats),
            (Lines{"map 128 KiB at 0x0", "map 128 KiB at 0x0", "map 1024 KiB at 0x0", "map 2048 KiB at 0x0",
                   "map 512 KiB at 0x0"}));
}

TEST(HeapStartup, ArenasReserveOneChunk) {
  HeapStats stats;
  EXPECT_EQ(StartupRequests<SparseArenaPageMap>(Go111Arenas(), &stats),
            (Lines{"map 32768 KiB at 0x0", "map 16 KiB at 0x0", "map 16 KiB at 0x0",
                   "reserve 65536 KiB at 0xc000000000", "commit 1024 KiB at 0xc000000000", "map 64 KiB at 0x0"}));
  EXPECT_EQ(stats.held_bytes, 64 * kMiB);
}

// The kernel puts brk's heap near the image, so the place is a hope; the plan takes what it is offered.
TEST(HeapStartup, Plan386ReservesBehindTheImage) {
  HeapStats stats;
  Addr heap_start;
  const Lines lines = StartupRequests<FlatPageMap>(Go201102Linux386(), &stats, &heap_start);
  const unsigned long long hint = RoundUp(RealOs().image_end(), kMiB).value();
  const unsigned long long heap = heap_start.value();
  char reserve[64], commit[64], bitmap[64];
  std::snprintf(reserve, sizeof reserve, "reserve 786432 KiB at 0x%llx", hint);
  std::snprintf(commit, sizeof commit, "commit 1024 KiB at 0x%llx", heap);
  std::snprintf(bitmap, sizeof bitmap, "commit 128 KiB at 0x%llx", heap - 128 * kKiB);
  EXPECT_EQ(lines, (Lines{reserve, "map 128 KiB at 0x0", "map 128 KiB at 0x0", commit, bitmap}));
  EXPECT_EQ(stats.held_bytes, 768 * kMiB);
}

TEST(HeapStartup, EachRefusalAtStartupIsAValue) {
  for (uint64_t n = 0; n < 5; ++n) {
    ImageBss bss;
    ScriptedOs os;
    os.set_image_bss(bss.range());
    os.RefuseAfter(n);
    DirectMemory memory;
    ReservationStrategy strategy = Go201102Reserve17g();
    strategy.grow_min_bytes = strategy.startup_heap_bytes;
    auto heap = std::make_unique<Heap<DirectMemory, FlatPageMap>>(os, memory, strategy);
    const OsResult<Done> started = heap->Start();
    ASSERT_FALSE(started.ok()) << "request " << n;
    EXPECT_EQ(started.refusal().rule, Rule::kAddressLimit) << "request " << n;
  }
}

TEST(HeapStartup, PlansThatContradictThemselvesAreRefused) {
  struct Case {
    const char* name;
    void (*spoil)(ReservationStrategy&);
  };
  const Case cases[] = {
      {"BitmapWithoutRange", [](ReservationStrategy& s) { s.firmness = Firmness::kNothing; }},
      {"BitmapTooSmall", [](ReservationStrategy& s) { s.bitmap_bytes = kMiB; }},
      {"OtherPageMap", [](ReservationStrategy& s) { s.page_map = PageMapKind::kRadix3; }},
      {"NoHeap", [](ReservationStrategy& s) { s.heap_bytes = 0; }},
      {"OddGrowth", [](ReservationStrategy& s) { s.grow_round_bytes = 1000; }},
      {"TwoBitsPerWord", [](ReservationStrategy& s) { s.bitmap_bits_per_word = 2; }},
  };
  for (const Case& c : cases) {
    ScriptedOs os;
    DirectMemory memory;
    ReservationStrategy strategy = Go201102Reserve17g();
    c.spoil(strategy);
    auto heap = std::make_unique<Heap<DirectMemory, FlatPageMap>>(os, memory, strategy);
    const OsResult<Done> started = heap->Start();
    ASSERT_FALSE(started.ok()) << c.name;
    EXPECT_EQ(started.refusal().rule, Rule::kInvalidArgument) << c.name;
    EXPECT_EQ(os.total_calls(), 0) << c.name;
  }
}

}  // namespace
}  // namespace reheap
