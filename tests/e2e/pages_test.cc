// The pages for people, tried: each command in a ```console block is run, and what is printed below it must be printed.
//
// A line "$ COMMAND" is run by bash in a folder of the page's own, with `reheap` on the PATH; the blocks of a page are
// one session, so a later command finds the files of an earlier one. The lines below are what it prints, standard error
// after standard output: "..." stands for any text within a line, and alone on a line for any lines. What a page does
// not show, it need not show: a command with no line below it may print anything. "$ COMMAND   # exit 1" says which
// exit code is expected, 0 when nothing is said. A block "```LANGUAGE FILE" is written to that file first.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"

namespace reheap {
namespace {

using Lines = std::vector<std::string>;

struct Step {
  int line = 0;  // in the page, from 1
  std::string command;
  int exit_code = 0;
  Lines expected;
};

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

Step StepOf(int number, std::string command) {
  Step step;
  step.line = number;
  const size_t remark = command.rfind("# exit ");
  if (remark != std::string::npos) {
    EXPECT_TRUE(absl::SimpleAtoi(command.substr(remark + 7), &step.exit_code)) << command;
    command.resize(remark);
  }
  step.command = std::move(command);
  return step;
}

// A command goes on in the next line when it ends in a backslash.
std::vector<Step> StepsOf(const std::string& page) {
  std::vector<Step> steps;
  bool inside = false, goes_on = false;
  int number = 0;
  for (absl::string_view piece : absl::StrSplit(page, '\n')) {
    const std::string line(piece);
    ++number;
    if (line.starts_with("```")) {
      inside = line == "```console";
    } else if (inside && goes_on) {
      absl::StrAppend(&steps.back().command, "\n", line);
    } else if (inside && line.starts_with("$ ")) {
      steps.push_back(StepOf(number, line.substr(2)));
    } else if (inside && !steps.empty()) {
      steps.back().expected.push_back(line);
    }
    goes_on = inside && line.ends_with("\\");
  }
  return steps;
}

// The files that the page shows: their names stand behind the language of the block.
void WriteFilesOf(const std::string& page, const std::string& folder) {
  std::ofstream file;
  for (absl::string_view line : absl::StrSplit(page, '\n')) {
    if (file.is_open() && absl::StartsWith(line, "```")) {
      file.close();
    } else if (file.is_open()) {
      file << line << "\n";
    } else if (absl::StartsWith(line, "```") && absl::StrContains(line, ' ')) {
      const std::vector<std::string> words = absl::StrSplit(line, ' ');
      file.open(absl::StrCat(folder, "/", words[1]));
    }
  }
}

// Whether `text` is `pattern` with something for each "...".
bool LineMatches(absl::string_view pattern, absl::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(pattern, "...");
  if (!absl::ConsumePrefix(&text, parts.front())) return false;
  for (size_t i = 1; i + 1 < parts.size(); ++i) {
    const size_t at = text.find(parts[i]);
    if (at == absl::string_view::npos) return false;
    text.remove_prefix(at + parts[i].size());
  }
  return parts.size() == 1 ? text.empty() : absl::EndsWith(text, parts.back());
}

bool LinesMatch(const Lines& patterns, size_t p, const Lines& lines, size_t l) {
  if (p == patterns.size()) return l == lines.size();
  if (patterns[p] != "...") {
    return l < lines.size() && LineMatches(patterns[p], lines[l]) && LinesMatch(patterns, p + 1, lines, l + 1);
  }
  for (size_t rest = l; rest <= lines.size(); ++rest) {
    if (LinesMatch(patterns, p + 1, lines, rest)) return true;
  }
  return false;
}

Lines LinesOf(absl::string_view text) {
  absl::ConsumeSuffix(&text, "\n");
  if (text.empty()) return {};
  Lines lines = absl::StrSplit(text, '\n');
  for (std::string& line : lines) absl::StripTrailingAsciiWhitespace(&line);
  return lines;
}

class PagesTest : public ::testing::TestWithParam<const char*> {};

TEST_P(PagesTest, EachCommandDoesWhatThePageSays) {
  const std::string page = ReadAll(GetParam());
  ASSERT_FALSE(page.empty()) << GetParam();
  const std::string folder = absl::StrCat(testing::TempDir(), "/", absl::StrReplaceAll(GetParam(), {{"/", "_"}}));
  std::filesystem::create_directories(folder);
  WriteFilesOf(page, folder);
  const std::string tools = std::filesystem::absolute("tools").string();
  const std::string strategies = std::filesystem::absolute("sim/strategies").string();
  const std::vector<Step> steps = StepsOf(page);
  ASSERT_FALSE(steps.empty()) << GetParam() << " has no console block";
  for (const Step& step : steps) {
    const std::string where = absl::StrCat(GetParam(), ":", step.line, ": ", step.command);
    std::ofstream(folder + "/.command") << step.command << "\n";
    const int status = system(absl::StrCat("cd '", folder, "' && PATH='", tools, "':\"$PATH\" STRATEGIES='", strategies, "' bash .command >.out 2>.err </dev/null").c_str());
    const std::string err = ReadAll(folder + "/.err");
    ASSERT_TRUE(WIFEXITED(status)) << where;
    ASSERT_EQ(WEXITSTATUS(status), step.exit_code) << where << "\n" << err;
    const Lines printed = LinesOf(ReadAll(folder + "/.out") + err);
    if (step.expected.empty()) continue;
    EXPECT_TRUE(LinesMatch(step.expected, 0, printed, 0))
        << where << "\nthe page says:\n" << absl::StrJoin(step.expected, "\n")
        << "\nit printed:\n" << absl::StrJoin(printed, "\n");
  }
}

INSTANTIATE_TEST_SUITE_P(Pages, PagesTest,
                         ::testing::Values("traces/recorder/PRODUCTION.md", "sim/os/platforms/README.md",
                                           "tools/ci/README.md", "sim/report/READING.md", "sim/studies/README.md",
                                           "sim/strategies/README.md"),
                         [](const auto& page) {
                           std::string name = page.param;
                           for (char& c : name) c = isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

TEST(PagesTestItself, TheDotsStandForAnythingAndNothingElseDoes) {
  EXPECT_TRUE(LineMatches("a ... c", "a b c"));
  EXPECT_TRUE(LineMatches("...c", "c"));
  EXPECT_FALSE(LineMatches("a ... c", "a b d"));
  EXPECT_FALSE(LineMatches("a", "ab"));
  EXPECT_TRUE(LinesMatch({"a", "...", "d"}, 0, {"a", "b", "c", "d"}, 0));
  EXPECT_TRUE(LinesMatch({"..."}, 0, {}, 0));
  EXPECT_FALSE(LinesMatch({"a", "..."}, 0, {"b"}, 0));
  EXPECT_FALSE(LinesMatch({"a"}, 0, {"a", "b"}, 0));
  const std::vector<Step> steps = StepsOf("x\n```console\n$ one \\\n  two\nout\n$ three   # exit 2\n```\n$ four\n");
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps[0].command, "one \\\n  two");
  EXPECT_EQ(steps[0].expected, Lines({"out"}));
  EXPECT_EQ(steps[1].exit_code, 2);
}

}  // namespace
}  // namespace reheap
