#include "tools/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "absl/strings/str_split.h"
#include "tools/nearest_name.h"
#include "tools/options.h"

namespace reheap {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Ran {
  int exit_code;
  std::string out;
  std::string err;
};

int PrintArguments(const std::vector<std::string>& arguments, Terminal& terminal) {
  for (const std::string& argument : arguments) terminal.out << "<" << argument << ">";
  return 7;
}

constexpr Verb kVerbs[] = {
    {"record", "records", PrintArguments},
    {"trace info", "informs", PrintArguments},
    {"trace check", "checks", PrintArguments},
    {"replay", "replays", PrintArguments},
};

Ran Reheap(const std::vector<std::string>& arguments) {
  std::ostringstream out, err;
  Terminal terminal{out, err, false, false, "reheap"};
  const int exit_code = RunReheap(arguments, kVerbs, terminal);
  return {exit_code, out.str(), err.str()};
}

TEST(RunReheapTest, GivesAVerbItsOwnArgumentsAndAnswersItsExitCode) {
  EXPECT_EQ(Reheap({"replay", "a", "b"}).out, "<a><b>");
  EXPECT_EQ(Reheap({"replay"}).exit_code, 7);
  EXPECT_EQ(Reheap({"trace", "check", "--help"}).out, "<--help>");
}

TEST(RunReheapTest, HelpAndVersionAreResults) {
  for (const char* option : {"--help", "-h"}) {
    const Ran ran = Reheap({option});
    EXPECT_EQ(ran.exit_code, kAsExpected);
    EXPECT_EQ(ran.err, "");
    for (const Verb& verb : kVerbs) EXPECT_THAT(ran.out, HasSubstr(std::string("reheap ") + verb.name + " "));
    EXPECT_THAT(ran.out, HasSubstr("0 as expected; 1 ran, expectation not met; 2 usage; 3 unreadable input"));
  }
  EXPECT_EQ(Reheap({"--version"}).out, "reheap 0.1.0\n");
  const Ran group = Reheap({"trace", "--help"});
  EXPECT_EQ(group.exit_code, kAsExpected);
  EXPECT_THAT(group.out, HasSubstr("reheap trace info"));
  EXPECT_THAT(group.out, ::testing::Not(HasSubstr("replay")));
}

TEST(RunReheapTest, WithoutAVerbIsAUsageErrorThatListsThem) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{}, {"trace"}}) {
    const Ran ran = Reheap(arguments);
    EXPECT_EQ(ran.exit_code, kUsage);
    EXPECT_EQ(ran.out, "");
    EXPECT_THAT(ran.err, HasSubstr("reheap trace info"));
  }
}

TEST(RunReheapTest, AnUnknownVerbIsAnsweredWithTheNearestAndTheList) {
  const struct {
    std::vector<std::string> arguments;
    const char* err;
  } cases[] = {
      {{"relpay"},
       "reheap: no verb is called 'relpay'; the nearest is 'replay' (`reheap --help` lists them)\n"},
      {{"trase", "info"},
       "reheap: no verb is called 'trase'; the nearest is 'trace' (`reheap --help` lists them)\n"},
      {{"trace", "chek", "T"},
       "reheap: no verb is called 'trace chek'; the nearest is 'trace check' (`reheap --help` lists them)\n"},
  };
  for (const auto& c : cases) {
    const Ran ran = Reheap(c.arguments);
    EXPECT_EQ(ran.exit_code, kUsage);
    EXPECT_EQ(ran.err, c.err);
    EXPECT_EQ(ran.out, "");
  }
}

TEST(VerbsTest, EachAnswersHelpWithUsageAndExample) {
  for (const Verb& verb : Verbs()) {
    SCOPED_TRACE(verb.name);
    std::ostringstream out, err;
    Terminal terminal{out, err, false, false, "reheap"};
    EXPECT_EQ(verb.run({"--help"}, terminal), kAsExpected);
    EXPECT_EQ(err.str(), "");
    EXPECT_EQ(out.str().find(std::string("usage: reheap ") + verb.name), 0u);
    EXPECT_THAT(out.str(), HasSubstr(std::string("\nexample:\n  reheap ") + verb.name));
    EXPECT_EQ(verb.run({"--no-such-option"}, terminal), kUsage);
    EXPECT_THAT(err.str(), HasSubstr("--no-such-option"));
  }
}

TEST(ShellQuotedTest, IsReadBackByAShell) {
  EXPECT_EQ(ShellQuoted({"reheap", "replay", "web.trace", "--limit=4GiB,unlimited"}),
            "reheap replay web.trace --limit=4GiB,unlimited");
  EXPECT_EQ(ShellQuoted({"a b", "it's", "", "$HOME", "*"}), "'a b' 'it'\\''s' '' '$HOME' '*'");
}

TEST(NearestNameTest, DistanceCountsEditsAndNeighbourSwaps) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("abc", ""), 3u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("replay", "replay"), 0u);
  EXPECT_EQ(EditDistance("relpay", "replay"), 1u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("flaw", "lawn"), 2u);
}

TEST(NearestNameTest, NamesTheFirstOfTheNearest) {
  EXPECT_EQ(NearestName("linux-amd46", {"darwin-amd64-11", "linux-386", "linux-amd64"}), "linux-amd64");
  EXPECT_EQ(NearestName("x", {"b", "a"}), "b");
  EXPECT_EQ(NearestName("x", {}), "");
}

// --- VerbOptions
// ---------------------------------------------------------------------------------------------

VerbOptions Options() {
  VerbOptions options("try", "try T [options]", "Tries.", "reheap try x");
  options.Group("Things");
  options.Value("limit", "S,...", "unlimited", "sizes");
  options.Value("color", "C", "", "a colour");
  options.Flag("quiet", "no noise");
  return options;
}

TEST(VerbOptionsTest, ReadsOperandsAndOptionsInAnyOrder) {
  VerbOptions options = Options();
  ASSERT_TRUE(options.Parse({"--quiet", "web.trace", "--color=red"}, {"T"}).ok());
  EXPECT_EQ(options.operand(0), "web.trace");
  EXPECT_TRUE(options.IsSet("quiet"));
  EXPECT_EQ(options.Get("color"), "red");
  EXPECT_TRUE(options.Given("color"));
  EXPECT_FALSE(options.Given("limit"));
  EXPECT_EQ(options.Get("limit"), "unlimited");
}

TEST(VerbOptionsTest, RefusalsNameTheWord) {
  const struct {
    std::vector<std::string> arguments;
    const char* says;
  } cases[] = {
      {{"T", "--colour", "red"},
       "no option is called '--colour'; the nearest is '--color' (`reheap try --help` lists them)"},
      {{"T", "--col", "red"}, "no option is called '--col'"},
      {{"T", "--color"}, "'--color' is missing"},
      {{"T", "--color", "red", "--color", "blue"}, "'--color' cannot be specified more than once"},
      {{"T", "--quiet=5"}, "'--quiet' does not take any arguments"},
      {{}, "T is missing: reheap try T [options]"},
      {{"T", "U"}, "'U' is one argument too many: reheap try T [options]"},
  };
  for (const auto& c : cases) {
    VerbOptions options = Options();
    const absl::Status status = options.Parse(c.arguments, {"T"});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.says));
  }
}

TEST(VerbOptionsTest, HelpNeedsNoOperand) {
  VerbOptions options = Options();
  ASSERT_TRUE(options.Parse({"--help"}, {"T"}).ok());
  std::ostringstream out, err;
  Terminal terminal{out, err, false, false, "reheap"};
  EXPECT_EQ(options.AnswerHelp(terminal), std::optional<int>(kAsExpected));
  EXPECT_THAT(out.str(), HasSubstr("--limit S,... (=unlimited)"));
}

TEST(VerbOptionsTest, HelpBreaksLongLinesBetweenWordsAndKeepsIndentation) {
  std::string purpose;
  for (int i = 0; i < 50; ++i) purpose += "word ";
  const std::string help = VerbOptions("try", "try", purpose + "\n  kept   apart", "reheap try").Help();
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(help, '\n'))) {
    EXPECT_LE(line.size(), 110u) << line;
  }
  EXPECT_THAT(help, HasSubstr("word word\nword word"));
  EXPECT_THAT(help, HasSubstr("\n  kept   apart\n"));
}

TEST(VerbOptionsTest, ListsOfSizes) {
  VerbOptions options = Options();
  ASSERT_TRUE(options.Parse({"T", "--limit", "4GiB,unlimited,1.5k"}, {"T"}).ok());
  const auto limits = options.LimitList("limit");
  ASSERT_TRUE(limits.ok()) << limits.status();
  EXPECT_THAT(*limits,
              ElementsAre(std::optional<uint64_t>(4294967296), std::nullopt, std::optional<uint64_t>(1536)));
  for (const char* wrong : {"4GiB,", ",", "4GiB,4Gib5", "much"}) {
    VerbOptions other = Options();
    ASSERT_TRUE(other.Parse({"T", "--limit", wrong}, {"T"}).ok());
    const auto none = other.LimitList("limit");
    ASSERT_FALSE(none.ok()) << wrong;
    EXPECT_THAT(std::string(none.status().message()), HasSubstr("--limit"));
  }
}

TEST(VerbOptionsTest, WordsAreCheckedAgainstTheKnownOnes) {
  VerbOptions options = Options();
  ASSERT_TRUE(options.Parse({"T", "--color", "read"}, {"T"}).ok());
  const auto word = options.Word("color", {"green", "red"});
  ASSERT_FALSE(word.ok());
  EXPECT_EQ(word.status().message(), "--color: 'read' is not one of green, red; the nearest is 'red'");
  VerbOptions two = Options();
  ASSERT_TRUE(two.Parse({"T", "--color", "red,green"}, {"T"}).ok());
  EXPECT_TRUE(two.WordList("color", {"green", "red"}).ok());
  EXPECT_FALSE(two.Word("color", {"green", "red"}).ok());
}

}  // namespace
}  // namespace reheap
