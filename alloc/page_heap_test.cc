// PageHeap: which span an Allocate takes and what a Free joins, case by case.
#include "alloc/page_heap.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "alloc/flat_page_map.h"
#include "alloc/scripted_os.h"
#include "alloc/strategies_for_tests.h"

namespace reheap {
namespace {

constexpr uint32_t kShift = 12;
constexpr Addr kHeap(0xf840000000);

// 256 pages of heap. Spans are named by letters in the order of allocation.
class PageHeapTest : public testing::Test {
 protected:
  PageHeapTest() : strategy_(Go201102Pretend()), arena_(os_, strategy_), map_(memory_), chunks_(os_, 128 * kKiB, Access::kReadWrite) {
    REHEAP_CHECK(arena_.Start().ok());
    PageMapSetup setup;
    setup.os = &os_;
    setup.strategy = &strategy_;
    setup.heap_range = arena_.heap_range();
    REHEAP_CHECK(map_.Init(setup).ok());
    records_.Init(memory_, chunks_, sizeof(Span));
    heap_.Init(os_, memory_, map_, arena_, records_, kShift);
    REHEAP_CHECK(heap_.Grow(256).ok());
  }
  ~PageHeapTest() override {
    heap_.CheckInvariants();
    EXPECT_TRUE(heap_.RecountSlow(0) == heap_.totals());
  }

  // Where the span starts, in pages from the heap's start; -1: refused.
  int64_t Take(uint64_t pages, uint64_t alignment_pages = 1) {
    const OsResult<SpanRef> span = heap_.Allocate(pages, alignment_pages, SpanState::kLarge);
    if (!span.ok()) return -1;
    const int64_t at = static_cast<int64_t>((memory_.Read<Span>(span.value()).start - kHeap) >> kShift);
    spans_[at] = span.value();
    return at;
  }
  void Give(int64_t at) {
    heap_.Free(spans_.at(at));
    spans_.erase(at);
  }

  ScriptedOs os_;
  DirectMemory memory_;
  ReservationStrategy strategy_;
  Arena arena_;
  FlatPageMap<DirectMemory> map_;
  ChunkStream chunks_;
  RecordPool<DirectMemory> records_;
  PageHeap<DirectMemory, FlatPageMap<DirectMemory>> heap_;
  std::map<int64_t, SpanRef> spans_;
};

TEST_F(PageHeapTest, TakesFromTheBottom) {
  EXPECT_EQ(Take(10), 0);
  EXPECT_EQ(Take(1), 10);
  EXPECT_EQ(Take(245), 11);
  EXPECT_EQ(heap_.totals().free, 0);
  EXPECT_EQ(records_.live_records(), 3);
}

TEST_F(PageHeapTest, BestFitLeavesTheLongSpanAlone) {
  Take(5);                 // 0
  const int64_t a = Take(7);
  Take(1);
  const int64_t b = Take(3);
  Take(1);
  Give(a);
  Give(b);
  EXPECT_EQ(Take(3), b);
  EXPECT_EQ(Take(4), a);
  EXPECT_EQ(Take(3), a + 4) << "the rest of it";
}

TEST_F(PageHeapTest, FreeJoinsOnBothSides) {
  struct Case {
    const char* name;
    std::vector<int> order;  // three neighbours of 10 pages, freed in this order
  };
  const Case cases[] = {
      {"LeftToRight", {0, 1, 2}}, {"RightToLeft", {2, 1, 0}}, {"MiddleLast", {0, 2, 1}}, {"MiddleFirst", {1, 0, 2}},
  };
  for (const Case& c : cases) {
    const int64_t at[] = {Take(10), Take(10), Take(10)};
    const int64_t wall = Take(1);
    for (int n : c.order) {
      Give(at[n]);
      heap_.CheckInvariants();
    }
    EXPECT_EQ(Take(30), at[0]) << c.name;
    Give(at[0]);
    Give(wall);
    EXPECT_EQ(records_.live_records(), 1) << c.name;
  }
}

TEST_F(PageHeapTest, LongSpansLowestAddressAmongEquals) {
  ASSERT_EQ(Take(256), 0);
  const int64_t a = Take(300), wall_a = Take(1), b = Take(300), wall_b = Take(1), c = Take(400), wall_c = Take(1);
  ASSERT_GT(c, b);
  ASSERT_GE(wall_c, 0);
  Give(c);
  Give(a);
  Give(b);
  EXPECT_EQ(Take(290), std::min(a, b));
  EXPECT_EQ(Take(290), std::max(a, b));
  EXPECT_NE(wall_a, wall_b);
}

TEST_F(PageHeapTest, AlignmentReturnsTheSlack) {
  Take(1);
  EXPECT_EQ(Take(3, 64), 64);
  EXPECT_EQ(heap_.totals().free, 256 - 4);
  EXPECT_EQ(Take(63), 1) << "before it";
  EXPECT_EQ(Take(10), 67) << "behind it";
}

TEST_F(PageHeapTest, ShrinkJoinsTheTailWithWhatFollows) {
  const int64_t a = Take(100);
  ASSERT_TRUE(heap_.Shrink(spans_.at(a), 40));
  EXPECT_EQ(heap_.totals().free, 216);
  EXPECT_EQ(heap_.totals().large, 40);
  EXPECT_EQ(Take(216), 40);
}

TEST_F(PageHeapTest, DiscardedSpansJoinOnlyTheirLike) {
  const int64_t a = Take(10), b = Take(10);
  Take(236);
  Give(a);
  EXPECT_EQ(heap_.ReleaseFreePages(1), 10u << kShift);
  Give(b);
  heap_.CheckInvariants();
  EXPECT_EQ(heap_.totals().discarded, 10);
  EXPECT_EQ(heap_.totals().free, 10);
  EXPECT_EQ(heap_.ReleaseFreePages(~uint64_t{0}), 10u << kShift);
  EXPECT_EQ(heap_.CountSpans(), 2) << "the one in use and twenty discarded pages";
  EXPECT_EQ(heap_.ReleaseFreePages(1), 0);
  EXPECT_EQ(Take(20), a) << "reused as one";
  EXPECT_EQ(os_.calls(OsOperation::kReuse), 1);
}

TEST_F(PageHeapTest, GrowthJoinsWhatWasLeft) {
  Take(200);
  EXPECT_EQ(Take(100), 200) << "56 pages left and 256 new ones";
  EXPECT_EQ(heap_.totals().pages(), 512);
}

TEST_F(PageHeapTest, LengthsThatCannotBeAreRefused) {
  const uint64_t most = ~uint32_t{0};
  for (uint64_t pages : {most, most + 1, uint64_t{1} << 52, ~uint64_t{0} >> kShift}) EXPECT_EQ(Take(pages), -1) << pages;
  EXPECT_EQ(Take(1, uint64_t{1} << 51), -1);
  EXPECT_EQ(heap_.totals().free, 256);
}

}  // namespace
}  // namespace reheap
