#include "sim/report/decimate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace reheap {
namespace {

using Timeline = google::protobuf::RepeatedPtrField<proto::TimelinePoint>;
using Series = uint64_t (proto::TimelinePoint::*)() const;

constexpr Series kAllSeries[] = {&proto::TimelinePoint::live_bytes, &proto::TimelinePoint::rss_bytes,
                                 &proto::TimelinePoint::vsize_bytes, &proto::TimelinePoint::commit_bytes};

Timeline RandomTimeline(int points, uint64_t seed) {
  std::mt19937_64 random(seed);
  Timeline timeline;
  for (int i = 0; i < points; ++i) {
    proto::TimelinePoint* const point = timeline.Add();
    point->set_event(static_cast<uint64_t>(i) * 7);
    point->set_live_bytes(random());
    point->set_rss_bytes(random() % 1000);
    point->set_vsize_bytes(UINT64_MAX - random() % 3);
    point->set_commit_bytes(5);
  }
  return timeline;
}

TEST(DecimateTest, KeepsAllOfFew) {
  EXPECT_TRUE(DecimateTimeline(Timeline(), 10).empty());
  EXPECT_EQ(DecimateTimeline(RandomTimeline(10, 1), 10).size(), 10u);
}

TEST(DecimateTest, KeepsEndsAndEveryExtremeOfEveryBucketWithinItsBudget) {
  for (const uint64_t seed : {1, 2, 3, 4, 5}) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    for (const int points : {11, 100, 1000, 54321}) {
      const Timeline timeline = RandomTimeline(points, seed);
      for (const size_t most : {size_t{10}, size_t{11}, size_t{64}, size_t{999}}) {
        const std::vector<int> kept = DecimateTimeline(timeline, most);
        ASSERT_LE(kept.size(), most);
        EXPECT_TRUE(std::is_sorted(kept.begin(), kept.end()));
        EXPECT_EQ(std::adjacent_find(kept.begin(), kept.end()), kept.end());
        EXPECT_EQ(kept.front(), 0);
        EXPECT_EQ(kept.back(), points - 1);
        // Recounted from scratch: the extremes of the whole are extremes of some bucket.
        for (const Series series : kAllSeries) {
          const auto value = [&](int i) { return (timeline[i].*series)(); };
          uint64_t least = UINT64_MAX, greatest = 0, least_kept = UINT64_MAX, greatest_kept = 0;
          for (int i = 0; i < points; ++i)
            least = std::min(least, value(i)), greatest = std::max(greatest, value(i));
          for (const int i : kept) {
            least_kept = std::min(least_kept, value(i));
            greatest_kept = std::max(greatest_kept, value(i));
          }
          EXPECT_EQ(least_kept, least);
          EXPECT_EQ(greatest_kept, greatest);
        }
      }
    }
  }
}

TEST(DecimateTest, AMillionPointsAreAFewThousandTheSameEachTime) {
  const Timeline timeline = RandomTimeline(1000000, 9);
  const std::vector<int> kept = DecimateTimeline(timeline, 4000);
  EXPECT_GT(kept.size(), 2000u);
  EXPECT_LE(kept.size(), 4000u);
  EXPECT_EQ(kept, DecimateTimeline(timeline, 4000));
}

}  // namespace
}  // namespace reheap
