#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tools/run_command_for_tests.h"

namespace reheap {
namespace {

using ::testing::HasSubstr;

TEST(RecordCommandTest, LeavesATraceThatKeepsTheRules) {
  const std::string path = TempPath("echo.trace");
  const Ran ran = Reheap({"record", "--output", path, "--", "sh", "-c", "echo --quiet > /dev/null"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "");  // stdout is the program's
  EXPECT_THAT(ran.err, HasSubstr(path + ": "));
  EXPECT_THAT(ran.err, HasSubstr(" events, 0 dropped ("));
  EXPECT_EQ(Reheap({"trace", "check", path}).exit_code, kAsExpected);
  EXPECT_THAT(Reheap({"trace", "info", path}).out, HasSubstr("sh -c echo --quiet > /dev/null\n"));
}

TEST(RecordCommandTest, EndsAsTheProgramEnds) {
  const struct {
    const char* script;
    int exit_code;
  } cases[] = {{"exit 0", 0}, {"exit 5", 5}, {"exit 255", 255}, {"kill -9 $$", 137}, {"kill -TERM $$", 143}};
  for (const auto& c : cases) {
    const Ran ran = Reheap({"record", "--output", TempPath("exit.trace"), "--", "sh", "-c", c.script});
    EXPECT_EQ(ran.exit_code, c.exit_code) << c.script << "\n" << ran.err;
    EXPECT_EQ(Reheap({"trace", "check", TempPath("exit.trace")}).exit_code, kAsExpected) << c.script;
  }
}

TEST(RecordCommandTest, QuietSaysNothing) {
  const Ran ran = Reheap({"record", "--quiet", "--output", TempPath("quiet.trace"), "--", "true"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(ran.err, "");
}

TEST(RecordCommandTest, AProgramThatCannotBeStartedIsAnsweredAsAShellDoes) {
  EXPECT_EQ(Reheap({"record", "--output", TempPath("x"), "--", "/no/such/program"}).exit_code, 127);
  const std::string text = TempPath("not_a_program");
  std::ofstream(text) << "nothing to run\n";
  const Ran ran = Reheap({"record", "--output", TempPath("x"), "--", text});
  EXPECT_EQ(ran.exit_code, 126);
  EXPECT_THAT(ran.err, HasSubstr(text));
  EXPECT_FALSE(std::filesystem::exists(TempPath("x")));
}

TEST(RecordCommandTest, WordsThatDoNotFitAreUsageErrors) {
  const struct {
    std::vector<std::string> arguments;
    const char* says;
  } cases[] = {
      {{"record"}, "-- PROG ARGS... is missing"},
      {{"record", "--"}, "-- PROG ARGS... is missing"},
      {{"record", "ls"}, "'ls' is one argument too many: reheap record [options] -- PROG ARGS..."},
      {{"record", "--output"}, "'--output' is missing"},
      {{"record", "--compression", "20", "--", "true"}, "--compression: 20 is not from 1 to 19"},
      {{"record", "--pool", "big", "--", "true"}, "--pool: 'big' is not a size"},
      {{"record", "--linger", "1s", "--", "true"}, "--linger: '1s' is not a whole number"},
      {{"record", "--linger", "99999999999", "--", "true"}, "--linger: more than a day"},
  };
  for (const auto& c : cases) {
    const Ran ran = Reheap(c.arguments);
    EXPECT_EQ(ran.exit_code, kUsage) << ShellQuoted(c.arguments);
    EXPECT_THAT(ran.err, HasSubstr(c.says));
  }
}

TEST(TraceCollectCommandTest, AFolderThatIsNotThereIsNamed) {
  const Ran ran = Reheap({"trace", "collect", TempPath("no_such_folder"), TempPath("collected.trace")});
  EXPECT_EQ(ran.exit_code, kUnreadableInput);
  EXPECT_THAT(ran.err, HasSubstr(TempPath("no_such_folder")));
}

}  // namespace
}  // namespace reheap
