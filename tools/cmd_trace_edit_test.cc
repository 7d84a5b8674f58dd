#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "proto/report.pb.h"
#include "tools/run_command_for_tests.h"
#include "traces/synthetic_trace.h"
#include "traces/trace_builder.h"

namespace reheap {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// A trace of two threads, and its name.
std::string Source() {
  const std::string path = TempPath("edit_source.trace");
  EXPECT_TRUE(
      WriteSyntheticTrace(path, {.seed = 11, .live_target_bytes = 1 << 20, .threads = 2}, 20000).ok());
  return path;
}

void ExpectSound(const std::string& path) {
  const Ran checked = Reheap({"trace", "check", path});
  EXPECT_EQ(checked.exit_code, kAsExpected) << checked.out << checked.err;
}

proto::Report Replay(const std::string& path) {
  const Ran ran = Reheap({"replay", path, "--world", "virtual", "--platform", "linux-amd64", "--strategy",
                          "go-2011-02-pretend", "--format", "json", "--quiet"});
  EXPECT_EQ(ran.exit_code, kAsExpected) << ran.err;
  proto::Report report;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(ran.out, &report).ok());
  EXPECT_EQ(report.runs_size(), 1);
  return report;
}

TEST(TraceSynthCommandTest, TheSameOptionsGiveTheSameBytesAndTheSeedIsPrinted) {
  const std::string a = TempPath("synth_a.trace"), b = TempPath("synth_b.trace"),
                    c = TempPath("synth_c.trace");
  const std::vector<std::string> rest = {"--events",  "5000", "--live-target", "64KiB",
                                         "--threads", "3",    "--max-size",    "2KiB"};
  const auto synth = [&](const std::string& out, const std::string& seed) {
    std::vector<std::string> arguments = {"trace", "synth", out, "--seed", seed};
    arguments.insert(arguments.end(), rest.begin(), rest.end());
    return Reheap(arguments);
  };
  const Ran ran = synth(a, "7");
  EXPECT_EQ(ran.exit_code, kAsExpected) << ran.err;
  EXPECT_EQ(ran.err, a + ": 5,000 events, seed 7\n");
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(synth(b, "7").exit_code, kAsExpected);
  EXPECT_EQ(synth(c, "8").exit_code, kAsExpected);
  EXPECT_EQ(ReadAll(a), ReadAll(b));
  EXPECT_NE(ReadAll(a), ReadAll(c));
  ExpectSound(a);
  EXPECT_THAT(Reheap({"trace", "info", a}).out,
              HasSubstr("synthetic: seed 7, 5000 events, live target 65536 bytes, 3 threads"));
}

TEST(TraceCutCommandTest, HalvesReplayToWhatTheWholeDid) {
  const std::string whole = Source(), first = TempPath("half_1.trace"), second = TempPath("half_2.trace");
  EXPECT_EQ(Reheap({"trace", "cut", whole, first, "--to-event", "12000"}).err, first + ": 12,000 events\n");
  const Ran ran = Reheap({"trace", "cut", whole, second, "--from-event", "12000"});
  EXPECT_EQ(ran.exit_code, kAsExpected);
  EXPECT_THAT(ran.err, HasSubstr(second + ": 8,000 events behind "));
  EXPECT_THAT(ran.err, HasSubstr(" that make anew what was alive: "));
  ExpectSound(first);
  ExpectSound(second);
  const proto::Run w = Replay(whole).runs(0), a = Replay(first).runs(0), b = Replay(second).runs(0);
  for (const proto::Run* run : {&w, &a, &b}) EXPECT_EQ(run->outcome(), proto::SURVIVED);
  EXPECT_EQ(std::max(a.peak_live_bytes(), b.peak_live_bytes()), w.peak_live_bytes());
  EXPECT_EQ(a.events(), 12000u);
  EXPECT_THAT(Reheap({"trace", "info", second}).out,
              HasSubstr("reheap trace cut --from-event 12000, of: synthetic: seed 11"));
}

TEST(TraceCutCommandTest, TimesHaveUnits) {
  const std::string path = TempPath("timed.trace"), out = TempPath("timed_cut.trace");
  ASSERT_TRUE(TraceBuilder()
                  .Malloc(0, 1)
                  .Time(1'500'000'000)
                  .Free(0)
                  .Time(120'000'000'000)
                  .FreeNull()
                  .WriteTo(path)
                  .ok());
  for (const char* from : {"1.5s", "1500ms", "1500000us", "1500000000", "1500000000ns", "0.025min"}) {
    EXPECT_THAT(Reheap({"trace", "cut", path, out, "--from-time", from, "--to-time", "2min"}).err,
                HasSubstr(": 1 events behind 1 "))
        << from;
  }
  for (const char* wrong : {"1.5", "-1s", "1 h", "nan s", "1e300s", "s"}) {
    const Ran ran = Reheap({"trace", "cut", path, out, "--from-time", wrong});
    EXPECT_EQ(ran.exit_code, kUsage) << wrong;
    EXPECT_THAT(ran.err, HasSubstr("is not a time: 20ms, 1.5s, 2min, bare = nanoseconds")) << wrong;
  }
}

TEST(TraceFilterCommandTest, SaysWhatItKept) {
  const std::string out = TempPath("filtered.trace");
  const Ran ran =
      Reheap({"trace", "filter", Source(), out, "--threads", "1", "--min-size", "1KiB", "--no-mappings"});
  EXPECT_EQ(ran.exit_code, kAsExpected) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr(" of 20,000 events, "));
  EXPECT_THAT(ran.err, HasSubstr("of the frees are by threads that were not asked for"));
  EXPECT_THAT(ran.err, HasSubstr("resizes cross a size bound"));
  ExpectSound(out);
  EXPECT_THAT(Reheap({"trace", "info", out}).out,
              HasSubstr("reheap trace filter --threads 1 --min-size 1KiB --no-mappings, of: synthetic"));
}

TEST(TraceMergeCommandTest, OneProcessOfSeveral) {
  const std::string whole = Source(), out = TempPath("merged.trace");
  const Ran ran = Reheap({"trace", "merge", whole, whole, whole, out});
  EXPECT_EQ(ran.exit_code, kAsExpected) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr(out + ": 60,000 events of 3 traces, 6 threads, "));
  ExpectSound(out);
  const proto::Run merged = Replay(out).runs(0), one = Replay(whole).runs(0);
  EXPECT_EQ(merged.outcome(), proto::SURVIVED);
  EXPECT_EQ(merged.events(), 60000u);
  // Events of one tick of the clock go trace by trace, so the three peaks need not meet.
  EXPECT_LE(merged.peak_live_bytes(), 3 * one.peak_live_bytes());
  EXPECT_GT(merged.peak_live_bytes(), 2 * one.peak_live_bytes());
  const Ran wall = Reheap({"trace", "merge", whole, whole, out, "--align", "wall"});
  EXPECT_EQ(wall.exit_code, kUsage);
  EXPECT_THAT(wall.err, HasSubstr(whole + ": its header does not say when the program started"));
  EXPECT_THAT(Reheap({"trace", "merge", whole, out, "--align", "wal"}).err, HasSubstr("OUT... is missing"));
  EXPECT_THAT(Reheap({"trace", "merge", whole, whole, out, "--align", "wal"}).err,
              HasSubstr("the nearest is 'wall'"));
}

TEST(TraceAnonymizeCommandTest, InfoHasNothingLeftToTell) {
  TraceBuilder builder;
  builder.header().mutable_process()->set_program("/home/acme/payroll");
  builder.header().mutable_process()->add_arguments("--token=hunter2");
  const std::string path = TempPath("named.trace"), out = TempPath("anonymous.trace");
  ASSERT_TRUE(builder.Malloc(0, 5).Map(0x7f31c4a3d000, 4096, 3, 0x22).WriteTo(path).ok());
  const Ran ran = Reheap({"trace", "anonymize", path, out});
  EXPECT_EQ(ran.exit_code, kAsExpected) << ran.err;
  EXPECT_EQ(ran.err, out + ": 2 events, 1 addresses moved, 0 paths replaced\n");
  ExpectSound(out);
  const std::string info = Reheap({"trace", "info", out}).out;
  EXPECT_THAT(info, Not(HasSubstr("acme")));
  EXPECT_THAT(info, Not(HasSubstr("hunter2")));
}

TEST(TraceEditCommandsTest, WrongUsageIsExitTwoAndNamesTheWords) {
  const std::string t = Source(), out = TempPath("never.trace");
  const struct {
    std::vector<std::string> arguments;
    const char* says;
  } cases[] = {
      {{"cut", t, out}, "nowhere to cut: --from-event"},
      {{"cut", t, out, "--from-event", "1", "--from-time", "1s"},
       "--from-event contradicts --from-time: a cut begins"},
      {{"cut", t, out, "--to-event", "1", "--to-time", "1s"}, "--to-event contradicts --to-time: a cut ends"},
      {{"cut", t, out, "--from-event", "5", "--to-event", "5"},
       "--from-event contradicts --to-event: nothing lies between"},
      {{"cut", t, out, "--from-time", "5s", "--to-time", "4s"},
       "--from-time contradicts --to-time: nothing lies between"},
      {{"cut", t, out, "--from-event", "x"}, "--from-event: 'x' is not a whole number"},
      {{"cut", t, out, "--from-event", "20000"}, "begins behind its 20000 events"},
      {{"cut", t}, "OUT is missing"},
      {{"filter", t, out}, "nothing to filter by: --threads"},
      {{"filter", t, out, "--min-size", "2K", "--max-size", "1K"}, "--min-size contradicts --max-size"},
      {{"filter", t, out, "--min-size", "much"}, "--min-size: "},
      {{"filter", t, out, "--threads", "0,two"}, "--threads: 'two' is not a thread's number"},
      {{"filter", t, out, "--threads", "0,2"}, "there is no thread 2; they count from 0, and it has 2"},
      {{"synth", out, "--events", "5"}, "--seed N is missing"},
      {{"synth", out, "--seed", "5"}, "--events N is missing"},
      {{"synth", out, "--seed", "5", "--events", "5", "--threads", "0"}, "--threads: 0 is not 1 to 65536"},
      {{"synth", out, "--seed", "5", "--events", "5", "--max-size", "2TiB"},
       "--max-size: 2TiB is not 1 to 1 TiB"},
      {{"synth", "/nonexistent/x.trace", "--seed", "5", "--events", "5"}, "/nonexistent/x.trace"},
      {{"anonymize", t, "/nonexistent/x.trace"}, "/nonexistent/x.trace"},
  };
  for (const auto& c : cases) {
    std::vector<std::string> arguments = {"trace"};
    arguments.insert(arguments.end(), c.arguments.begin(), c.arguments.end());
    const Ran ran = Reheap(arguments);
    EXPECT_EQ(ran.exit_code, kUsage) << c.says;
    EXPECT_THAT(ran.err, HasSubstr(c.says));
    EXPECT_FALSE(std::filesystem::exists(out)) << c.says;
  }
}

TEST(TraceEditCommandsTest, OutMayBeNoneOfTheInputs) {
  const std::string t = Source(), link = TempPath("link.trace"), other = TempPath("other.trace");
  const std::string bytes = ReadAll(t);
  std::filesystem::remove(link);
  std::filesystem::create_symlink(t, link);
  ASSERT_TRUE(WriteSyntheticTrace(other, {}, 10).ok());
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"trace", "cut", t, t, "--from-event", "1"},
                                             {"trace", "cut", link, t, "--from-event", "1"},
                                             {"trace", "filter", t, link, "--min-size", "1"},
                                             {"trace", "anonymize", t, t},
                                             {"trace", "merge", other, t, link}}) {
    const Ran ran = Reheap(arguments);
    EXPECT_EQ(ran.exit_code, kUsage);
    EXPECT_THAT(ran.err, HasSubstr("itself; OUT must be another file"));
  }
  EXPECT_EQ(ReadAll(t), bytes);
}

TEST(TraceEditCommandsTest, ATraceThatCannotBeReadIsExitThreeWithFileAndOffset) {
  const std::string good = ReadAll(Source());
  std::string flipped = good;
  flipped[good.size() / 2] = static_cast<char>(flipped[good.size() / 2] ^ 4);
  const std::string out = TempPath("unread.trace"), path = TempPath("bad.trace"),
                    other = TempPath("good.trace");
  std::ofstream(other, std::ios::binary) << good;
  for (const std::string& bytes :
       {std::string(), good.substr(0, good.size() / 2), good.substr(0, 5), flipped}) {
    std::ofstream(path, std::ios::binary) << bytes;
    for (const std::vector<std::string>& arguments :
         std::vector<std::vector<std::string>>{{"trace", "cut", path, out, "--from-event", "9"},
                                               {"trace", "filter", path, out, "--min-size", "1"},
                                               {"trace", "merge", other, path, out},
                                               {"trace", "anonymize", path, out}}) {
      const Ran ran = Reheap(arguments);
      EXPECT_EQ(ran.exit_code, kUnreadableInput) << arguments[1];
      EXPECT_THAT(ran.err, HasSubstr(path + ": offset ")) << arguments[1];
      EXPECT_FALSE(std::filesystem::exists(out)) << arguments[1];
    }
  }
  ASSERT_TRUE(TraceBuilder().Malloc(0, 8).Free(0).Free(0).WriteTo(path).ok());
  const Ran broken = Reheap({"trace", "filter", path, out, "--min-size", "1"});
  EXPECT_EQ(broken.exit_code, kUnreadableInput);
  EXPECT_THAT(broken.err, HasSubstr(path + ": block 0, event 2, thread 0, time 0 ns: free of a free slot"));
}

}  // namespace
}  // namespace reheap
