// Property: whatever is set, overwritten and cleared, wherever, each page map answers as a std::map would.
//
// One suite for all five kinds. Heap pages are set in clusters, so that runs cross OS pages and nodes of the
// tables, and looked up everywhere: in the clusters, beside them, and at addresses that no heap has.
#include <cstdint>
#include <map>
#include <random>

#include "alloc/flat_index_page_map.h"
#include "alloc/flat_page_map.h"
#include "alloc/radix2_page_map.h"
#include "alloc/radix3_page_map.h"
#include "alloc/scripted_os.h"
#include "alloc/sparse_arena_page_map.h"
#include "gtest/gtest.h"

namespace reheap {
namespace {

constexpr uint32_t kShift = 12;

// Where the heap of a test lies: what the map can hold, and small enough for CheckInvariants after each step.
template <PageMapKind kKind>
constexpr AddrRange HeapFor() {
  switch (kKind) {
    case PageMapKind::kRadix2:
      return {Addr(kMiB), 4 * kGiB - kMiB};
    case PageMapKind::kRadix3:
      return {Addr(256 * kMiB), (uint64_t{1} << 48) - 256 * kMiB};
    case PageMapKind::kSparseArenas:
      return {Addr(64 * kMiB), (uint64_t{1} << 48) - 64 * kMiB};
    default:
      return {Addr(0xf840000000), kGiB};
  }
}

template <class Map>
class PageMapPropertyTest : public testing::Test {
 protected:
  static constexpr AddrRange kHeap = HeapFor<Map::kKind>();

  PageMapPropertyTest() {
    if (Map::kKind == PageMapKind::kRadix2) os_.PlaceLow();
    for (uint64_t& center : centers_) center = FirstPage() + random_() % Pages();
  }

  static constexpr uint64_t FirstPage() { return kHeap.start.value() >> kShift; }
  static constexpr uint64_t Pages() { return kHeap.bytes >> kShift; }

  // A run of heap pages near one of the centers.
  std::pair<uint64_t, uint64_t> RandomRun() {
    const uint64_t center = centers_[random_() % kCenters];
    const uint64_t start = center - std::min(center - FirstPage(), random_() % kSpread);
    const uint64_t longest = random_() % 8 == 0 ? 3000 : 15;
    return {start, 1 + random_() % std::min(longest, FirstPage() + Pages() - start)};
  }
  uint64_t RandomPage() {
    switch (random_() % 4) {
      case 0:
        return random_();  // anywhere, most of them no address at all
      case 1:
        return random_() >> kShift;  // any address
      default:
        return centers_[random_() % kCenters] + random_() % kSpread - kSpread / 2;
    }
  }
  // Spans lie in a few metadata chunks; below 4 GiB where the map holds 32-bit values.
  SpanRef RandomSpan() {
    const uint64_t chunk = random_() % 5 * 128 * kKiB;
    const Addr base = Map::kKind == PageMapKind::kRadix2 ? Addr(0x2000'0000) : Addr(0x7fff'0000'0000);
    return base + chunk + random_() % (128 * kKiB) / 64 * 64;
  }

  static constexpr uint64_t kCenters = 3;
  static constexpr uint64_t kSpread = 4096;

  const uint64_t seed_ = std::random_device()();
  std::mt19937_64 random_{seed_};
  uint64_t centers_[kCenters];
  ScriptedOs os_;
  ReservationStrategy strategy_;
  DirectMemory memory_;
  Map map_{memory_};
  std::map<uint64_t, SpanRef> oracle_;
};
using Maps =
    testing::Types<FlatPageMap<DirectMemory>, FlatIndexPageMap<DirectMemory>, Radix2PageMap<DirectMemory>,
                   Radix3PageMap<DirectMemory>, SparseArenaPageMap<DirectMemory>>;
TYPED_TEST_SUITE(PageMapPropertyTest, Maps);

TYPED_TEST(PageMapPropertyTest, AnswersAsAnOracle) {
  SCOPED_TRACE(testing::Message() << "seed " << this->seed_);
  const auto expected = [&](uint64_t page) {
    const auto it = this->oracle_.find(page);
    return it == this->oracle_.end() ? SpanRef() : it->second;
  };
  ASSERT_TRUE(
      this->map_
          .Init({.os = &this->os_, .strategy = &this->strategy_, .heap_range = this->kHeap, .table = {}})
          .ok());
  for (int step = 0; step < 300; ++step) {
    const auto [start, count] = this->RandomRun();
    const bool clear = this->random_() % 4 == 0;
    const SpanRef span = clear ? SpanRef() : this->RandomSpan();
    ASSERT_TRUE(this->map_.Prepare(PageId(start), PageCount(count)).ok());
    this->map_.Set(PageId(start), PageCount(count), span);
    for (uint64_t page = start; page < start + count; ++page) this->oracle_[page] = span;
    for (uint64_t page : {start - 1, start, start + count - 1, start + count}) {
      ASSERT_EQ(this->map_.Get(PageId(page)), expected(page)) << "step " << step << ", page " << page;
    }
    for (int i = 0; i < 100; ++i) {
      const uint64_t page = this->RandomPage();
      ASSERT_EQ(this->map_.Get(PageId(page)), expected(page)) << "step " << step << ", page " << page;
    }
    if (step % 10 == 0) this->map_.CheckInvariants();
  }
  this->map_.CheckInvariants();
  EXPECT_EQ(this->map_.Cost().reserved_bytes, this->os_.mapped_bytes());
  EXPECT_LE(this->map_.ResidentBytesSlow(), this->map_.Cost().resident_bytes);
  for (const auto& [page, span] : this->oracle_) ASSERT_EQ(this->map_.Get(PageId(page)), span) << page;
}

// Nothing but Set makes a table resident: the kernel's count is the map's own.
TYPED_TEST(PageMapPropertyTest, CountsTheOsPagesThatTheKernelHolds) {
  SCOPED_TRACE(testing::Message() << "seed " << this->seed_);
  ASSERT_TRUE(
      this->map_
          .Init({.os = &this->os_, .strategy = &this->strategy_, .heap_range = this->kHeap, .table = {}})
          .ok());
  for (int step = 0; step < 200; ++step) {
    const auto [start, count] = this->RandomRun();
    const SpanRef span = this->random_() % 4 == 0 ? SpanRef() : this->RandomSpan();
    ASSERT_TRUE(this->map_.Prepare(PageId(start), PageCount(count)).ok());
    this->map_.Set(PageId(start), PageCount(count), span);
  }
  // mincore also counts pages that were only read: Prepare and Set read no page of a table that they leave
  // unwritten.
  EXPECT_EQ(this->os_.CountResidentPages() * 4096, this->map_.Cost().resident_bytes);
}

}  // namespace
}  // namespace reheap
