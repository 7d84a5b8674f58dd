#include "sim/report/verdict_matrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace reheap {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

void Add(proto::Report* report, const std::string& trace, const std::string& strategy,
         const std::string& platform, proto::Outcome outcome) {
  proto::Run* const run = report->add_runs();
  run->set_trace(trace);
  run->set_strategy(strategy);
  run->set_target(strategy.empty() ? "malloc:glibc" : "heap");
  run->set_world(strategy.empty() ? proto::REAL : proto::VIRTUAL);
  run->set_platform(platform);
  run->set_outcome(outcome);
}

TEST(VerdictMatrixTest, StrategiesAndPlacesInTheOrderOfTheReport) {
  proto::Report report;
  Add(&report, "t", "b", "linux-amd64", proto::SURVIVED);
  Add(&report, "t", "b", "darwin-arm64", proto::LATE_ABORT);
  Add(&report, "t", "a", "darwin-arm64", proto::SURVIVED);
  Add(&report, "t", "", "this kernel", proto::SURVIVED);
  const VerdictMatrix matrix = JoinedVerdicts(report, false);
  EXPECT_THAT(matrix.strategies, ElementsAre("b", "a"));
  ASSERT_EQ(matrix.places.size(), 2u);
  EXPECT_EQ(matrix.places[1].platform, "darwin-arm64");
  EXPECT_THAT(matrix.at(0, 1), ElementsAre(1));
  EXPECT_THAT(matrix.at(1, 0), IsEmpty());
  EXPECT_EQ(DecidingRun(report, matrix.at(1, 0)), -1);
  EXPECT_THAT(JoinedVerdicts(report, true).strategies, ElementsAre("b", "a", "malloc:glibc"));
}

TEST(VerdictMatrixTest, ACellOfSeveralRunsShowsTheOneThatDidNotSurvive) {
  proto::Report report;
  Add(&report, "one", "a", "linux-amd64", proto::SURVIVED);
  Add(&report, "two", "a", "linux-amd64", proto::STARTUP_ABORT);
  Add(&report, "three", "a", "linux-amd64", proto::LATE_ABORT);
  EXPECT_EQ(DecidingRun(report, JoinedVerdicts(report, false).at(0, 0)), 1);
  // One matrix per trace keeps them apart.
  int too_large = -1;
  const std::vector<VerdictMatrix> matrices = VerdictMatrices(report, &too_large);
  ASSERT_EQ(matrices.size(), 3u);
  EXPECT_EQ(too_large, 0);
  EXPECT_EQ(matrices[1].subject, "trace two");
  EXPECT_EQ(DecidingRun(report, matrices[1].at(0, 0)), 1);
}

TEST(VerdictMatrixTest, AForgedReportDoesNotAskForMoreCellsThanAnybodyReads) {
  proto::Report report;
  for (int i = 0; i < 1000; ++i) {
    Add(&report, "t", absl::StrCat("strategy ", i), absl::StrCat("platform ", i), proto::SURVIVED);
  }
  EXPECT_THAT(JoinedVerdicts(report, false).cells, IsEmpty());
  int too_large = 0;
  EXPECT_THAT(VerdictMatrices(report, &too_large), IsEmpty());
  EXPECT_EQ(too_large, 1);
}

}  // namespace
}  // namespace reheap
