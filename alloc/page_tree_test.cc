#include "alloc/page_tree.h"

#include "alloc/radix2_page_map.h"
#include "alloc/radix3_page_map.h"
#include "alloc/scripted_os.h"
#include "alloc/sparse_arena_page_map.h"
#include "gtest/gtest.h"

namespace reheap {
namespace {

// What the history says of each tree: sizes in bytes, with 4 KiB heap pages.
template <class Map>
struct Facts;
template <>
struct Facts<Radix2PageMap<DirectMemory>> {
  static constexpr uint64_t kRoot = 4 * kKiB, kFirstPath = 4 * kKiB, kLeafPages = 1024, kPages = 1 << 20;
  static constexpr int kNodes = 1;
  static constexpr Addr kHeap{0x0a40'0000};
};
template <>
struct Facts<Radix3PageMap<DirectMemory>> {
  static constexpr uint64_t kRoot = 2 * kMiB, kFirstPath = 2 * kMiB + 512 * kKiB, kLeafPages = 1 << 16;
  static constexpr uint64_t kPages = uint64_t{1} << 52;
  static constexpr int kNodes = 2;
  static constexpr Addr kHeap{0x7f00'0000'0000};
};
template <>
struct Facts<SparseArenaPageMap<DirectMemory>> {
  static constexpr uint64_t kRoot = 32 * kMiB, kFirstPath = 128 * kKiB, kLeafPages = 64 * kMiB / 4096;
  static constexpr uint64_t kPages = uint64_t{1} << 36;
  static constexpr int kNodes = 1;
  static constexpr Addr kHeap{0xc0'0000'0000};
};

template <class Map>
class PageTreeTest : public testing::Test {
 protected:
  using F = Facts<Map>;
  PageTreeTest() {
    if (Map::kKind == PageMapKind::kRadix2) os_.PlaceLow();
  }
  PageMapSetup MapSetup() { return {.os = &os_, .strategy = &strategy_, .heap_range = {}, .table = {}}; }

  ScriptedOs os_;
  ReservationStrategy strategy_;
  DirectMemory memory_;
  Map map_{memory_};
  const PageId first_ = PageId::Containing(F::kHeap, 12);
};
using Maps = testing::Types<Radix2PageMap<DirectMemory>, Radix3PageMap<DirectMemory>,
                            SparseArenaPageMap<DirectMemory>>;
TYPED_TEST_SUITE(PageTreeTest, Maps);

TYPED_TEST(PageTreeTest, RootAndNodesHaveTheSizesOfTheHistory) {
  using F = typename TestFixture::F;
  ASSERT_TRUE(this->map_.Init(this->MapSetup()).ok());
  EXPECT_EQ(this->map_.Cost().reserved_bytes, F::kRoot);
  ASSERT_TRUE(this->map_.Prepare(this->first_, PageCount(F::kLeafPages)).ok());
  EXPECT_EQ(this->map_.Cost().reserved_bytes, F::kRoot + F::kFirstPath);
  EXPECT_EQ(this->map_.Cost().reserved_bytes, this->os_.mapped_bytes());
  EXPECT_EQ(this->os_.calls(OsOperation::kMapReady), 1u + F::kNodes);
  EXPECT_EQ(this->map_.Cost().loads_per_lookup, 1 + F::kNodes);
  // One page beyond the first leaf: one more leaf.
  ASSERT_TRUE(this->map_.Prepare(this->first_ + PageCount(F::kLeafPages), PageCount(1)).ok());
  EXPECT_EQ(this->os_.calls(OsOperation::kMapReady), 2u + F::kNodes);
  this->map_.CheckInvariants();
}

TYPED_TEST(PageTreeTest, AnswersZeroEverywhereButWhereSet) {
  using F = typename TestFixture::F;
  ASSERT_TRUE(this->map_.Init(this->MapSetup()).ok());
  const PageId start = this->first_ + PageCount(F::kLeafPages - 2);  // crosses from one leaf to the next
  ASSERT_TRUE(this->map_.Prepare(start, PageCount(5)).ok());
  this->map_.Set(start, PageCount(5), SpanRef(0x12340));
  for (uint64_t i = 0; i < 5; ++i) EXPECT_EQ(this->map_.Get(start + PageCount(i)), SpanRef(0x12340));
  EXPECT_EQ(this->map_.Get(start - PageCount(1)), SpanRef());
  EXPECT_EQ(this->map_.Get(start + PageCount(5)), SpanRef());
  for (uint64_t page : {uint64_t{0}, F::kPages - 1, F::kPages, ~uint64_t{0}, start.value() + F::kPages}) {
    EXPECT_EQ(this->map_.Get(PageId(page)), SpanRef()) << page;
  }
  this->map_.CheckInvariants();
}

TYPED_TEST(PageTreeTest, ResidentBytesAreThePagesThatTheKernelHolds) {
  using F = typename TestFixture::F;
  ASSERT_TRUE(this->map_.Init(this->MapSetup()).ok());
  ASSERT_TRUE(this->map_.Prepare(this->first_, PageCount(2 * F::kLeafPages)).ok());
  this->map_.Set(this->first_, PageCount(1), SpanRef(0x40));
  this->map_.Set(this->first_ + PageCount(2 * F::kLeafPages - 1), PageCount(1), SpanRef(0x80));
  // The root's OS page, the middle node's if there is one, and one of each leaf.
  EXPECT_EQ(this->map_.Cost().resident_bytes, (F::kNodes + 2) * 4096u);
  EXPECT_EQ(this->map_.ResidentBytesSlow(), this->map_.Cost().resident_bytes);
}

TYPED_TEST(PageTreeTest, WritesWhatItCounts) {
  using F = typename TestFixture::F;
  ASSERT_TRUE(this->map_.Init(this->MapSetup()).ok());
  for (uint64_t i = 0; i < 100; ++i) {
    const PageId page = this->first_ + PageCount(i * F::kLeafPages / 16);
    ASSERT_TRUE(this->map_.Prepare(page, PageCount(1)).ok());
    this->map_.Set(page, PageCount(1), SpanRef(64 * (i + 1)));
  }
  EXPECT_EQ(this->map_.Cost().resident_bytes, this->os_.CountResidentPages() * 4096);
}

TYPED_TEST(PageTreeTest, EveryRequestCanBeRefusedAndRetried) {
  using F = typename TestFixture::F;
  this->os_.RefuseAfter(0);
  EXPECT_FALSE(this->map_.Init(this->MapSetup()).ok());
  for (int request = 0; request < F::kNodes; ++request) {
    TypeParam map(this->memory_);
    ASSERT_TRUE(map.Init(this->MapSetup()).ok());
    this->os_.RefuseAfter(static_cast<uint64_t>(request));
    const OsResult<Done> result = map.Prepare(this->first_, PageCount(1));
    ASSERT_FALSE(result.ok()) << request;
    EXPECT_EQ(result.refusal().rule, Rule::kAddressLimit);
    EXPECT_EQ(map.Get(this->first_), SpanRef());
    map.CheckInvariants();
    ASSERT_TRUE(map.Prepare(this->first_, PageCount(1)).ok());
    map.Set(this->first_, PageCount(1), SpanRef(0x40));
    EXPECT_EQ(map.Get(this->first_), SpanRef(0x40));
    map.CheckInvariants();
  }
}

TYPED_TEST(PageTreeTest, PagesBeyondItsReachAreRefused) {
  using F = typename TestFixture::F;
  ASSERT_TRUE(this->map_.Init(this->MapSetup()).ok());
  const OsResult<Done> result = this->map_.Prepare(PageId(F::kPages - 1), PageCount(2));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.refusal().rule, Rule::kOutOfUserRange);
  EXPECT_EQ(result.refusal().asked_bytes, 2 * 4096u);
  EXPECT_FALSE(this->map_.Prepare(PageId(~uint64_t{0}), PageCount(1)).ok());
  EXPECT_FALSE(this->map_.Prepare(PageId(1), PageCount(~uint64_t{0})).ok());
}

TEST(Radix2PageMapTest, ALeafAboveFourGibibytesIsRefusedAndGivenBack) {
  ScriptedOs os;  // the kernel of a 64-bit process places anonymous mappings far above 4 GiB
  const ReservationStrategy strategy;
  DirectMemory memory;
  Radix2PageMap<DirectMemory> map(memory);
  ASSERT_TRUE(map.Init({.os = &os, .strategy = &strategy, .heap_range = {}, .table = {}}).ok());
  const OsResult<Done> result = map.Prepare(PageId(0x1000), PageCount(1));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.refusal().rule, Rule::kOutOfUserRange);
  EXPECT_GT(result.refusal().obtained.value(), 4 * kGiB);
  EXPECT_EQ(os.mapped_bytes(), map.Cost().reserved_bytes);
  EXPECT_EQ(map.Cost().reserved_bytes, 4 * kKiB);
}

TEST(SparseArenaPageMapTest, EightKibibyteHeapPagesHalveTheArena) {
  ScriptedOs os;
  ReservationStrategy strategy;
  strategy.heap_page_shift = 13;
  DirectMemory memory;
  SparseArenaPageMap<DirectMemory> map(memory);
  ASSERT_TRUE(map.Init({.os = &os, .strategy = &strategy, .heap_range = {}, .table = {}}).ok());
  const PageId page = PageId::Containing(Addr(0xc000000000), 13);
  ASSERT_TRUE(map.Prepare(page, PageCount(1)).ok());
  EXPECT_EQ(map.Cost().reserved_bytes, 32 * kMiB + 64 * kKiB);
}

}  // namespace
}  // namespace reheap
