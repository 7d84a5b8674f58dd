// Budget files: what is wrong is said with line and field. Budgets: which figure, by how much, what made it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/report/budget_check.h"
#include "sim/report/budget_file.h"

namespace reheap {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr uint64_t kMiB = 1 << 20;

BudgetWords Words() {
  const auto fault = [](const std::string& word) {
    return word == "good" ? std::string() : "nothing is called '" + word + "'; the nearest is 'good'";
  };
  return {fault, fault, fault};
}

absl::StatusOr<proto::Budget> Parse(const std::string& text) {
  return ParseBudget(text, "b.textproto", Words());
}

std::string Complaints(const std::string& text) {
  const absl::StatusOr<proto::Budget> budget = Parse(text);
  return budget.ok() ? "" : std::string(budget.status().message());
}

TEST(BudgetFileTest, AGoodFileIsRead) {
  const auto budget = Parse(R"(
    summary: "the shop's heap"
    row {
      name: "under ulimit -v"  strategy: "good"  platform: "good"
      limits { address: "4GiB" overcommit: 2 }
      outcome: SURVIVED  outcome: DEGRADED
      at_most { peak_rss: "512MiB" peak_vmas: 0 fragmentation: 1.5 }
      of_baseline { peak_rss: 1.05 }
    }
    row { name: "here" strategy: "good" world: REAL at_most { lookup_ns: 9 } })");
  ASSERT_TRUE(budget.ok()) << budget.status();
  EXPECT_EQ(budget->row_size(), 2);
  EXPECT_TRUE(NeedsBaseline(budget->row(0)));
  EXPECT_FALSE(NeedsBaseline(budget->row(1)));
}

TEST(BudgetFileTest, MistakesAreSaidWithLineAndField) {
  struct Case {
    const char* text;
    const char* complaint;
  };
  const char* const good = "row { name: 'a' strategy: 'good' platform: 'good' ";
  const Case cases[] = {
      {"", "b.textproto:1: row: a budget has at least one row"},
      {"row {\n  name: 'a'\n  strategy: 'god'\n  platform: 'good' }",
       "b.textproto:3: row[0].strategy: nothing is called 'god'; the nearest is 'good'"},
      {"row {\n  name: 'a'\n  strategy: 'good'\n  platform: 'linux' }",
       "b.textproto:4: row[0].platform: nothing is called 'linux'"},
      {"row {\n  name: 'a'\n  stategy: 'good' }",
       "has no field named \"stategy\".; the nearest is 'strategy'"},
      {"row { name: 'a' platform: 'good' }", "row[0].strategy: each row of the heap needs one"},
      {"row { name: 'a' strategy: 'good' }", "row[0].platform: each virtual row needs one"},
      {"row { name: 'a' target: 'jemalloc' }",
       "row[0].target: 'jemalloc' is not heap, malloc:glibc or malloc:/path/lib.so"},
      {"row { name: 'a' target: 'malloc:glibc' platform: 'good' }",
       "a malloc of this machine runs in the world REAL only"},
      {"row { name: 'a' strategy: 'good' world: REAL at_most { peak_commit: '1MiB' } }",
       "at_most.peak_commit: known in the virtual world only"},
  };
  for (const Case& c : cases) EXPECT_THAT(Complaints(c.text), HasSubstr(c.complaint));
  const Case in_row[] = {
      {"limits { address: '4 gallons' }", "row[0].limits.address: "},
      {"limits { ram: 'unlimited' }", "row[0].limits.ram: "},
      {"limits { overcommit: 3 }", "row[0].limits.overcommit: 0, 1 or 2"},
      {"touch: 'ful'", "row[0].touch: 'ful' is not one of full, none; the nearest is 'full'"},
      {"outcome: OUTCOME_UNSPECIFIED", "row[0].outcome: "},
      {"rule: 'RLIMIT_AS'", "row[0].rule: who must survive is refused by no rule"},
      {"at_most { peak_rss: 'much' }", "row[0].at_most.peak_rss: "},
      {"at_most { fragmentation: -1 }", "row[0].at_most.fragmentation: a number above 0"},
      {"at_most { lookup_ns: 3 }", "row[0].at_most.lookup_ns: time is measured in the world REAL only"},
      {"of_baseline { replay_ns_per_event: 3 }", "row[0].of_baseline.replay_ns_per_event: time is measured"},
      {"of_baseline { peak_rss: nan }", "row[0].of_baseline.peak_rss: a number above 0"},
      {"image: 'good' maps: 'x'", "row[0].image: and maps: a process starts from one of them"},
  };
  for (const Case& c : in_row)
    EXPECT_THAT(Complaints(std::string(good) + c.text + "}"), HasSubstr(c.complaint));
  EXPECT_THAT(Complaints(std::string(good) + "}\n" + good + "}"),
              HasSubstr("b.textproto:2: row[1].name: 'a' is the name of an earlier row"));
  EXPECT_THAT(Complaints("row { name: 'a' touch: 'x' foreign: 'y' }"),
              testing::ContainsRegex("touch: .*\n.*foreign: "))
      << "all at once";
}

proto::Run SomeRun() {
  proto::Run run;
  run.set_trace("/tmp/web.trace");
  run.set_target("heap");
  run.set_strategy("go");
  run.set_world(proto::VIRTUAL);
  run.set_platform("linux-amd64");
  run.set_outcome(proto::SURVIVED);
  run.set_peak_rss_bytes(40 * kMiB);
  for (const char* metric : {"peak_rss_bytes", "peak_commit_bytes", "peak_vma_count"}) {
    run.add_provenance()->set_metric(metric);
    run.mutable_provenance()->rbegin()->set_provenance(proto::MODELLED);
  }
  run.set_peak_vma_count(12);
  proto::PeakCause* cause = run.add_peak_causes();
  cause->set_metric("peak_rss_bytes");
  cause->set_event(12345);
  cause->set_call("malloc of 1.0 MiB by thread 3");
  cause->set_live_bytes(30 * kMiB);
  run.mutable_fragmentation()->set_live_bytes(100);
  run.mutable_fragmentation()->set_span_bytes(150);
  return run;
}

TEST(BudgetCheckTest, ABudgetThatIsKeptSaysNothing) {
  proto::BudgetRow row;
  row.mutable_at_most()->set_peak_rss("40MiB");
  row.mutable_at_most()->set_peak_vmas(12);
  row.mutable_at_most()->set_fragmentation(1.5);
  row.mutable_at_most()->set_peak_commit("0");
  EXPECT_THAT(BudgetFailures(row, SomeRun(), nullptr), IsEmpty());
}

TEST(BudgetCheckTest, SaysWhichFigureByHowMuchAndWhatMadeIt) {
  proto::BudgetRow row;
  row.mutable_at_most()->set_peak_rss("32MiB");
  row.mutable_at_most()->set_peak_vsize("1GiB");
  row.mutable_at_most()->set_peak_vmas(10);
  row.mutable_at_most()->set_fragmentation(1.2);
  EXPECT_THAT(
      BudgetFailures(row, SomeRun(), nullptr),
      ElementsAre(
          "peak RSS of 40.0 MiB is 8.0 MiB (25 %) above the budget of 32.0 MiB; reached at event 12,345 "
          "(malloc of 1.0 MiB by thread 3), with 30.0 MiB of objects alive",
          "peak VSIZE has a budget of 1.0 GiB and is not known",
          "peak of mappings (VMAs) of 12 is 2 (20 %) above the budget of 10",
          "bytes in spans per live byte of 1.500 is 0.300 (25 %) above the budget of 1.200"));
  proto::Run run = SomeRun();
  run.mutable_peak_causes(0)->add_call_site("Grow (web.c:17)");
  run.mutable_peak_causes(0)->add_call_site("main (web.c:40)");
  EXPECT_THAT(BudgetFailures(row, run, nullptr)[0],
              HasSubstr("alive, called from Grow (web.c:17) < main (web.c:40)"));
  run.mutable_peak_causes(0)->set_sampled(true);
  run.mutable_peak_causes(0)->set_since_event(12000);
  EXPECT_THAT(BudgetFailures(row, run, nullptr)[0],
              HasSubstr("reached between event 12,000 and event 12,345, with"));
  run.mutable_peak_causes(0)->clear_event();
  EXPECT_THAT(BudgetFailures(row, run, nullptr)[0], HasSubstr("reached at startup"));
}

TEST(BudgetCheckTest, WhoMustSurviveAndWhoMustDie) {
  proto::BudgetRow row;
  proto::Run dead = SomeRun();
  dead.set_outcome(proto::LATE_ABORT);
  dead.mutable_refusal()->set_rule("RLIMIT_AS");
  dead.mutable_refusal()->set_event(7);
  dead.mutable_refusal()->set_call("malloc of 3.0 MiB by thread 0");
  const std::vector<std::string> failures = BudgetFailures(row, dead, nullptr);
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_THAT(failures[0],
              testing::StartsWith("the program must end SURVIVED and ended LATE_ABORT: RLIMIT_AS"));
  EXPECT_THAT(failures[0], HasSubstr("(malloc of 3.0 MiB by thread 0)"));
  row.add_outcome(proto::LATE_ABORT);
  row.set_rule("RLIMIT_AS");
  EXPECT_THAT(BudgetFailures(row, dead, nullptr), IsEmpty());
  row.set_rule("RLIMIT_DATA");
  EXPECT_THAT(BudgetFailures(row, dead, nullptr), ElementsAre(HasSubstr("must be refused by RLIMIT_DATA")));
  EXPECT_THAT(BudgetFailures(row, SomeRun(), nullptr),
              ElementsAre(HasSubstr("must end LATE_ABORT and ended SURVIVED")));
}

TEST(BudgetCheckTest, RelativeToTheBaseline) {
  proto::BudgetRow row;
  row.mutable_of_baseline()->set_peak_rss(1.05);
  row.mutable_of_baseline()->set_peak_vmas(1.2);
  EXPECT_THAT(BudgetFailures(row, SomeRun(), nullptr),
              ElementsAre(HasSubstr("the baseline has no run of web.trace go linux-amd64")));
  proto::Run baseline = SomeRun();
  baseline.set_peak_vma_count(10);
  EXPECT_THAT(BudgetFailures(row, SomeRun(), &baseline), IsEmpty()) << "1.2 times 10 is 12, to the mapping";
  baseline.set_peak_rss_bytes(32 * kMiB);
  EXPECT_THAT(BudgetFailures(row, SomeRun(), &baseline),
              ElementsAre(HasSubstr(
                  "is 6.4 MiB (19 %) above 1.05 times the baseline's 32.0 MiB; reached at event 12,345")));
}

proto::CheckResult SomeResult() {
  proto::CheckResult result;
  proto::CheckedRow* kept = result.add_rows();
  kept->set_name("kept");
  kept->set_passed(true);
  *kept->mutable_run() = SomeRun();
  proto::CheckedRow* failed = result.add_rows();
  failed->set_name("<\"&'\n\x01>");
  failed->add_failures("first & <last>");
  failed->add_failures("second");
  return result;
}

TEST(CheckFormsTest, JUnitIsEscaped) {
  const std::string xml = RenderJUnit(SomeResult(), "web.trace \"b\"");
  EXPECT_THAT(xml, HasSubstr("tests=\"2\" failures=\"1\" errors=\"0\""));
  EXPECT_THAT(xml, HasSubstr("<testcase name=\"kept\" classname=\"web.trace &quot;b&quot;\"/>"));
  EXPECT_THAT(xml, HasSubstr("name=\"&lt;&quot;&amp;'&#10;\xef\xbf\xbd&gt;\""));
  EXPECT_THAT(
      xml, HasSubstr("message=\"first &amp; &lt;last&gt;\">first &amp; &lt;last&gt;&#10;second</failure>"));
  EXPECT_EQ(xml, RenderJUnit(SomeResult(), "web.trace \"b\"")) << "the same bytes";
}

TEST(CheckFormsTest, TheTableSaysWhatFailed) {
  const std::string table = RenderCheckTable(SomeResult(), /*color=*/false);
  EXPECT_THAT(table, testing::ContainsRegex("kept +ok +SURVIVED +40.0 MiB"));
  EXPECT_THAT(table, HasSubstr("first & <last>"));
  EXPECT_THAT(table, HasSubstr("1 of 2 rows keep the budget"));
  EXPECT_THAT(table, Not(HasSubstr("\x1b[")));
  EXPECT_THAT(RenderCheckTable(SomeResult(), true), HasSubstr("\x1b[31m"));
}

}  // namespace
}  // namespace reheap
