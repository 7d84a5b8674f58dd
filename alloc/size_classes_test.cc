#include "alloc/size_classes.h"

#include <algorithm>
#include <bit>

#include "gtest/gtest.h"

namespace reheap {
namespace {

class SizeClassesTest : public testing::TestWithParam<uint32_t> {
 protected:
  const uint64_t page_bytes_ = uint64_t{1} << GetParam();
  const SizeClasses& classes_ = SizeClasses::ForHeapPageShift(GetParam());
};
INSTANTIATE_TEST_SUITE_P(HeapPageShift, SizeClassesTest, testing::Values(12, 13));

TEST_P(SizeClassesTest, AboutSixtyAscendingClassesFrom8BytesTo32KiB) {
  // What the Go runtime of 2011 (4 KiB) and of 2014 (8 KiB) reported for the same rule, class 0 included.
  EXPECT_EQ(classes_.count(), GetParam() == 12 ? 61 : 67);
  EXPECT_EQ(classes_[1].object_bytes, 8u);
  EXPECT_EQ(classes_[classes_.count() - 1].object_bytes, 32 * kKiB);
  for (int i = 2; i < classes_.count(); ++i)
    EXPECT_LT(classes_[i - 1].object_bytes, classes_[i].object_bytes);
}

TEST_P(SizeClassesTest, TailAndRoundingWasteAtMostAnEighth) {
  for (int i = 1; i < classes_.count(); ++i) {
    const SizeClass& c = classes_[i];
    const uint64_t span_bytes = c.span_pages * page_bytes_;
    EXPECT_EQ(c.objects_per_span, span_bytes / c.object_bytes) << c.object_bytes;
    EXPECT_LE(span_bytes - uint64_t{c.objects_per_span} * c.object_bytes, span_bytes / 8) << c.object_bytes;
  }
  for (uint64_t bytes = 128; bytes <= SizeClasses::kMaxSmallBytes; ++bytes) {
    const uint64_t step = std::min<uint64_t>(std::bit_floor(bytes - 1) / 8, 256);
    const uint64_t candidate = RoundUp(bytes, step);
    EXPECT_LE((candidate - bytes) * 8, candidate) << bytes;
    // A merged class is larger than the candidate, but a span cut for the candidate would hold no more
    // objects.
    const SizeClass& c = classes_[classes_.ClassFor(bytes)];
    EXPECT_EQ(c.span_pages * page_bytes_ / candidate, c.objects_per_span)
        << bytes << " in " << c.object_bytes;
  }
}

TEST_P(SizeClassesTest, LookupIsTheSmallestClassThatFits) {
  for (uint64_t bytes = 0; bytes <= SizeClasses::kMaxSmallBytes; ++bytes) {
    int expected = 1;
    while (classes_[expected].object_bytes < bytes) ++expected;
    ASSERT_EQ(classes_.ClassFor(bytes), expected) << bytes;
  }
  EXPECT_EQ(classes_.ClassFor(SizeClasses::kMaxSmallBytes + 1), 0);
  EXPECT_EQ(classes_.ClassFor(~uint64_t{0}), 0);
}

TEST_P(SizeClassesTest, AlignedLookupIsTheSmallestClassThatFitsAndAligns) {
  for (uint64_t alignment = 1; alignment <= 2 * page_bytes_; alignment *= 2) {
    for (uint64_t bytes = 0; bytes <= SizeClasses::kMaxSmallBytes + 1; ++bytes) {
      int expected = 1;
      while (expected < classes_.count() &&
             (classes_[expected].object_bytes < bytes || classes_[expected].object_bytes % alignment != 0)) {
        ++expected;
      }
      if (expected == classes_.count() || alignment > page_bytes_) expected = 0;
      ASSERT_EQ(classes_.ClassFor(bytes, alignment), expected) << bytes << " aligned to " << alignment;
    }
  }
  EXPECT_EQ(classes_.ClassFor(~uint64_t{0}, 4096), 0);
}

TEST_P(SizeClassesTest, ObjectsOf16BytesAndMoreAreAlignedTo16) {
  for (int i = 2; i < classes_.count(); ++i) EXPECT_EQ(classes_[i].object_bytes % 16, 0u) << i;
}

// The proof of the reciprocal: every byte of every span.
TEST_P(SizeClassesTest, MultiplyShiftDividesExactly) {
  for (int i = 1; i < classes_.count(); ++i) {
    const SizeClass& c = classes_[i];
    for (uint32_t offset = 0; offset < c.span_pages * page_bytes_; ++offset) {
      ASSERT_EQ(c.IndexOf(offset), offset / c.object_bytes) << offset << " of class " << c.object_bytes;
    }
  }
}

TEST_P(SizeClassesTest, BatchesMoveAbout64KiB) {
  for (int i = 1; i < classes_.count(); ++i) {
    const SizeClass& c = classes_[i];
    EXPECT_GE(c.objects_to_move, 2u);
    EXPECT_LE(c.objects_to_move, 32u);
    EXPECT_LE(uint64_t{c.objects_to_move} * c.object_bytes, 64 * kKiB);
  }
}

TEST(SizeClassesDeathTest, OtherHeapPageSizesAreOurMistake) {
  EXPECT_DEATH(SizeClasses::ForHeapPageShift(14), "CHECK failed");
}

}  // namespace
}  // namespace reheap
