// `reheap check` and `reheap compare` as CI calls them: real replays, exit codes, messages, files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "sim/report/report_reader.h"
#include "tools/run_command_for_tests.h"
#include "traces/trace_builder.h"

namespace reheap {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string Write(const std::string& name, const std::string& text) {
  const std::string path = TempPath(name);
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

std::string Read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// 30 MiB of objects, the last of them 8 MiB at event 22.
std::string Trace() {
  static const std::string path = [] {
    TraceBuilder builder;
    builder.Thread(0);
    for (uint32_t i = 0; i < 22; ++i) builder.Malloc(i, 1 << 20);
    builder.Malloc(22, 8 << 20).Free(22);
    for (uint32_t i = 0; i < 22; ++i) builder.Free(i);
    const std::string file = TempPath("shop.trace");
    EXPECT_TRUE(builder.WriteTo(file).ok());
    return file;
  }();
  return path;
}

constexpr char kBudget[] = R"(
row {
  name: "unlimited"  strategy: "go-2011-02-pretend"  platform: "linux-amd64"
  at_most { peak_rss: "64MiB" peak_vmas: 20 loads_per_lookup: 3 fragmentation: 2 }
}
row {
  name: "17 GiB under ulimit -v 4G dies"  strategy: "go-2011-02-reserve17g"  platform: "linux-amd64"
  limits { address: "4GiB" }
  outcome: STARTUP_ABORT  rule: "RLIMIT_AS"
})";

TEST(CheckTest, AKeptBudget) {
  const std::string budget = Write("kept.textproto", kBudget);
  const std::string junit = TempPath("kept.xml");
  const Ran ran = Reheap({"check", Trace(), "--budget", budget, "--junit", junit, "--quiet"});
  EXPECT_EQ(ran.exit_code, 0) << ran.out << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("2 of 2 rows keep the budget"));
  EXPECT_EQ(ran.err, "");
  EXPECT_THAT(Read(junit), HasSubstr("tests=\"2\" failures=\"0\""));
  const Ran again = Reheap({"check", Trace(), "--budget", budget, "--junit", junit + "2", "--quiet"});
  EXPECT_EQ(again.out, ran.out) << "the same bytes";
  EXPECT_EQ(Read(junit + "2"), Read(junit));
}

TEST(CheckTest, AnExceededBudgetNamesTheEvent) {
  const std::string budget = Write("exceeded.textproto", R"(
    row { name: "small" strategy: "go-2011-02-pretend" platform: "linux-amd64"
          at_most { peak_rss: "16MiB" peak_vsize: "1GiB" } }
    row { name: "must live" strategy: "go-2011-02-reserve17g" platform: "linux-amd64" limits { address: "4GiB" } })");
  const std::string junit = TempPath("exceeded.xml");
  const Ran ran = Reheap({"check", Trace(), "--budget", budget, "--junit", junit, "--quiet"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(
      ran.out,
      testing::ContainsRegex(
          "small: peak RSS of [0-9.]+ MiB is [0-9.]+ MiB \\([0-9.]+ %\\) above the budget of 16.0 MiB; "
          "reached at event 22 \\(malloc of 8.0 MiB by thread 0\\), with 30.0 MiB of objects alive"));
  EXPECT_THAT(
      ran.out,
      HasSubstr(
          "must live: the program must end SURVIVED and ended STARTUP_ABORT: RLIMIT_AS: asked 17.0 GiB"));
  EXPECT_THAT(Read(junit), HasSubstr("tests=\"2\" failures=\"2\""));
  const Ran json = Reheap({"check", Trace(), "--budget", budget, "--format", "json", "--quiet"});
  EXPECT_EQ(json.exit_code, 1);
  EXPECT_THAT(json.out, HasSubstr("\"metric\": \"peak_rss_bytes\""));
}

TEST(CheckTest, RelativeToABaselineThatAnEarlierCheckSaved) {
  const std::string budget = Write("first.textproto", kBudget);
  const std::string baseline = TempPath("baseline.json");
  ASSERT_EQ(Reheap({"check", Trace(), "--budget", budget, "--save", baseline, "--quiet"}).exit_code, 0);
  const std::string relative = Write("relative.textproto", R"(
    row { name: "same" strategy: "go-2011-02-pretend" platform: "linux-amd64" of_baseline { peak_rss: 1 peak_vsize: 1 } })");
  EXPECT_EQ(Reheap({"check", Trace(), "--budget", relative, "--baseline", baseline, "--quiet"}).exit_code, 0);
  const std::string tight = Write("tight.textproto", R"(
    row { name: "less" strategy: "go-2011-02-pretend" platform: "linux-amd64" of_baseline { peak_rss: 0.5 } }
    row { name: "new" strategy: "go-2010-radix" platform: "linux-amd64" of_baseline { peak_rss: 1 } })");
  const Ran ran = Reheap({"check", Trace(), "--budget", tight, "--baseline", baseline, "--quiet"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.out, HasSubstr("above 0.5 times the baseline's"));
  EXPECT_THAT(ran.out, HasSubstr("new: the baseline has no run of shop.trace go-2010-radix linux-amd64"));
  const Ran missing = Reheap({"check", Trace(), "--budget", relative});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_THAT(missing.err, HasSubstr("--baseline R is missing: row 'same'"));
}

TEST(CheckTest, UsageAndUnreadableInput) {
  EXPECT_EQ(Reheap({"check", Trace()}).exit_code, 2);
  EXPECT_EQ(Reheap({"check", Trace(), "--budget", "x", "--format", "csv"}).exit_code, 2);
  EXPECT_EQ(Reheap({"check", Trace(), "--budget", TempPath("none")}).exit_code, 3);
  const std::string wrong =
      Write("wrong.textproto", "row {\n name: 'a'\n strategy: 'go-2010-radex'\n platform: 'linux-amd46' }");
  const Ran ran = Reheap({"check", Trace(), "--budget", wrong});
  EXPECT_EQ(ran.exit_code, 3);
  EXPECT_THAT(ran.err, HasSubstr("wrong.textproto:3: row[0].strategy: no strategy is called 'go-2010-radex'; "
                                 "the nearest is 'go-2010-radix'"));
  EXPECT_THAT(ran.err, HasSubstr("wrong.textproto:4: row[0].platform: no platform is called 'linux-amd46'; "
                                 "the nearest is 'linux-amd64'"));
  const std::string budget = Write("good.textproto", kBudget);
  EXPECT_EQ(Reheap({"check", TempPath("none.trace"), "--budget", budget, "--quiet"}).exit_code, 3);
  const Ran full = Reheap({"check", Trace(), "--budget", budget, "--junit", "/dev/full", "--quiet"});
  EXPECT_EQ(full.exit_code, 3);
  EXPECT_THAT(full.err, HasSubstr("/dev/full"));
  EXPECT_EQ(Reheap({"check", Trace(), "--budget", budget, "--baseline", Trace(), "--quiet"}).exit_code, 3)
      << "no result";
}

TEST(CheckTest, AStrategyBesideTheBudget) {
  const std::string strategy = Read("sim/strategies/go-2010-radix.textproto");
  ASSERT_NE(strategy, "");
  Write("mine.textproto", strategy);
  const std::string budget =
      Write("own.textproto", "row { name: 'mine' strategy: './mine.textproto' platform: 'linux-amd64' }");
  EXPECT_EQ(Reheap({"check", Trace(), "--budget", budget, "--quiet"}).exit_code, 0);
}

TEST(CompareTest, TwoResults) {
  const std::string unlimited = TempPath("one"), small = TempPath("two");
  ASSERT_EQ(Reheap({"replay", Trace(), "--save", unlimited, "--quiet", "--strategy", "go-2011-02-pretend"})
                .exit_code,
            0);
  ASSERT_EQ(Reheap({"replay", Trace(), "--save", small, "--quiet", "--strategy",
                    "go-2011-02-pretend,go-2010-radix"})
                .exit_code,
            0);
  const Ran same =
      Reheap({"compare", unlimited + ".json", small + ".json", "--tolerance", "peak_rss=0,peak_vmas=0"});
  EXPECT_EQ(same.exit_code, 0) << same.err;
  EXPECT_THAT(same.out, HasSubstr("only in the second:\n  shop.trace go-2010-radix"));
  proto::Report report = *ReadReport(unlimited + ".json");
  report.mutable_runs(0)->set_peak_rss_bytes(report.runs(0).peak_rss_bytes() / 2);
  const std::string half = Write("half.bin", report.SerializeAsString());
  EXPECT_EQ(Reheap({"compare", half, unlimited + ".json"}).exit_code, 0) << "nobody asked";
  const Ran worse = Reheap({"compare", half, unlimited + ".json", "--tolerance", "peak_rss=5%"});
  EXPECT_EQ(worse.exit_code, 1);
  EXPECT_THAT(worse.out, testing::ContainsRegex("peak_rss .* 2.000 +5 % +WORSE"));
  for (const char* format : {"json", "csv"}) {
    const Ran form =
        Reheap({"compare", half, unlimited + ".json", "--tolerance", "peak_rss=5%", "--format", format});
    EXPECT_EQ(form.exit_code, 1);
    EXPECT_THAT(form.out, HasSubstr("peak_rss"));
  }
}

TEST(CompareTest, UsageAndUnreadableInput) {
  EXPECT_EQ(Reheap({"compare", "a"}).exit_code, 2);
  EXPECT_EQ(Reheap({"compare", "a", "b"}).exit_code, 3);
  const Ran ran = Reheap({"compare", "a", "b", "--tolerance", "peak_rrs=5%"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("the nearest is 'peak_rss'"));
}

}  // namespace
}  // namespace reheap
