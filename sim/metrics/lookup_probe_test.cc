#include "sim/metrics/lookup_probe.h"

#include <map>
#include <vector>

#include "gtest/gtest.h"

namespace reheap {
namespace {

// Counts the lookups of each page; answers the page's own number.
class CountingMap {
 public:
  Addr Get(PageId page) const {
    ++visits_[page.value()];
    return Addr(page.value());
  }
  const std::map<uint64_t, uint64_t>& visits() const { return visits_; }

 private:
  mutable std::map<uint64_t, uint64_t> visits_;
};

TEST(LookupProbeTest, VisitsOnlyTheGivenPagesAsOftenAsAsked) {
  const std::vector<PageId> pages = {PageId(7), PageId(1'000'000), PageId(3)};
  CountingMap map;
  const LookupProbeResult result = ProbeLookup(map, pages, /*seed=*/1, /*lookups=*/3000);
  uint64_t total = 0;
  for (const auto& [page, visits] : map.visits()) total += visits;
  EXPECT_EQ(map.visits().size(), 3u);
  EXPECT_EQ(total, 3 * 3000u);  // three rounds
  for (PageId page : pages) EXPECT_GT(map.visits().at(page.value()), 2400u);
  EXPECT_GT(result.lookup_ns, 0);
  EXPECT_GT(result.baseline_ns, 0);
}

TEST(LookupProbeTest, TheSameSeedVisitsTheSamePages) {
  std::vector<PageId> pages;
  for (uint64_t i = 0; i < 1000; ++i) pages.push_back(PageId(i * 3));
  CountingMap one, two, other;
  ProbeLookup(one, pages, 5, 2000);
  ProbeLookup(two, pages, 5, 2000);
  ProbeLookup(other, pages, 6, 2000);
  EXPECT_EQ(one.visits(), two.visits());
  EXPECT_NE(one.visits(), other.visits());
}

TEST(LookupProbeTest, DependentAndIndependentVisitTheOrderAsGiven) {
  const std::vector<PageId> pages = {PageId(10), PageId(20), PageId(30)};
  const LookupOrder order(pages, 7, [](uint64_t rank) { return (rank + 1) % 3; });
  CountingMap map;
  EXPECT_EQ(order.DependentLookups(map), 20u);  // visits 20 30 10 20 30 10 20: the last answer
  EXPECT_EQ(map.visits(), (std::map<uint64_t, uint64_t>{{10, 2}, {20, 3}, {30, 2}}));
  EXPECT_EQ(order.IndependentLookups(map), 3 * 20u + 2 * 30u + 2 * 10u);
  EXPECT_EQ(order.IndependentReads(), 7u);  // every element of the baseline is 1
}

TEST(LookupProbeTest, NothingToVisitIsZero) {
  const CountingMap map;
  EXPECT_EQ(ProbeLookup(map, {}, 1, 100).lookup_ns, 0);
  const std::vector<PageId> pages = {PageId(1)};
  EXPECT_EQ(ProbeLookup(map, pages, 1, 0).lookup_ns, 0);
}

}  // namespace
}  // namespace reheap
