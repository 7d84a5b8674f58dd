// PageHeap: which span an Allocate takes and what a Free joins, case by case.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "alloc/page_heap_for_tests.h"

namespace reheap {
namespace {

constexpr uint32_t kShift = PageHeapTest::kShift;

TEST_F(PageHeapTest, TakesFromTheBottom) {
  EXPECT_EQ(Take(10), 0);
  EXPECT_EQ(Take(1), 10);
  EXPECT_EQ(Take(245), 11);
  EXPECT_EQ(heap_.totals().free, 0);
  EXPECT_EQ(records_.live_records(), 3);
}

TEST_F(PageHeapTest, BestFitLeavesTheLongSpanAlone) {
  Take(5);  // 0
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
      {"LeftToRight", {0, 1, 2}},
      {"RightToLeft", {2, 1, 0}},
      {"MiddleLast", {0, 2, 1}},
      {"MiddleFirst", {1, 0, 2}},
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
  const int64_t a = Take(300), wall_a = Take(1), b = Take(300), wall_b = Take(1), c = Take(400),
                wall_c = Take(1);
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

TEST_F(PageHeapTest, OfADiscardedSpanOnlyWhatIsNeededComesBack) {
  Take(100);
  EXPECT_EQ(heap_.ReleaseFreePages(1), 156u << kShift);
  EXPECT_EQ(Take(10), 100);
  EXPECT_EQ(heap_.totals().discarded, 146);
  EXPECT_EQ(heap_.totals().free, 0);
  EXPECT_EQ(Take(10, 64), 128) << "aligned: before and behind it stays discarded";
  EXPECT_EQ(heap_.totals().discarded, 136);
}

// No free span is long enough and no discarded one: three in a row are.
TEST_F(PageHeapTest, ARunOfFreeAndDiscardedSpansIsUsedBeforeTheHeapGrows) {
  const int64_t a = Take(10), b = Take(10), c = Take(10);
  Take(226);
  Give(b);
  EXPECT_EQ(heap_.ReleaseFreePages(1), 10u << kShift);
  Give(a);
  Give(c);
  heap_.CheckInvariants();
  EXPECT_EQ(Take(30), a);
  EXPECT_EQ(arena_.growths(), 1);
  EXPECT_EQ(heap_.totals().discarded + heap_.totals().free, 0);
}

TEST_F(PageHeapTest, ARunThatIsTooShortStaysDiscarded) {
  const int64_t a = Take(10), b = Take(10);
  Take(236);
  Give(b);
  EXPECT_EQ(heap_.ReleaseFreePages(1), 10u << kShift);
  Give(a);
  EXPECT_EQ(Take(21), 256) << "grown";
  EXPECT_EQ(heap_.totals().discarded, 10);
}

TEST_F(PageHeapTest, GrowthJoinsWhatWasLeft) {
  Take(200);
  EXPECT_EQ(Take(100), 200) << "56 pages left and 256 new ones";
  EXPECT_EQ(heap_.totals().pages(), 512);
}

TEST_F(PageHeapTest, LengthsThatCannotBeAreRefused) {
  const uint64_t most = ~uint32_t{0};
  for (uint64_t pages : {most, most + 1, uint64_t{1} << 52, ~uint64_t{0} >> kShift})
    EXPECT_EQ(Take(pages), -1) << pages;
  EXPECT_EQ(Take(1, uint64_t{1} << 51), -1);
  EXPECT_EQ(heap_.totals().free, 256);
}

}  // namespace
}  // namespace reheap
