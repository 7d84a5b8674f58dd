// The command itself, as a shell would call it: record a real program, replay it in both worlds, feed it files that
// are not traces. Exit codes and words are a contract (scripts rely on them).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/wait.h>

#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/json_util.h"
#include "proto/report.pb.h"

namespace reheap {
namespace {

using testing::HasSubstr;

struct Answer {
  int exit_code = -1;
  std::string out;
  std::string err;
};

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

void WriteAll(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

std::string Temp(const std::string& name) { return testing::TempDir() + "/" + name; }

Answer Reheap(const std::string& arguments) {
  const std::string command =
      absl::StrCat("tools/reheap ", arguments, " >", Temp("out"), " 2>", Temp("err"), " </dev/null");
  Answer answer;
  const int status = system(command.c_str());
  if (WIFEXITED(status)) answer.exit_code = WEXITSTATUS(status);
  answer.out = ReadAll(Temp("out"));
  answer.err = ReadAll(Temp("err"));
  return answer;
}

// A real program that every Debian machine has, some tens of thousands of mallocs.
const std::string& RecordedPerl() {
  static const std::string path = [] {
    const std::string file = Temp("perl.trace");
    const Answer answer = Reheap(absl::StrCat(
        "record --output ", file, " -- perl -e 'my %h; $h{$_ * 7919 % 10007} .= \"x\" x ($_ % 50) for 1..20000;",
        " delete $h{$_} for 1..5000; print scalar(keys %h), \"\\n\"; exit 7'"));
    EXPECT_EQ(answer.exit_code, 7) << "the program's own status; " << answer.err;
    EXPECT_EQ(answer.out, "5007\n") << "the program's own output";
    return file;
  }();
  return path;
}

proto::Report ReplayJson(const std::string& arguments) {
  const Answer answer = Reheap(absl::StrCat("replay ", arguments, " --format json --quiet"));
  EXPECT_EQ(answer.exit_code, 0) << answer.err;
  proto::Report report;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(answer.out, &report).ok()) << answer.out;
  return report;
}

TEST(ReheapCommandTest, ARecordedProgramIsSoundAndTellsTheSameStoryInBothWorlds) {
  EXPECT_EQ(Reheap("trace check " + RecordedPerl()).exit_code, 0);
  for (const char* touch : {"full", "none"}) {
    const proto::Report report = ReplayJson(absl::StrCat(
        RecordedPerl(), " --world real,virtual --platform linux-amd64 --touch ", touch,
        " --strategy go-2010-radix,go-2011-01-reserve16g,go-2011-02-reserve17g,go-2011-02-pretend,go-1.11-sparse"));
    ASSERT_EQ(report.runs_size(), 10);
    for (int i = 0; i < 10; i += 2) {
      const proto::Run &real = report.runs(i), &model = report.runs(i + 1);
      EXPECT_EQ(real.world(), proto::REAL);
      EXPECT_EQ(model.world(), proto::VIRTUAL);
      EXPECT_GT(real.events(), 10000u);
      EXPECT_EQ(real.peak_vsize_bytes(), model.peak_vsize_bytes()) << real.strategy() << " touch " << touch;
      EXPECT_EQ(real.peak_rss_bytes(), model.peak_rss_bytes()) << real.strategy() << " touch " << touch;
    }
  }
}

TEST(ReheapCommandTest, TheFiascoInOneCommand) {
  const proto::Report report =
      ReplayJson(RecordedPerl() +
                 " --world real,virtual --platform linux-amd64,darwin-amd64 --address-limit 4GiB"
                 " --strategy go-2011-02-reserve17g,go-2011-02-pretend");
  ASSERT_EQ(report.runs_size(), 6);
  EXPECT_EQ(report.runs(0).outcome(), proto::STARTUP_ABORT) << "real kernel, reserve17g";
  EXPECT_EQ(report.runs(0).refusal().os_error(), 12) << "ENOMEM";
  EXPECT_EQ(report.runs(1).outcome(), proto::STARTUP_ABORT) << "linux-amd64";
  EXPECT_EQ(report.runs(1).refusal().rule(), "RLIMIT_AS");
  EXPECT_EQ(report.runs(2).outcome(), proto::SURVIVED) << "darwin";
  for (int i = 3; i < 6; ++i) EXPECT_EQ(report.runs(i).outcome(), proto::SURVIVED) << "pretend, row " << i;
}

TEST(ReheapCommandTest, AFileThatIsNotAWholeTraceIsExitThreeWithFileOffsetAndReason) {
  const std::string good = ReadAll(RecordedPerl());
  ASSERT_GT(good.size(), 1000u);
  std::string flipped = good, huge = good;
  flipped[good.size() / 2] = static_cast<char>(flipped[good.size() / 2] ^ 0x10);
  // The first frame follows the 8 bytes of magic; whatever field lies here becomes as large as it can be.
  for (size_t i = 12; i < 20; ++i) huge[i] = '\xff';
  const struct {
    const char* name;
    std::string bytes;
  } cases[] = {
      {"empty", ""},
      {"cut", good.substr(0, good.size() / 2)},
      {"cut-in-magic", good.substr(0, 5)},
      {"flipped", flipped},
      {"huge", huge},
      {"foreign-elf", ReadAll("tools/reheap").substr(0, 4096)},
      {"foreign-text", "TID: malloc 0x1 5\n"},
  };
  for (const auto& c : cases) {
    const std::string path = Temp(absl::StrCat(c.name, ".trace"));
    WriteAll(path, c.bytes);
    for (const char* verb : {"trace info", "trace check", "replay"}) {
      const Answer answer = Reheap(absl::StrCat(verb, " ", path));
      EXPECT_EQ(answer.exit_code, 3) << verb << " " << c.name;
      EXPECT_THAT(answer.err, HasSubstr(path + ": offset ")) << verb << " " << c.name;
    }
  }
  const Answer missing = Reheap("replay /nonexistent.trace");
  EXPECT_EQ(missing.exit_code, 3);
  EXPECT_THAT(missing.err, HasSubstr("/nonexistent.trace"));
}

TEST(ReheapCommandTest, WrongWordsAreExitTwoAndNameTheNearestKnownOne) {
  const struct {
    std::string arguments;
    const char* expected;
  } cases[] = {
      {"reply x", "replay"},
      {"replay " + RecordedPerl() + " --strategy go-2011-02-pretned", "go-2011-02-pretend"},
      {"replay " + RecordedPerl() + " --platform linux-amd46", "linux-amd64"},
      {"replay " + RecordedPerl() + " --adress-limit 4GiB", "address-limit"},
      {"replay " + RecordedPerl() + " --address-limit 4Gob", "4Gob"},
      {"replay", "T"},
      {"record", "PROG"},
      {"record --output /nonexistent/x.trace -- perl -e 'print 1'", "/nonexistent/x.trace"},
  };
  for (const auto& c : cases) {
    const Answer answer = Reheap(c.arguments);
    EXPECT_EQ(answer.exit_code, 2) << c.arguments;
    EXPECT_THAT(answer.err, HasSubstr(c.expected)) << c.arguments;
  }
}

TEST(ReheapCommandTest, TheSameVirtualReplayPrintsTheSameBytes) {
  const std::string arguments = absl::StrCat(
      "replay ", RecordedPerl(), " --platform linux-amd64,freebsd-amd64,windows-amd64,darwin-amd64",
      " --strategy go-2010-radix,go-2011-02-reserve17g --address-limit unlimited,64MiB --quiet");
  for (const char* format : {"table", "json", "csv"}) {
    const Answer first = Reheap(absl::StrCat(arguments, " --format ", format));
    const Answer second = Reheap(absl::StrCat(arguments, " --format ", format));
    EXPECT_EQ(first.exit_code, 0) << first.err;
    EXPECT_EQ(first.out, second.out) << format;
    EXPECT_GT(first.out.size(), 500u);
  }
}

TEST(ReheapCommandTest, AFullDiskIsAnErrorNotASilentHalfReport) {
  const int status = system(absl::StrCat("tools/reheap replay ", RecordedPerl(), " --quiet >/dev/full 2>", Temp("err")).c_str());
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_NE(WEXITSTATUS(status), 0);
  EXPECT_THAT(ReadAll(Temp("err")), HasSubstr("writing"));
}

}  // namespace
}  // namespace reheap
