// reheap os: every option reaches the model, every contradiction is named, each exit code occurs, and no
// input breaks the conversation.
#include "tools/cmd_os.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "tools/line_reader.h"
#include "tools/run_command_for_tests.h"

namespace reheap {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// What a terminal's read_input delivers of `text`: at most `piece` bytes at once.
std::function<size_t(char*, size_t)> Input(std::string text, size_t piece = 1 << 20) {
  return [text = std::move(text), piece, at = size_t{0}](char* to, size_t bytes) mutable {
    const size_t size = std::min({bytes, piece, text.size() - at});
    std::memcpy(to, text.data() + at, size);
    at += size;
    return size;
  };
}

Ran Os(std::vector<std::string> arguments, const std::string& input, bool interactive = false) {
  std::ostringstream out, err;
  Terminal terminal{out, err, interactive, interactive, "reheap os", Input(input), interactive};
  const int exit_code = OsCommand(arguments, terminal);
  return {exit_code, out.str(), err.str()};
}

Ran Linux(std::vector<std::string> options, const std::string& input) {
  options.insert(options.begin(), {"--platform", "linux-amd64"});
  return Os(options, input);
}

// "R <result> <errno>" of each answer.
std::vector<std::string> Results(const Ran& ran) {
  std::vector<std::string> results;
  std::istringstream lines(ran.out);
  for (std::string line; std::getline(lines, line);) results.push_back(line.substr(0, line.find(" ; ")));
  return results;
}

std::string WrittenFile(const std::string& name, const std::string& text) {
  const std::string path = TempPath(name);
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

using Strings = std::vector<std::string>;

TEST(OsCommandTest, AnswersLineByLineAndEndsAtQuit) {
  const Ran ran = Linux({}, "mmap 0 4096 3 0x22\nmunmap 0x7ffff7ff6000 4096\nquit\nmmap 0 1 1 0x22\n");
  EXPECT_EQ(ran.exit_code, kAsExpected);
  EXPECT_EQ(Results(ran), (Strings{"R 7ffff7ff6000 0", "R 0 0"}));
  EXPECT_EQ(ran.err, "");
}

TEST(OsCommandTest, WhatIsNotUnderstoodIsAnsweredAndEndsInExitCodeOne) {
  const Ran ran = Linux({}, "mmapp\nmmap 0 4096 3 0x22");
  EXPECT_EQ(ran.exit_code, kExpectationNotMet);
  EXPECT_EQ(Results(ran), (Strings{"E expected a command such as mmap, found 'mmapp'; help lists them (line 1)",
                                   "R 7ffff7ff6000 0"}));
  // At a terminal a slip is no failure.
  const Ran typed = Os({"--platform", "linux-amd64"}, "mmapp\n", true);
  EXPECT_EQ(typed.exit_code, kAsExpected);
  EXPECT_THAT(typed.out, StartsWith("linux-amd64> E expected"));
  EXPECT_THAT(typed.out, ::testing::EndsWith("linux-amd64> "));
}

TEST(OsCommandTest, LimitsReachTheModel) {
  const std::string big = "mmap 0 0x440000000 0 0x22\n", data = "mmap 0 0x200000 3 0x22\n";
  const std::string refused = "R ffffffffffffffff 12";
  EXPECT_EQ(Results(Linux({"--limit", "as=4GiB"}, big)), Strings{refused});
  EXPECT_EQ(Results(Linux({"--limit", "as=0x500000000"}, big)), Strings{"R 7ffbb7e00000 0"});
  EXPECT_EQ(Results(Linux({"--limit", "as=unlimited,data=1MiB"}, big + data)),
            (Strings{"R 7ffbb7e00000 0", refused}));
  EXPECT_EQ(Results(Linux({"--limit", "stack=1MiB"}, "touch 0x7fffffe00000 1 1 w\n")),
            Strings{"R ffffffffffffffff 1001"});
  EXPECT_EQ(Results(Linux({"--stack-limit", "4MiB"}, "touch 0x7fffffe00000 1 1 w\n")), Strings{"R 0 0"});
  // A large stack leaves room below: the search begins lower.
  EXPECT_EQ(Results(Linux({"--stack-limit", "1GiB"}, "mmap 0 4096 3 0x22\n")), Strings{"R 7fffbfef6000 0"});
}

TEST(OsCommandTest, KernelSettingsReachTheModel) {
  const std::string refused = "R ffffffffffffffff 12";
  EXPECT_EQ(Results(Linux({}, "mmap 0x1000 4096 3 0x22\n")), Strings{"R 10000 0"});
  EXPECT_EQ(Results(Linux({"--hint-floor", "0x1000"}, "mmap 0x1000 4096 3 0x22\n")), Strings{"R 1000 0"});
  EXPECT_EQ(Results(Linux({"--ram", "1GiB"}, "mmap 0 0x50000000 3 0x22\n")), Strings{refused});
  EXPECT_EQ(Results(Linux({"--ram", "1GiB", "--swap", "1GiB"}, "mmap 0 0x50000001 3 0x22\n")),
            Strings{"R 7fffa7ff6000 0"});
  for (const char* always : {"1", "always"}) {
    EXPECT_EQ(Results(Linux({"--ram", "1GiB", "--overcommit", always}, "mmap 0 0x50000001 3 0x22\n")),
              Strings{"R 7fffa7ff6000 0"});
  }
  const std::string half = "mmap 0 0x30000001 3 0x22\n";  // 768 MiB and a page of 1 GiB
  EXPECT_EQ(Results(Linux({"--ram", "1GiB"}, half)), Strings{"R 7fffc7ff6000 0"});
  for (const char* never : {"2", "never"}) {
    EXPECT_EQ(Results(Linux({"--ram", "1GiB", "--overcommit", never}, half)), Strings{refused});
  }
  EXPECT_EQ(Results(Linux({"--ram", "1GiB", "--overcommit", "never", "--overcommit-ratio", "90"}, half)),
            Strings{"R 7fffc7ff6000 0"});
  EXPECT_EQ(Results(Linux({"--max-map-count", "7"}, "mmap 0 4096 3 0x22\nmmap 0 4096 1 0x22\n")),
            (Strings{"R 7ffff7ff6000 0", refused}));
}

TEST(OsCommandTest, StartsFromASavedMapsFile) {
  const std::string path = WrittenFile("good.maps",
                                       "00400000-00500000 r-xp 00000000 fe:00 1    /bin/x\n"
                                       "00500000-00501000 rw-p 00100000 fe:00 1    /bin/x\n"
                                       "00501000-00502000 rw-p 00000000 00:00 0\n"
                                       "00600000-00610000 rw-p 00000000 00:00 0    [heap]\n"
                                       "7ffff7ffd000-7ffff7fff000 r-xp 00000000 00:00 0    [vdso]\n"
                                       "7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0    [stack]\n");
  const Ran ran = Linux({"--maps", path}, "brk 0\nmmap 0 4096 3 0x22\nbrk 0x60f001\n");
  EXPECT_EQ(Results(ran), (Strings{"R 610000 0", "R 7ffff7ffc000 0", "R 60f001 0"})) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("M 400000-500000 r-xp /bin/x,500000-501000 rw-p /bin/x,501000-502000 rw-p,"
                                 "600000-610000 rw-p [heap],7ffff7ffd000-"));
}

TEST(OsCommandTest, FilesThatAreNoMapsAreExitCodeThreeWithFileAndLine) {
  const struct {
    const char* name;
    const char* text;
    const char* error;
  } cases[] = {
      {"empty.maps", "", "empty.maps:1: expected a mapping, found the end"},
      {"text.maps", "00400000-00401000 r-xp 00000000 fe:00 1 x\nhello\n",
       "text.maps:2: expected start-end in hexadecimal, found \"hello\""},
      {"overlap.maps", "00400000-00402000 r-xp 00000000 fe:00 1 x\n00401000-00403000 rw-p 00000000 00:00 0\n",
       "overlap.maps:2: expected addresses in rising order"},
      {"high.maps", "00400000-00402000 r-xp 00000000 fe:00 1 x\n\n8000000000000-8000000001000 rw-p 00000000 00:00 0\n",
       "high.maps:3: expected addresses below 0x7ffffffff000 on linux-amd64"},
  };
  for (const auto& c : cases) {
    const Ran ran = Linux({"--maps", WrittenFile(c.name, c.text)}, "");
    EXPECT_EQ(ran.exit_code, kUnreadableInput) << c.name;
    EXPECT_THAT(ran.err, HasSubstr(c.error));
    EXPECT_EQ(ran.out, "");
  }
  EXPECT_EQ(Linux({"--maps", "/nonexistent.maps"}, "").exit_code, kUnreadableInput);
  EXPECT_EQ(Linux({"--maps", "/"}, "").exit_code, kUnreadableInput);
}

TEST(OsCommandTest, WrongWordsAndContradictionsAreUsageErrorsThatNameTheNearest) {
  const struct {
    Strings arguments;
    const char* error;
  } cases[] = {
      {{}, "--platform is missing: one of "},
      {{"--platform", "linux-amd46"}, "the nearest is 'linux-amd64'"},
      {{"--platform", "linux-amd64", "--limt", "as=1"}, "--limit"},
      {{"--platform", "linux-amd64", "--limit", "ass=1"}, "the nearest is 'as'"},
      {{"--platform", "linux-amd64", "--limit", "as"}, "--limit: "},
      {{"--platform", "linux-amd64", "--limit", "as=4Gob"}, "--limit: "},
      {{"--platform", "linux-amd64", "--limit", "as=1,,data=1"}, "--limit"},
      {{"--platform", "linux-amd64", "--limit", "stack=1MiB", "--stack-limit", "1MiB"},
       "--stack-limit contradicts --limit"},
      {{"--platform", "linux-amd64", "--overcommit", "allways"}, "the nearest is 'always'"},
      {{"--platform", "linux-amd64", "--overcommit-ratio", "50"},
       "--overcommit-ratio contradicts --overcommit"},
      {{"--platform", "linux-amd64", "--ram", "unlimited"}, "--ram: 'unlimited' is not a size here"},
      {{"--platform", "linux-amd64", "--max-map-count", "-1"}, "--max-map-count"},
      {{"--platform", "linux-amd64", "more"}, "'more' is one argument too many"},
  };
  for (const auto& c : cases) {
    const Ran ran = Os(c.arguments, "mmap 0 1 1 0x22\n");
    EXPECT_EQ(ran.exit_code, kUsage) << ::testing::PrintToString(c.arguments);
    EXPECT_THAT(ran.err, HasSubstr(c.error)) << ::testing::PrintToString(c.arguments);
    EXPECT_EQ(ran.out, "");
  }
}

TEST(OsCommandTest, HelpNamesEveryCommandAndTheUnits) {
  const Ran ran = Os({"--help"}, "");
  EXPECT_EQ(ran.exit_code, kAsExpected);
  for (const char* word : {"mmap ADDR LEN PROT FLAGS", "virtualalloc", "VmData + VmStk", "[vsyscall]", "1001",
                           "example:", "OS pages"}) {
    EXPECT_THAT(ran.out, HasSubstr(word));
  }
}

TEST(OsCommandTest, TenMegabytesWithoutAnEndAreOneAnswer) {
  const std::string nuls(10 << 20, '\0');
  for (const std::string& input : {nuls, nuls + "\n", std::string(10 << 20, ' ')}) {
    const Ran ran = Linux({}, input);
    EXPECT_EQ(ran.exit_code, kExpectationNotMet);
    EXPECT_EQ(ran.out, "E expected at most 4096 bytes a line (line 1)\n");
  }
  EXPECT_EQ(Results(Linux({}, nuls + "\nbrk 0\n")),
            (Strings{"E expected at most 4096 bytes a line (line 1)", "R 42b000 0"}));
}

TEST(OsCommandTest, WithoutInputThereIsNothingToAnswer) {
  std::ostringstream out, err;
  Terminal terminal{out, err, false, false, "reheap os"};
  EXPECT_EQ(OsCommand({"--platform", "linux-amd64"}, terminal), kAsExpected);
  EXPECT_EQ(out.str(), "");
}

TEST(LineReaderTest, LinesAreTheSameHoweverTheInputIsCut) {
  const std::string text = "one\n\ntwo\r\n" + std::string(9, 'x') + "\n" + std::string(10, 'y') + "\nlast";
  for (size_t piece = 1; piece < text.size() + 1; ++piece) {
    LineReader reader(Input(text, piece), 9);
    Strings lines;
    std::string_view line;
    for (LineReader::Got got; (got = reader.Next(&line)) != LineReader::Got::kEnd;) {
      lines.push_back(got == LineReader::Got::kTooLong ? "too long" : std::string(line));
    }
    EXPECT_EQ(lines, (Strings{"one", "", "two\r", "xxxxxxxxx", "too long", "last"})) << piece;
    EXPECT_EQ(reader.Next(&line), LineReader::Got::kEnd);
  }
}

TEST(LineReaderTest, SaysWhetherTheNextLineIsThere) {
  LineReader reader(Input("a\nb\nc", 4), 9);
  std::string_view line;
  EXPECT_FALSE(reader.HasLine());
  reader.Next(&line);
  EXPECT_TRUE(reader.HasLine());
  reader.Next(&line);
  EXPECT_FALSE(reader.HasLine());
  reader.Next(&line);
  EXPECT_EQ(line, "c");
  EXPECT_TRUE(reader.HasLine()) << "the end is there without waiting";
}

// The example of sim/os/platforms/README.md: the file between the first fences, and the answers printed below it.
TEST(CmdOsTest, AUsersOwnPlatformFileAnswersAsItsReadmeSays) {
  std::ifstream in("sim/os/platforms/README.md");
  const std::string readme(std::istreambuf_iterator<char>(in), {});
  const std::string fence = "```textproto hardened.textproto\n";
  const size_t begin = readme.find(fence) + fence.size();
  ASSERT_NE(readme.find(fence), std::string::npos);
  const std::string example = readme.substr(begin, readme.find("```", begin) - begin);
  const std::string path = WrittenFile("hardened.textproto", example);

  const Ran ran = Os({"--platform", path}, "mmap 0x2000 4096 3 0x22\n");
  EXPECT_EQ(ran.exit_code, kAsExpected) << ran.err;
  const std::string printed = readme.substr(readme.find("R 100000 0 ;"));
  const std::string expected = printed.substr(0, printed.find("..."));
  ASSERT_GT(expected.size(), 60u);
  EXPECT_THAT(ran.out, StartsWith(expected));

  const Ran shown = Reheap({"platform", "show", path});
  EXPECT_EQ(shown.exit_code, kAsExpected) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("linux-amd64-hardened: our servers"));
  EXPECT_THAT(shown.out, HasSubstr("  hint_floor                   0x100000\n"));
  EXPECT_THAT(shown.out, HasSubstr("file " + path + "\n"));
  EXPECT_THAT(shown.out, HasSubstr("as linux-amd64"));
}

TEST(CmdOsTest, ABadPlatformFileIsUnreadableAndABadNameIsUsage) {
  const std::string no_source = WrittenFile("no_source.textproto",
                                            "name: \"x\"\nsummary: \"x\"\nbased_on: \"linux-amd64\"\n"
                                            "basis { value: FROM_SOURCE_NOT_MEASURED source: \"x\" }\n"
                                            "placement { hint_floor { value: 4096 } }\n");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"os", "--platform", no_source}, {"platform", "show", no_source}}) {
    const Ran ran = Reheap(words);
    EXPECT_EQ(ran.exit_code, kUnreadableInput) << words[0];
    EXPECT_THAT(ran.err, HasSubstr(no_source + ":5: placement.hint_floor has no source"));
  }
  const Ran twice = Reheap({"platform", "show", WrittenFile("taken.textproto", "name: \"linux-amd64\"\n")});
  EXPECT_EQ(twice.exit_code, kUnreadableInput);
  EXPECT_THAT(twice.err, HasSubstr("taken.textproto:1: "));
  EXPECT_EQ(Reheap({"platform", "show", "./nowhere.textproto"}).exit_code, kUnreadableInput);
  EXPECT_EQ(Reheap({"platform", "show", "/dev/zero"}).exit_code, kUnreadableInput);
  EXPECT_EQ(Reheap({"platform", "show", "/"}).exit_code, kUnreadableInput);
  const Ran misspelt = Reheap({"platform", "show", "linux-amd46"});
  EXPECT_EQ(misspelt.exit_code, kUsage);
  EXPECT_THAT(misspelt.err, HasSubstr("linux-amd64"));
}

}  // namespace
}  // namespace reheap
