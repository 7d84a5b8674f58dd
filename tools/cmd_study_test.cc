// `reheap study` as main() calls it: words, exit codes, files; what is interrupted and resumed is in tests/e2e.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "tools/run_command_for_tests.h"

namespace reheap {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr char kStudy[] = R"(name: "small"
summary: "a small study"
source: "a test"
trace { synthetic { seed: 3 events: 2000 live_target: "256KiB" } }
strategy: "go-2011-02-reserve17g"
strategy: "go-2011-02-pretend"
platform: "linux-amd64"
limits { address: "unlimited" address: "4GiB" }
image: "platform"
question { grid {} }
question { minimal_limit { limit: "address" from: "1MiB" to: "32GiB" resolution: "1MiB" steps_per_octave: 1 } limits {} }
question { usable_heap { up_to: "16MiB" } limits { address: "64MiB" } }
question { time_to_failure { limit: "address" from: "16MiB" to: "64MiB" } limits {} }
question { sensitivity { field: "reservation.firmness" field: "limits" } limits { address: "4GiB" } }
)";

std::string Write(const std::string& name, const std::string& text) {
  const std::string path = TempPath(name);
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

std::string Read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

TEST(StudyCommandTest, AnswersEachQuestionInASection) {
  const Ran ran = Reheap({"study", Write("small.textproto", kStudy), "--quiet"});
  EXPECT_EQ(ran.exit_code, kAsExpected) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("study small: a small study\n12 cells, all modelled; digest xxh3:"),
                             HasSubstr("as 4.0 GiB  STARTUP_ABORT"), HasSubstr("\nsmallest limit that works"),
                             HasSubstr("17.0 GiB   17.0 GiB"), HasSubstr("\nusable heap: blocks until the first is refused"),
                             HasSubstr("\ntime to failure, by address_bytes\n"),
                             HasSubstr("\nwhich one change would have let it survive\n"),
                             HasSubstr("limits.address_bytes: 4.0 GiB -> 17.0 GiB"),
                             HasSubstr("firmness + reservation.on_conflict: RESERVE, RELOCATE -> PRETEND, DIE\n")));
  EXPECT_THAT(ran.out, HasSubstr("1 cell survives as it is\n"));
  EXPECT_EQ(ran.err, "");
}

TEST(StudyCommandTest, ShardsMergeToTheBytesOfOneRun) {
  const std::string study = Write("small.textproto", kStudy);
  const std::string whole = TempPath("whole.result");
  ASSERT_EQ(Reheap({"study", study, "--output", whole, "--format", "none", "--quiet", "--threads", "3"}).exit_code, kAsExpected);
  std::vector<std::string> merge = {"study", "merge"};
  for (const char* shard : {"1/3", "0/3", "2/3"}) {
    merge.push_back(TempPath(std::string("part-") + shard[0]));
    ASSERT_EQ(Reheap({"study", study, "--shard", shard, "--output", merge.back(), "--format", "none", "--quiet"}).exit_code, kAsExpected);
    EXPECT_NE(access((merge.back() + ".partial").c_str(), F_OK), 0);
  }
  merge.insert(merge.end(), {"--output", TempPath("merged.result"), "--format", "none"});
  const Ran merged = Reheap(merge);
  EXPECT_EQ(merged.exit_code, kAsExpected) << merged.err;
  EXPECT_GT(Read(whole).size(), 1000u);
  EXPECT_EQ(Read(TempPath("merged.result")), Read(whole));
  // JSON by its name, and merged from JSON as from binary.
  merge[merge.size() - 3] = TempPath("merged.json");
  ASSERT_EQ(Reheap(merge).exit_code, kAsExpected);
  EXPECT_THAT(Read(TempPath("merged.json")), HasSubstr("\"usable_heaps\": ["));
  ASSERT_EQ(Reheap({"study", "merge", TempPath("merged.json"), "--output", TempPath("again.result"), "--format", "none"}).exit_code, kAsExpected);
  EXPECT_EQ(Read(TempPath("again.result")), Read(whole));
  // One part alone lacks cells; a whole and a part share some.
  const Ran alone = Reheap({"study", "merge", TempPath("part-0")});
  EXPECT_EQ(alone.exit_code, kUnreadableInput);
  EXPECT_THAT(alone.err, HasSubstr("cells that no part has: 1 to 2, 4 to 5"));
  const Ran twice = Reheap({"study", "merge", TempPath("part-0"), whole});
  EXPECT_EQ(twice.exit_code, kUnreadableInput);
  EXPECT_THAT(twice.err, HasSubstr(whole + ": has cells that " + TempPath("part-0") + " has too: 0, 3, 6, 9"));
}

TEST(StudyCommandTest, UsageErrors) {
  const std::string study = Write("small.textproto", kStudy);
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"study"}, "FILE|NAME is missing"},
      {{"study", "mmap-fiasko"}, "no study is called 'mmap-fiasko'; the nearest is 'mmap-fiasco' (`reheap study list` lists them)"},
      {{"study", study, "--shard", "4/4"}, "--shard: shard 4 of 4"},
      {{"study", study, "--threads", "0"}, "--threads: expected 1 to 1024, found 0"},
      {{"study", study, "--resume"}, "--resume needs --output"},
      {{"study", study, "--format", "jsn"}, "the nearest is 'json'"},
      {{"study", "merge"}, "R... is missing"},
  };
  for (const auto& [arguments, message] : cases) {
    const Ran ran = Reheap(arguments);
    EXPECT_EQ(ran.exit_code, kUsage) << message;
    EXPECT_THAT(ran.err, HasSubstr(message));
    EXPECT_EQ(ran.out, "");
  }
}

TEST(StudyCommandTest, UnreadableInput) {
  const Ran missing = Reheap({"study", "./nowhere.textproto"});
  EXPECT_EQ(missing.exit_code, kUnreadableInput);
  EXPECT_THAT(missing.err, HasSubstr("./nowhere.textproto: cannot read it"));
  const std::string bad = Write("bad.textproto", "name: \"b\"\nplatform: \"linux-amd46\"\n");
  const Ran ran = Reheap({"study", bad});
  EXPECT_EQ(ran.exit_code, kUnreadableInput);
  EXPECT_THAT(ran.err, AllOf(HasSubstr(bad + ":2: platform[0]: 'linux-amd46' is not known; the nearest is 'linux-amd64'"),
                             HasSubstr(bad + ":1: summary: is missing")));
  const Ran no_result = Reheap({"study", "merge", bad});
  EXPECT_EQ(no_result.exit_code, kUnreadableInput);
  EXPECT_THAT(no_result.err, HasSubstr(bad));
}

TEST(StudyCommandTest, AFullDiskFailsCleanly) {
  const Ran ran = Reheap({"study", Write("small.textproto", kStudy), "--output", "/dev/full", "--format", "none", "--quiet"});
  EXPECT_EQ(ran.exit_code, kUnreadableInput);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("/dev/full"), HasSubstr("No space left on device")));
  const Ran nowhere = Reheap({"study", Write("small.textproto", kStudy), "--output", "/no/such/folder/r", "--format", "none", "--quiet"});
  EXPECT_EQ(nowhere.exit_code, kUnreadableInput);
  EXPECT_THAT(nowhere.err, HasSubstr("/no/such/folder/r.partial: cannot open it: No such file or directory"));
}

TEST(StudyCommandTest, ListAndShow) {
  const Ran list = Reheap({"study", "list"});
  EXPECT_EQ(list.exit_code, kAsExpected);
  EXPECT_THAT(list.out, HasSubstr("mmap-fiasco"));
  const Ran show = Reheap({"study", "show", "mmap-fiasco"});
  EXPECT_EQ(show.exit_code, kAsExpected);
  EXPECT_THAT(show.out, HasSubstr("name: \"mmap-fiasco\""));
}

}  // namespace
}  // namespace reheap
