// Every saved study runs as it is, and its answers are what it was saved for.
#include <map>

#include "gtest/gtest.h"
#include "proto/report.pb.h"
#include "sim/report/study_table.h"
#include "sim/studies/study_report.h"
#include "sim/studies/study_runner.h"

namespace reheap {
namespace {

const proto::Report& Answers(const std::string& name) {
  static auto* const reports = new std::map<std::string, proto::Report>;
  if (const auto found = reports->find(name); found != reports->end()) return found->second;
  absl::StatusOr<StudyText> study = LoadStudy(name);
  EXPECT_TRUE(study.ok()) << study.status();
  const absl::StatusOr<std::unique_ptr<StudyPlan>> plan = PlanStudy(*std::move(study));
  EXPECT_TRUE(plan.ok()) << plan.status();
  std::map<uint64_t, proto::Report> answers;
  StudyRunOptions options;
  options.threads = 2;
  options.finished = [&](uint64_t cell, const proto::Report& answer) {
    answers[cell] = answer;
    return absl::OkStatus();
  };
  const absl::Status status = RunCells(**plan, CellsOf(**plan, Shard{}), options);
  EXPECT_TRUE(status.ok()) << name << ": " << status;
  EXPECT_EQ(answers.size(), (*plan)->cells.size());
  return (*reports)[name] = WholeReport(ReportHead(**plan, Shard{}, "test"), answers);
}

class SavedStudyTest : public testing::TestWithParam<std::string> {};

TEST_P(SavedStudyTest, RunsWholeAndSomebodyLivesAndSomebodyDies) {
  const proto::Report& report = Answers(GetParam());
  int lives = 0;
  int dies = 0;
  const auto count = [&](proto::Outcome outcome) { ++(outcome == proto::SURVIVED ? lives : dies); };
  for (const proto::Run& run : report.runs()) count(run.outcome());
  for (const proto::LimitSearch& search : report.limit_searches()) {
    for (const proto::LimitBand& band : search.bands()) count(band.outcome());
  }
  // Of a usable heap every answer ends in a refusal: whoever got a block lived.
  for (const proto::UsableHeap& heap : report.usable_heaps()) {
    count(heap.usable_bytes() > 0 ? proto::SURVIVED : heap.outcome());
  }
  EXPECT_GT(lives, 0);
  EXPECT_GT(dies, 0);
  EXPECT_FALSE(RenderStudy(report, {}).empty());
}

INSTANTIATE_TEST_SUITE_P(All, SavedStudyTest, testing::ValuesIn(StudyNames()), [](const auto& info) {
  std::string name = info.param;
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
});

const proto::LimitSearch* SearchOf(const proto::Report& report, const std::string& strategy, const std::string& platform) {
  for (const proto::LimitSearch& search : report.limit_searches()) {
    if (search.strategy() == strategy && search.platform() == platform) return &search;
  }
  return nullptr;
}

TEST(SavedStudiesTest, TheFiascoFindsTheMailsTwoWords) {
  const proto::Report& report = Answers("mmap-fiasco");
  for (const char* strategy : {"go-2011-01-reserve16g", "go-2011-02-reserve17g"}) {
    int helped = 0;
    for (const proto::Sensitivity& cell : report.sensitivities()) {
      if (cell.strategy() != strategy) continue;
      for (const proto::Change& change : cell.changes()) {
        if (change.to() == "PRETEND, DIE" && change.outcome() == proto::SURVIVED) ++helped;
      }
    }
    EXPECT_EQ(helped, 1) << strategy;
  }
  const proto::LimitSearch* search = SearchOf(report, "go-2011-02-reserve17g", "linux-amd64");
  ASSERT_NE(search, nullptr);
  EXPECT_GT(search->smallest_bytes(), uint64_t{17} << 30);
}

TEST(SavedStudiesTest, UlimitVIsNobodysBusinessOnOldDarwinOpenBsdAndWindows) {
  for (const proto::Run& run : Answers("ulimit-v-everywhere").runs()) {
    if (run.strategy() != "go-2011-01-reserve16g" || run.limits().address_bytes() != uint64_t{4} << 30) continue;
    const bool counts = run.platform() != "darwin-amd64-11" && run.platform() != "openbsd-amd64" &&
                        run.platform().rfind("windows", 0) != 0;
    if (counts) {
      EXPECT_EQ(run.outcome(), proto::STARTUP_ABORT) << run.platform();
      EXPECT_EQ(run.refusal().rule(), "RLIMIT_AS") << run.platform();
    } else {
      EXPECT_NE(run.refusal().rule(), "RLIMIT_AS") << run.platform();
    }
  }
}

TEST(SavedStudiesTest, PretendingAboveTheEndOf39BitsNeverStarts) {
  for (const proto::Run& run : Answers("39-bit-va").runs()) {
    if (run.strategy() != "go-2011-02-pretend") continue;
    EXPECT_EQ(run.outcome(), run.platform() == "linux-arm64" ? proto::SURVIVED : proto::STARTUP_ABORT) << run.platform();
  }
}

// What is reserved counts nothing; the flat page map in BSS counts whole, and the tree of 2010 has none.
TEST(SavedStudiesTest, AWindowsJobCountsTablesAndNotReservations) {
  const proto::Report& report = Answers("windows-commit-limit");
  const proto::LimitSearch* tree = SearchOf(report, "go-2010-radix", "windows-amd64");
  const proto::LimitSearch* flat = SearchOf(report, "go-2011-02-reserve17g", "windows-amd64");
  ASSERT_TRUE(tree != nullptr && flat != nullptr);
  EXPECT_GT(flat->smallest_bytes(), tree->smallest_bytes() + (20 << 20));
  EXPECT_LT(flat->smallest_bytes(), uint64_t{128} << 20);
}

TEST(SavedStudiesTest, AContainerCountsWhatIsWritten) {
  for (const proto::LimitSearch& search : Answers("small-containers").limit_searches()) {
    ASSERT_TRUE(search.has_smallest_bytes()) << search.strategy();
    EXPECT_LT(search.smallest_bytes(), uint64_t{64} << 20) << search.strategy();
  }
}

uint64_t UsableUnder(const proto::Report& report, const std::string& strategy, uint64_t limit_mib) {
  for (const proto::UsableHeap& heap : report.usable_heaps()) {
    if (heap.strategy() == strategy && heap.limits().address_bytes() == limit_mib << 20) return heap.usable_bytes();
  }
  ADD_FAILURE() << strategy << " under " << limit_mib << " MiB is not asked";
  return 0;
}

TEST(SavedStudiesTest, Go10HasLessHeapUnderMoreLimit) {
  const proto::Report& report = Answers("usable-heap");
  EXPECT_LT(UsableUnder(report, "go-1.0-limitaware", 160), UsableUnder(report, "go-1.0-limitaware", 128));
  EXPECT_GT(UsableUnder(report, "go-1.4-pretend128g", 160), UsableUnder(report, "go-1.4-pretend128g", 128));
  for (const char* strategy : {"scudo-180g", "snmalloc-flat256g", "hardened-12t"}) {
    EXPECT_EQ(UsableUnder(report, strategy, 4096), 0) << strategy;
  }
}

}  // namespace
}  // namespace reheap
