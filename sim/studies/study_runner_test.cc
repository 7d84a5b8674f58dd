// The promise of studies: the same bytes, whoever runs the cells. Also under the thread sanitizer.
#include "sim/studies/study_runner.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <fstream>

#include "gtest/gtest.h"
#include "sim/studies/cell_store.h"
#include "sim/studies/study_report.h"

namespace reheap {
namespace {

using testing::HasSubstr;

// All kinds of questions, few events: the sanitizers' builds run this too.
constexpr char kStudy[] = R"(name: "all kinds"
summary: "one question of each kind"
source: "a test"
trace { synthetic { seed: 5 events: 3000 live_target: "1MiB" } }
trace { synthetic { seed: 6 events: 2000 live_target: "512KiB" threads: 3 } }
strategy: "go-2010-radix"
strategy: "go-2011-02-reserve17g"
strategy: "go-2011-02-pretend"
platform: "linux-amd64"
platform: "windows-amd64"
limits { address: "unlimited" address: "40MiB" }
image: "platform"
question { grid {} }
question { minimal_limit { limit: "address" from: "4MiB" to: "32GiB" resolution: "1MiB" steps_per_octave: 1 } platform: "linux-amd64" }
question { usable_heap { block: "64KiB" up_to: "64MiB" } platform: "linux-amd64" }
question { time_to_failure { limit: "address" from: "8MiB" to: "64MiB" } platform: "linux-amd64" }
question { sensitivity { field: "reservation.firmness" field: "limits" } platform: "linux-amd64" limits { address: "40MiB" } }
)";

std::unique_ptr<StudyPlan> Plan(const std::string& text = kStudy) {
  absl::StatusOr<StudyText> study = ParseStudy(text, "test.textproto");
  EXPECT_TRUE(study.ok()) << study.status();
  absl::StatusOr<std::unique_ptr<StudyPlan>> plan = PlanStudy(*std::move(study));
  EXPECT_TRUE(plan.ok()) << plan.status();
  return *std::move(plan);
}

proto::Report RunPlan(const StudyPlan& plan, Shard shard, int threads) {
  std::map<uint64_t, proto::Report> answers;
  StudyRunOptions options;
  options.threads = threads;
  options.finished = [&](uint64_t cell, const proto::Report& answer) {
    EXPECT_EQ(CellOf(answer), cell);
    EXPECT_TRUE(answers.emplace(cell, answer).second);
    return absl::OkStatus();
  };
  const absl::Status status = RunCells(plan, CellsOf(plan, shard), options);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(answers.size(), CellsOf(plan, shard).size());
  return WholeReport(ReportHead(plan, shard, "test 1"), answers);
}

TEST(StudyRunnerTest, ThreadsShardsAndOrderChangeNoByte) {
  const std::unique_ptr<StudyPlan> plan = Plan();
  const proto::Report whole = RunPlan(*plan, Shard{}, 1);
  EXPECT_EQ(whole.runs_size(), 2 * 3 * 2 * 2);
  EXPECT_EQ(whole.limit_searches_size(), 2 * 3);
  EXPECT_EQ(whole.usable_heaps_size(), 3 * 2);
  EXPECT_EQ(whole.failure_times_size(), 2 * 3 * 1);
  EXPECT_EQ(whole.sensitivities_size(), 2 * 3);
  EXPECT_EQ(whole.SerializeAsString(), RunPlan(*plan, Shard{}, 4).SerializeAsString());
  // Another plan of the same text is the same study.
  const std::unique_ptr<StudyPlan> again = Plan();
  EXPECT_EQ(again->digest, plan->digest);
  std::vector<std::pair<std::string, proto::Report>> parts;
  for (uint32_t i : {2u, 0u, 1u}) parts.emplace_back("part " + std::to_string(i), RunPlan(*again, Shard{i, 3}, 2));
  const absl::StatusOr<proto::Report> merged = MergeReports(parts);
  ASSERT_TRUE(merged.ok()) << merged.status();
  EXPECT_EQ(merged->SerializeAsString(), whole.SerializeAsString());
}

TEST(StudyRunnerTest, AnswersAreTheStory) {
  const std::unique_ptr<StudyPlan> plan = Plan();
  const proto::Report report = RunPlan(*plan, Shard{}, 2);
  for (const proto::LimitSearch& search : report.limit_searches()) {
    ASSERT_TRUE(search.has_smallest_bytes()) << search.strategy();
    EXPECT_EQ(search.safe_bytes(), search.smallest_bytes());
    const bool reserves = search.strategy() == "go-2011-02-reserve17g";
    EXPECT_EQ(search.smallest_bytes() >= 17 * kGiB, reserves) << search.strategy();
    EXPECT_LE(search.resolution_bytes(), kMiB);
  }
  for (const proto::UsableHeap& usable : report.usable_heaps()) {
    if (!usable.limits().has_address_bytes()) {
      EXPECT_EQ(usable.usable_bytes(), 64 * kMiB);
      EXPECT_EQ(usable.outcome(), proto::SURVIVED);
    } else {
      EXPECT_LT(usable.usable_bytes(), 40 * kMiB);
      EXPECT_EQ(usable.usable_bytes() == 0, usable.strategy() == "go-2011-02-reserve17g");
    }
  }
  bool found = false;
  for (const proto::Sensitivity& cell : report.sensitivities()) {
    const bool reserves = cell.strategy() == "go-2011-02-reserve17g";
    EXPECT_EQ(cell.changes_size() > 0, reserves) << cell.strategy();
    for (const proto::Change& change : cell.changes()) {
      if (change.to() == "PRETEND, DIE") found = change.outcome() == proto::SURVIVED;
      if (change.field() == "limits.address_bytes") {
        EXPECT_EQ(change.outcome(), proto::SURVIVED);
        EXPECT_EQ(change.from(), "40.0 MiB");
        EXPECT_EQ(change.to(), "17.0 GiB");
      }
    }
  }
  EXPECT_TRUE(found);
  for (const proto::FailureTimes& times : report.failure_times()) {
    ASSERT_EQ(times.times_size(), 4);  // 8, 16, 32, 64 MiB
    // 32 MiB of page map in BSS do not fit into 8; the tree of 2010 grows with the heap.
    const bool starts = times.strategy() == "go-2010-radix";
    EXPECT_EQ(times.times(0).outcome(), starts ? proto::SURVIVED : proto::STARTUP_ABORT);
    EXPECT_EQ(times.times(0).live_bytes() > 0, starts);
  }
}

TEST(StudyRunnerTest, StopsWhenAskedAndKeepsWhatIsDone) {
  const std::unique_ptr<StudyPlan> plan = Plan();
  std::atomic<int> finished{0};
  StudyRunOptions options;
  options.threads = 2;
  options.stop = [&] { return finished >= 5; };
  options.finished = [&](uint64_t, const proto::Report&) {
    ++finished;
    return absl::OkStatus();
  };
  const absl::Status status = RunCells(*plan, CellsOf(*plan, Shard{}), options);
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_GE(finished, 5);
  EXPECT_LT(static_cast<size_t>(finished), plan->cells.size());
}

TEST(StudyRunnerTest, AnAnswerThatCannotBeKeptEndsTheRun) {
  const std::unique_ptr<StudyPlan> plan = Plan();
  StudyRunOptions options;
  options.threads = 2;
  options.finished = [](uint64_t, const proto::Report&) { return absl::UnavailableError("disk full"); };
  EXPECT_EQ(RunCells(*plan, CellsOf(*plan, Shard{}), options).message(), "disk full");
}

TEST(StudyReportTest, PartsThatDoNotBelongTogetherAreNamed) {
  const std::unique_ptr<StudyPlan> plan = Plan();
  const proto::Report a = RunPlan(*plan, Shard{0, 2}, 1);
  proto::Report b = RunPlan(*plan, Shard{1, 2}, 1);
  proto::Report other = b;
  other.mutable_study()->set_digest("xxh3:0");
  EXPECT_THAT(std::string(MergeReports({{"a", a}, {"other", other}}).status().message()),
              HasSubstr("other: is of study all kinds xxh3:0 by test 1; a is of study all kinds xxh3:"));
  EXPECT_THAT(std::string(MergeReports({{"a", a}, {"plain", proto::Report()}}).status().message()),
              HasSubstr("plain: is not the result of a study"));
  EXPECT_THAT(std::string(MergeReports({{"a", a}, {"b", b}, {"a2", a}}).status().message()),
              HasSubstr("a2: has cells that a has too: 0, 2, 4, 6"));
  b.mutable_runs()->RemoveLast();
  EXPECT_THAT(std::string(MergeReports({{"a", a}, {"b", b}}).status().message()),
              HasSubstr("cells that no part has: 23 of 48"));
  EXPECT_THAT(std::string(MergeReports({{"a", a}}).status().message()), HasSubstr("cells that no part has: 1, 3, 5"));
}

TEST(StudyPlanTest, TheDigestIsOfTextAndEvents) {
  std::string text = kStudy;
  text.replace(text.find("seed: 6"), 7, "seed: 7");
  EXPECT_NE(Plan(text)->digest, Plan()->digest);
}

TEST(StudyPlanTest, WhatCannotBeIsANote) {
  std::string text = kStudy;
  text.replace(text.find("go-2010-radix"), 13, "go-2011-02-reserve768m-386");
  text += "question { minimal_limit { limit: \"max_map_count\" from: \"10\" to: \"1000\" } }\n";
  const std::unique_ptr<StudyPlan> plan = Plan(text);
  EXPECT_THAT(plan->notes, testing::Contains("2 combinations of a strategy and a platform of another word size: left out"));
  EXPECT_THAT(plan->notes, testing::Contains("windows-amd64 has no limit of mappings: left out"));
}

TEST(CellStoreTest, ATornTailIsCutOffAndTheRestKept) {
  const std::string path = testing::TempDir() + "/cells.partial";
  unlink(path.c_str());
  proto::Report part;
  part.set_tool("test 1");
  part.mutable_study()->set_name("s");
  part.mutable_study()->set_digest("xxh3:1");
  proto::Report answer;
  answer.add_runs()->set_cell(3);
  answer.mutable_runs(0)->set_strategy("somebody");
  {
    auto store = CellStore::Open(path, part, false);
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_TRUE((*store)->Add(3, answer).ok());
    answer.mutable_runs(0)->set_cell(4);
    ASSERT_TRUE((*store)->Add(4, answer).ok());
    // Another process at the same time.
    EXPECT_THAT(std::string(CellStore::Open(path, part, true).status().message()), HasSubstr("another process is writing it"));
  }
  ASSERT_EQ(truncate(path.c_str(), static_cast<off_t>(std::ifstream(path, std::ios::ate).tellg()) - 3), 0);
  EXPECT_THAT(std::string(CellStore::Open(path, part, false).status().message()), HasSubstr("--resume goes on with it"));
  {
    auto store = CellStore::Open(path, part, true);
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_EQ((*store)->answers().size(), 1u);
    EXPECT_EQ((*store)->answers().count(3), 1u);
    ASSERT_TRUE((*store)->Add(4, answer).ok());
  }
  EXPECT_EQ((*CellStore::Open(path, part, true))->answers().size(), 2u);
  part.mutable_study()->set_digest("xxh3:2");
  EXPECT_THAT(std::string(CellStore::Open(path, part, true).status().message()),
              HasSubstr("is of study s xxh3:1, shard 0/0, by test 1; this is study s xxh3:2"));
}

}  // namespace
}  // namespace reheap
