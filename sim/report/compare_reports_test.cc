// Two results side by side: what matches, what differs, what is worse than it may be.
#include "sim/report/compare_reports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace reheap {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

proto::Run* AddRun(const std::string& strategy, uint64_t rss_bytes, proto::Report* report) {
  proto::Run* run = report->add_runs();
  run->set_trace("/somewhere/web.trace");
  run->set_target("heap");
  run->set_strategy(strategy);
  run->set_world(proto::VIRTUAL);
  run->set_platform("linux-amd64");
  run->set_outcome(proto::SURVIVED);
  run->set_peak_rss_bytes(rss_bytes);
  return run;
}

Tolerances Tolerance(const char* text) {
  const absl::StatusOr<Tolerances> tolerances = ParseTolerances(text);
  EXPECT_TRUE(tolerances.ok()) << tolerances.status();
  return *tolerances;
}

TEST(TolerancesTest, PercentAndFractions) {
  EXPECT_TRUE(Tolerance("").by_figure.empty());
  const Tolerances tolerances = Tolerance("peak_rss=5%,peak_vmas=0,tables=0.5");
  EXPECT_DOUBLE_EQ(tolerances.by_figure.at("peak_rss"), 0.05);
  EXPECT_DOUBLE_EQ(tolerances.by_figure.at("tables"), 0.5);
  EXPECT_THAT(std::string(ParseTolerances("peak_rrs=5%").status().message()),
              HasSubstr("the nearest is 'peak_rss'"));
  for (const char* wrong :
       {"peak_rss", "peak_rss=", "peak_rss=-1%", "peak_rss=x", "peak_rss=5%%", "peak_rss=nan", ","}) {
    EXPECT_FALSE(ParseTolerances(wrong).ok()) << wrong;
  }
}

TEST(CompareReportsTest, GrowsWithinAndBeyondTheTolerance) {
  proto::Report before, after;
  AddRun("a", 1000, &before);
  AddRun("b", 1000, &before);
  AddRun("b", 1060, &after);
  AddRun("a", 1050, &after);
  const proto::Comparison comparison = CompareReports(before, after, Tolerance("peak_rss=5%"));
  ASSERT_EQ(comparison.runs_size(), 2);
  EXPECT_EQ(comparison.worse(), 1u);
  EXPECT_THAT(comparison.runs(0).about(), HasSubstr("web.trace b linux-amd64"));
  EXPECT_EQ(comparison.runs(0).figures(0).name(), "peak_rss");
  EXPECT_TRUE(comparison.runs(0).figures(0).is_worse());
  EXPECT_FALSE(comparison.runs(1).figures(0).is_worse());
  EXPECT_DOUBLE_EQ(comparison.runs(1).figures(0).ratio(), 1.05);
  EXPECT_EQ(CompareReports(before, after, {}).worse(), 0u) << "nobody asked";
  EXPECT_THAT(RenderComparisonTable(comparison, false),
              testing::ContainsRegex("peak_rss +1000 B +1.0 KiB +1.060 +5 % +WORSE"));
  EXPECT_THAT(RenderComparisonCsv(comparison),
              HasSubstr(",peak_rss,1000,1060,1.0600000000000001,0.050000000000000003,1\r\n"));
}

TEST(CompareReportsTest, AFigureThatIsNotKnownAnyMoreIsWorse) {
  proto::Report before, after;
  AddRun("a", 1000, &before);
  AddRun("a", 0, &after);  // and nobody vouches for it
  EXPECT_EQ(CompareReports(before, after, Tolerance("peak_rss=5%")).worse(), 1u);
  EXPECT_EQ(CompareReports(after, before, Tolerance("peak_rss=5%")).worse(), 0u);
}

TEST(CompareReportsTest, AnOutcomeGetsWorse) {
  proto::Report before, after;
  AddRun("a", 1000, &before);
  proto::Run* dead = AddRun("a", 900, &after);
  dead->set_outcome(proto::LATE_ABORT);
  dead->mutable_refusal()->set_event(50);
  EXPECT_EQ(CompareReports(before, after, Tolerance("peak_rss=5%")).worse(), 1u);
  EXPECT_EQ(CompareReports(after, before, Tolerance("peak_rss=50%")).worse(), 0u);
  proto::Report earlier = after;
  earlier.mutable_runs(0)->mutable_refusal()->set_event(49);
  EXPECT_TRUE(CompareReports(after, earlier, {}).runs(0).outcome_is_worse());
  EXPECT_FALSE(CompareReports(earlier, after, {}).runs(0).outcome_is_worse());
}

TEST(CompareReportsTest, UnmatchedRunsAreNamed) {
  proto::Report before, after;
  AddRun("a", 1000, &before);
  AddRun("a", 1000, &before);  // alike: the first matches the first
  AddRun("b", 1000, &before);
  AddRun("a", 1000, &after);
  AddRun("c", 1000, &after)->mutable_limits()->set_address_bytes(4ull << 30);
  const proto::Comparison comparison = CompareReports(before, after, {});
  EXPECT_EQ(comparison.runs_size(), 1);
  EXPECT_THAT(comparison.only_before(), ElementsAre(HasSubstr("web.trace a"), HasSubstr("web.trace b")));
  EXPECT_THAT(comparison.only_after(), ElementsAre(HasSubstr("web.trace c linux-amd64 as 4.0 GiB")));
  const std::string table = RenderComparisonTable(comparison, false);
  EXPECT_THAT(table, HasSubstr("only in the first:\n  web.trace a"));
  EXPECT_THAT(table, HasSubstr("only in the second:\n  web.trace c"));
}

TEST(CompareReportsTest, LimitsMatchToTheByte) {
  proto::Report before, after;
  AddRun("a", 1000, &before)->mutable_limits()->set_address_bytes(4ull << 30);
  AddRun("a", 1000, &after)->mutable_limits()->set_address_bytes((4ull << 30) + 1);
  EXPECT_EQ(CompareReports(before, after, {}).runs_size(), 0);
}

}  // namespace
}  // namespace reheap
