#include "tools/cmd_replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "tools/progress.h"

namespace reheap {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What the last command line asked for; each test sets the answer.
ReplayRequest* asked = nullptr;
absl::StatusOr<proto::Report> answer;

absl::StatusOr<proto::Report> Replay(const ReplayRequest& request, ProgressSink*) {
  *asked = request;
  return answer;
}

struct Ran {
  int exit_code;
  std::string out;
  std::string err;
  ReplayRequest request;  // default when the replay was not reached
};

Ran Reheap(const std::vector<std::string>& arguments) {
  std::ostringstream out, err;
  Terminal terminal{out, err, false, false, "reheap replay " + ShellQuoted(arguments)};
  Ran ran;
  asked = &ran.request;
  ran.exit_code = ReplayWith(Replay, arguments, terminal);
  ran.out = out.str();
  ran.err = err.str();
  return ran;
}

proto::Report OneRefusedRun() {
  proto::Report report;
  report.set_tool("reheap 0.1.0");
  proto::Run& run = *report.add_runs();
  run.set_strategy("go-2011-02-reserve17g");
  run.set_outcome(proto::STARTUP_ABORT);
  run.mutable_refusal()->set_rule("RLIMIT_AS");
  return report;
}

class ReplayCommandTest : public ::testing::Test {
 protected:
  void SetUp() override { answer = OneRefusedRun(); }
};

TEST_F(ReplayCommandTest, TheShortestCommandHasDefaults) {
  const Ran ran = Reheap({"web.trace"});
  ASSERT_EQ(ran.exit_code, kAsExpected) << ran.err;
  EXPECT_EQ(ran.request.trace_path, "web.trace");
  EXPECT_THAT(ran.request.strategies, ElementsAre("go-2011-02-pretend"));
  EXPECT_THAT(ran.request.targets, ElementsAre("heap"));
  EXPECT_THAT(ran.request.platforms, ElementsAre("linux-amd64"));
  EXPECT_FALSE(ran.request.real);
  EXPECT_TRUE(ran.request.virtual_world);
  EXPECT_THAT(ran.request.address_limits, ElementsAre(std::nullopt));
  EXPECT_THAT(ran.request.data_limits, ElementsAre(std::nullopt));
  EXPECT_THAT(ran.request.overcommit_modes, IsEmpty());
  EXPECT_EQ(ran.request.order, "total");
  EXPECT_EQ(ran.request.touch, "full");
  EXPECT_EQ(ran.request.maps_path, "");
  EXPECT_FALSE(ran.request.measure_lookup);
}

TEST_F(ReplayCommandTest, TheModelledMachineIsSweptLikeTheLimits) {
  const Ran ran =
      Reheap({"t", "--platform", "linux-amd64@6.1,freebsd-amd64", "--memory-max", "64MiB,unlimited", "--ram", "1GiB,2GiB",
              "--max-map-count", "100,65530", "--stack-limit", "unlimited,1MiB", "--thp", "never,always"});
  ASSERT_EQ(ran.exit_code, kAsExpected) << ran.err;
  EXPECT_THAT(ran.request.platforms, ElementsAre("linux-amd64@6.1", "freebsd-amd64"));
  EXPECT_THAT(ran.request.memory_limits, ElementsAre(uint64_t{64} << 20, std::nullopt));
  EXPECT_THAT(ran.request.ram_bytes, ElementsAre(1u << 30, 2u << 30));
  EXPECT_THAT(ran.request.max_mappings, ElementsAre(100, 65530));
  EXPECT_THAT(ran.request.stack_limits, ElementsAre(std::nullopt, 1u << 20));
  EXPECT_THAT(ran.request.thp, ElementsAre("never", "always"));

  const std::pair<std::vector<std::string>, const char*> wrong[] = {
      {{"--ram", "unlimited"}, "--ram: 'unlimited' is not a size here"},
      {{"--ram", "0"}, "--ram: '0' is not a size here"},
      {{"--max-map-count", "many"}, "--max-map-count: 'many' is not a number of mappings"},
      {{"--thp", "sometimes"}, "--thp: 'sometimes' is not one of"},
      {{"--memory-max", "1GiB", "--world", "real"}, "--memory-max contradicts --world"},
      {{"--platform", "linux-amd64@9.9"}, "linux-amd64@9.9"},
  };
  for (const auto& [options, said] : wrong) {
    std::vector<std::string> arguments = {"t"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Ran refused = Reheap(arguments);
    EXPECT_EQ(refused.exit_code, kUsage) << said;
    EXPECT_THAT(refused.err, HasSubstr(said));
  }
}

TEST_F(ReplayCommandTest, ForeignMappingsAndImagesAreChosenByWord) {
  const Ran usual = Reheap({"web.trace"});
  EXPECT_EQ(usual.request.foreign, "replay");
  EXPECT_EQ(usual.request.thread_stacks, "glibc");
  EXPECT_EQ(usual.request.image, "");
  const Ran ran = Reheap({"web.trace", "--thread-stacks", "none", "--image", "perl"});
  ASSERT_EQ(ran.exit_code, kAsExpected) << ran.err;
  EXPECT_EQ(ran.request.thread_stacks, "none");
  EXPECT_EQ(ran.request.image, "perl");
  EXPECT_EQ(Reheap({"web.trace", "--foreign", "ignore"}).request.foreign, "ignore");
  const struct {
    std::vector<std::string> arguments;
    const char* complaint;
  } wrong[] = {
      {{"web.trace", "--foreign", "some"}, "some"},
      {{"web.trace", "--image", "pearl"}, "perl"},
      {{"web.trace", "--image", "perl", "--maps", "saved.maps"}, "--maps"},
      {{"web.trace", "--image", "perl", "--world", "real"}, "--image"},
      {{"web.trace", "--foreign", "ignore", "--thread-stacks", "none"}, "--thread-stacks"},
  };
  for (const auto& c : wrong) {
    const Ran failed = Reheap(c.arguments);
    EXPECT_EQ(failed.exit_code, kUsage) << c.complaint;
    EXPECT_THAT(failed.err, HasSubstr(c.complaint));
  }
}

TEST_F(ReplayCommandTest, EveryOptionReachesTheRequest) {
  const Ran ran = Reheap({"web.trace",
                          "--strategy",
                          "go-2010-radix,go-2011-02-pretend",
                          "--world",
                          "real,virtual",
                          "--platform",
                          "linux-amd64,darwin-amd64",
                          "--address-limit",
                          "unlimited,4GiB",
                          "--data-limit",
                          "512MiB",
                          "--overcommit",
                          "0,2",
                          "--target",
                          "heap,malloc:glibc,malloc:/usr/lib/libx.so",
                          "--touch",
                          "none",
                          "--maps",
                          "image.maps",
                          "--measure-lookup",
                          "--quiet"});
  ASSERT_EQ(ran.exit_code, kAsExpected) << ran.err;
  EXPECT_THAT(ran.request.strategies, ElementsAre("go-2010-radix", "go-2011-02-pretend"));
  EXPECT_TRUE(ran.request.real);
  EXPECT_TRUE(ran.request.virtual_world);
  EXPECT_THAT(ran.request.platforms, ElementsAre("linux-amd64", "darwin-amd64"));
  EXPECT_THAT(ran.request.address_limits, ElementsAre(std::nullopt, std::optional<uint64_t>(4294967296)));
  EXPECT_THAT(ran.request.data_limits, ElementsAre(std::optional<uint64_t>(536870912)));
  EXPECT_THAT(ran.request.overcommit_modes, ElementsAre(0, 2));
  EXPECT_THAT(ran.request.targets, ElementsAre("heap", "malloc:glibc", "malloc:/usr/lib/libx.so"));
  EXPECT_EQ(ran.request.touch, "none");
  EXPECT_EQ(ran.request.maps_path, "image.maps");
  EXPECT_TRUE(ran.request.measure_lookup);
}

TEST_F(ReplayCommandTest, MallocTargetsAloneAreReal) {
  const Ran ran = Reheap({"web.trace", "--target", "malloc:glibc"});
  ASSERT_EQ(ran.exit_code, kAsExpected) << ran.err;
  EXPECT_TRUE(ran.request.real);
  EXPECT_FALSE(ran.request.virtual_world);
}

TEST_F(ReplayCommandTest, WhatCannotBeMeantIsAUsageErrorThatNamesIt) {
  const struct {
    std::vector<std::string> arguments;
    std::vector<const char*> says;
  } cases[] = {
      {{"T", "--world", "real", "--platform", "linux-amd64"}, {"--platform contradicts --world"}},
      {{"T", "--world", "real", "--maps", "m"}, {"--maps contradicts --world"}},
      {{"T", "--world", "real", "--overcommit", "2"}, {"--overcommit contradicts --world"}},
      {{"T", "--target", "malloc:glibc", "--world", "virtual"}, {"--target contradicts --world"}},
      {{"T", "--target", "malloc:glibc", "--platform", "linux-amd64"}, {"--platform contradicts --target"}},
      {{"T", "--target", "malloc:glibc", "--strategy", "go-2010-radix"}, {"--strategy contradicts --target"}},
      {{"T", "--target", "jemalloc"}, {"'jemalloc' is not heap, malloc:glibc or malloc:/path/lib.so"}},
      {{"T", "--strategy", "go-2010-radex"}, {"'go-2010-radix'", "`reheap strategy list`"}},
      {{"T", "--platform", "linux-amd46"}, {"'linux-amd64'", "`reheap platform list`"}},
      {{"T", "--world", "ream"}, {"--world: 'ream' is not one of real, virtual; the nearest is 'real'"}},
      {{"T", "--overcommit", "3"}, {"--overcommit: '3' is not one of 0, 1, 2"}},
      {{"T", "--address-limit", "4Xib"}, {"--address-limit: '4Xib' is not a size", "4GiB", "unlimited"}},
      {{"T", "--order", "timed"}, {"--order: 'timed' is not one of total"}},
      {{"T", "--format", "xml"}, {"--format: 'xml' is not one of table, json, csv"}},
      {{}, {"T is missing: reheap replay T"}},
  };
  for (const auto& c : cases) {
    const Ran ran = Reheap(c.arguments);
    EXPECT_EQ(ran.exit_code, kUsage) << ShellQuoted(c.arguments);
    EXPECT_EQ(ran.request.trace_path, "") << "the replay must not have begun";
    EXPECT_EQ(ran.out, "");
    for (const char* piece : c.says) EXPECT_THAT(ran.err, HasSubstr(piece));
  }
}

TEST_F(ReplayCommandTest, ARefusedRunIsAnAnswer) {
  const Ran table = Reheap({"web.trace"});
  EXPECT_EQ(table.exit_code, kAsExpected);
  EXPECT_THAT(table.out, HasSubstr("STARTUP_ABORT"));
  EXPECT_THAT(table.out, HasSubstr("again: reheap replay web.trace\n"));
  const Ran json = Reheap({"web.trace", "--format", "json"});
  EXPECT_EQ(json.out.substr(0, 2), "{\n");
  EXPECT_THAT(json.out, HasSubstr("\"rerun\": \"reheap replay web.trace --format json\""));
  EXPECT_EQ(Reheap({"web.trace", "--format", "csv"}).out.substr(0, 13), "trace,target,");
}

TEST_F(ReplayCommandTest, SavesEveryForm) {
  const std::string base = std::string(std::getenv("TEST_TMPDIR")) + "/result";
  const Ran ran = Reheap({"web.trace", "--save", base});
  EXPECT_EQ(ran.exit_code, kAsExpected) << ran.err;
  const auto read = [](const std::string& path) {
    std::ifstream stream(path);
    return std::string(std::istreambuf_iterator<char>(stream), {});
  };
  EXPECT_EQ(read(base + ".txt"), ran.out);
  EXPECT_THAT(read(base + ".json"), HasSubstr("\"outcome\": \"STARTUP_ABORT\""));
  EXPECT_THAT(read(base + ".csv"), HasSubstr("STARTUP_ABORT,RLIMIT_AS"));
  const Ran nowhere = Reheap({"web.trace", "--save", "/no/such/folder/result"});
  EXPECT_EQ(nowhere.exit_code, kUnreadableInput);
  EXPECT_THAT(nowhere.err, HasSubstr("/no/such/folder/result.txt: cannot write it"));
}

TEST_F(ReplayCommandTest, AFileThatCannotBeReadIsExitThree) {
  answer = absl::DataLossError("web.trace: offset 96: block checksum is wrong");
  const Ran ran = Reheap({"web.trace"});
  EXPECT_EQ(ran.exit_code, kUnreadableInput);
  EXPECT_EQ(ran.err, "reheap replay: web.trace: offset 96: block checksum is wrong\n");
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(Reheap({"web.trace", "--strategy", "./nowhere.textproto"}).exit_code, kUnreadableInput);
}

TEST_F(ReplayCommandTest, ACombinationThatCannotBeReplayedIsExitTwo) {
  answer = absl::InvalidArgumentError("nothing to replay: a 32-bit strategy on 64-bit platforms");
  EXPECT_EQ(Reheap({"web.trace"}).exit_code, kUsage);
  answer = absl::InvalidArgumentError("web.trace: not a trace");
  EXPECT_EQ(Reheap({"web.trace"}).exit_code, kUnreadableInput);
  answer = absl::InvalidArgumentError("image.maps:3: expected a mapping");
  EXPECT_EQ(Reheap({"web.trace", "--maps", "image.maps"}).exit_code, kUnreadableInput);
}

// --- the bar
// ---------------------------------------------------------------------------------------------------

TEST(ProgressBarTest, TerminalGetsABarThatIsRemoved) {
  std::ostringstream stream;
  int64_t now_ms = 0;
  {
    ProgressBar bar(stream, true, false, [&] { return std::chrono::milliseconds(now_ms); });
    bar.Progress("go-2010-radix", 10, 100);  // too early to draw
    EXPECT_EQ(stream.str(), "");
    now_ms = 1000;
    bar.Progress("go-2010-radix", 25, 100);
    EXPECT_EQ(stream.str(),
              "\r\033[K[######..................]  25 % (25 of 100), 25 per s, 3.0 s left  go-2010-radix");
  }
  EXPECT_EQ(stream.str().substr(stream.str().size() - 4), "\r\033[K");
}

TEST(ProgressBarTest, AFileGetsALineEveryTenSeconds) {
  std::ostringstream stream;
  int64_t now_ms = 0;
  ProgressBar bar(stream, false, false, [&] { return std::chrono::milliseconds(now_ms); });
  for (now_ms = 0; now_ms <= 25000; now_ms += 500) {
    bar.Progress("x", static_cast<uint64_t>(now_ms), 50000);
  }
  EXPECT_EQ(stream.str(),
            "x:  20 % (10,000 of 50,000), 1,000 per s, 40.0 s left\n"
            "x:  40 % (20,000 of 50,000), 1,000 per s, 30.0 s left\n");
}

TEST(ProgressBarTest, QuietSaysNothing) {
  std::ostringstream stream;
  int64_t now_ms = 0;
  ProgressBar bar(stream, true, true, [&] { return std::chrono::milliseconds(now_ms += 20000); });
  bar.Progress("x", 1, 2);
  EXPECT_EQ(stream.str(), "");
}

}  // namespace
}  // namespace reheap
