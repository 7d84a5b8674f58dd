// LineShell: the words of the contract, one line in and one answer out, and that no line breaks it.
#include "sim/os/line_shell.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

#include "sim/os/maps_text.h"
#include "sim/os/platform_catalog.h"

namespace reheap {
namespace {

const std::string kImage =
    "400000-425000 r-xp program,425000-427000 rw-p program,427000-42b000 rw-p,";
const std::string kTop =
    "7ffff7ff7000-7ffff7ffb000 r--p [vvar],7ffff7ffb000-7ffff7ffd000 r--p [vvar_vclock],"
    "7ffff7ffd000-7ffff7fff000 r-xp [vdso],7ffffffde000-7ffffffff000 rw-p [stack]\n";

VirtualProcess On(const char* platform, const std::string& maps = "") {
  VirtualProcess process;
  process.platform = Platforms().Find(platform);
  REHEAP_CHECK(process.platform != nullptr);
  if (!maps.empty()) process.image = *ParseMaps(maps, "maps");
  return process;
}

// The first of all: answers by how far they are from what was typed, which is all that a test needs.
std::string SameLength(std::string_view word, const std::vector<std::string>& known) {
  for (const std::string& name : known) {
    if (name.size() == word.size()) return name;
  }
  return known.front();
}

class LineShellTest : public testing::Test {
 protected:
  std::string Ask(std::string_view line) { return shell_.Execute(line); }
  // What follows "R " up to " ; S".
  std::string Result(std::string_view line) {
    const std::string answer = Ask(line);
    EXPECT_TRUE(answer.starts_with("R ")) << answer;
    return answer.substr(2, answer.find(" ; S ") - 2);
  }
  std::string Sizes(std::string_view line) {
    const std::string answer = Ask(line);
    const size_t begin = answer.find(" ; S ") + 5;
    return answer.substr(begin, answer.find(" ; M ") - begin);
  }

  VirtualOs os_{On("linux-amd64")};
  LineShell shell_{&os_, SameLength};
};

TEST_F(LineShellTest, AnOperationIsOneLineOfResultSizesAndLayout) {
  EXPECT_EQ(Ask("mmap 0 0x100000 3 0x22"),
            "R 7ffff7ef7000 0 ; S 340 0 295 ; M " + kImage + "7ffff7ef7000-7ffff7ff7000 rw-p," + kTop);
  EXPECT_EQ(Ask("touch 0x7ffff7ef7000 3 4096 w"),
            "R 0 0 ; S 340 3 295 ; M " + kImage + "7ffff7ef7000-7ffff7ff7000 rw-p," + kTop);
  EXPECT_EQ(Ask("mprotect 0x7ffff7ef7000 4096 0"),
            "R 0 0 ; S 340 3 294 ; M " + kImage +
                "7ffff7ef7000-7ffff7ef8000 ---p,7ffff7ef8000-7ffff7ff7000 rw-p," + kTop);
  EXPECT_EQ(Ask("madvise 0x7ffff7ef8000 8192 4"),
            "R 0 0 ; S 340 1 294 ; M " + kImage +
                "7ffff7ef7000-7ffff7ef8000 ---p,7ffff7ef8000-7ffff7ff7000 rw-p," + kTop);
  EXPECT_EQ(Ask("munmap 0x7ffff7ef7000 0x100000"), "R 0 0 ; S 84 0 39 ; M " + kImage + kTop);
}

TEST_F(LineShellTest, AFailureIsAllOnesAndTheErrno) {
  EXPECT_EQ(Result("munmap 1 4096"), "ffffffffffffffff 22");
  EXPECT_EQ(Result("mprotect 0x10000000 4096 1"), "ffffffffffffffff 12");
  EXPECT_EQ(Result("mmap 0 0 3 0x22"), "ffffffffffffffff 22");
  EXPECT_EQ(Result("mmap 0x400000 4096 3 0x100022"), "ffffffffffffffff 17");
  EXPECT_EQ(shell_.faults(), 0u);
}

TEST_F(LineShellTest, BrkAnswersTheBreakMovedOrNot) {
  EXPECT_EQ(Result("brk 0"), "42b000 0");
  EXPECT_EQ(Ask("brk 0x42c800"), "R 42c800 0 ; S 86 0 41 ; M 400000-425000 r-xp program,425000-427000 rw-p "
                                 "program,427000-42b000 rw-p,42b000-42d000 rw-p [heap]," + kTop);
  EXPECT_EQ(Result("brk 0x42a000"), "42c800 0");
  EXPECT_EQ(Result("brk -1"), "42c800 0");
  EXPECT_EQ(Result("brk 0x42b000"), "42b000 0");
}

TEST_F(LineShellTest, TouchStopsAtTheFirstForbiddenAccess) {
  Ask("mmap 0x100000000 0x4000 3 0x32");
  Ask("mmap 0x100002000 0x1000 0 0x32");
  EXPECT_EQ(Ask("touch 0x100000000 4 0x1000 w").substr(0, 36), "R ffffffffffffffff 1001 ; S 88 2 42 ");
  // Reading makes nothing resident; a stride of nothing and many steps in one page are one access.
  EXPECT_EQ(Result("touch 0x100003000 1000000000000 0 r"), "0 0");
  EXPECT_EQ(Sizes("touch 0x100003001 4095 1 w"), "88 3 42");
  EXPECT_EQ(Result("touch 0x100003001 4096 1 w"), "ffffffffffffffff 1001");
  // Downwards; no access at all is allowed anywhere.
  EXPECT_EQ(Result("touch 0x100001fff 2 -4096 w"), "0 0");
  EXPECT_EQ(Result("touch 0 0 0 w"), "0 0");
  EXPECT_EQ(Result("touch 0 1 0 r"), "ffffffffffffffff 1001");
}

TEST_F(LineShellTest, OneTouchIsBoundedAndSaysWhereItStopped) {
  Ask("mmap 0x100000000 0x100000000000 1 0x4032");
  EXPECT_EQ(Ask("touch 0x100000000 -1 4096 r"),
            "E expected a touch of at most 8388608 OS pages, and have touched these; go on from 0x900000000 "
            "(line 2)\n");
  EXPECT_EQ(shell_.faults(), 1u);
}

TEST_F(LineShellTest, LimitsAreSetAndTakenAway) {
  EXPECT_EQ(Result("rlimit as 4294967296"), "0 0");
  EXPECT_EQ(Result("mmap 0 0x440000000 0 0x22"), "ffffffffffffffff 12");
  EXPECT_EQ(Result("rlimit as -1"), "0 0");
  EXPECT_EQ(Result("mmap 0 0x440000000 0 0x22"), "7ffbb7e00000 0");
  EXPECT_EQ(Result("rlimit data 0"), "0 0");
  EXPECT_EQ(Result("mmap 0 4096 3 0x22"), "ffffffffffffffff 12");
  EXPECT_EQ(Result("rlimit data 0xffffffffffffffff"), "0 0");
  // Below the stack: within the default 8 MiB, then beyond, then unlimited.
  EXPECT_EQ(Result("touch 0x7fffff900000 1 1 w"), "0 0");
  EXPECT_EQ(Result("touch 0x7fffff700000 1 1 w"), "ffffffffffffffff 1001");
  EXPECT_EQ(Result("rlimit stack -1"), "0 0");
  EXPECT_EQ(Result("touch 0x7fffff700000 1 1 w"), "0 0");
}

TEST_F(LineShellTest, MapsAndStatusAreClosedByEnd) {
  const std::string maps = Ask("maps");
  EXPECT_EQ(maps, os_.MapsText() + "END\n");
  EXPECT_TRUE(maps.starts_with("00400000-00425000 r-xp 00000000 00:00 1                                  "
                               "program\n"))
      << maps;
  const std::string status = Ask("status");
  EXPECT_NE(status.find("VmSize: 336 kB\n"), std::string::npos) << status;
  EXPECT_NE(status.find("VmStk: 132 kB\n"), std::string::npos) << status;
  EXPECT_TRUE(status.ends_with("\nEND\n")) << status;
}

TEST_F(LineShellTest, BlankLinesAndCommentsHaveNoAnswerAndQuitEnds) {
  for (const char* line : {"", "   \t ", "# mmap 1 2 3 4", "  #", "\r"}) EXPECT_EQ(Ask(line), "") << line;
  EXPECT_FALSE(shell_.quit());
  EXPECT_EQ(Ask(" quit "), "");
  EXPECT_TRUE(shell_.quit());
  EXPECT_EQ(shell_.lines(), 6u);
}

TEST_F(LineShellTest, WhatIsNotUnderstoodSaysWhatWasExpectedAndChangesNothing) {
  const std::string before = os_.MapsText();
  const struct {
    std::string line;
    const char* answer;
  } cases[] = {
      {"mnap 0 1 2 3", "E expected a command such as mmap, found 'mnap'; help lists them (line 1)\n"},
      {"munmap 0", "E expected munmap ADDR LEN: LEN is missing (line 2)\n"},
      {"munmap 0 1 2", "E expected munmap ADDR LEN: nothing more, found '2' (line 3)\n"},
      {"munmap 0 0x", "E expected munmap ADDR LEN: LEN is a number of 64 bits such as 4096, 0x1000 or -1, "
                      "found '0x' (line 4)\n"},
      {"munmap 0 18446744073709551616",
       "E expected munmap ADDR LEN: LEN is a number of 64 bits such as 4096, 0x1000 or -1, found "
       "'18446744073709551616' (line 5)\n"},
      {"touch 0 1 1 x", "E expected touch ADDR COUNT STRIDE r|w: one of r|w, found 'x' (line 6)\n"},
      {"virtualfree 0 0 0x8000",
       "E expected a call of linux-amd64, found 'virtualfree', which it does not have; help lists them (line "
       "7)\n"},
      {std::string("mm\0ap\xff", 6),
       "E expected a command such as munmap, found 'mm?ap?'; help lists them (line 8)\n"},
      {std::string(kLongestShellLine + 1, ' '), "E expected at most 4096 bytes a line (line 9)\n"},
      {std::string(100, 'x'), "E expected a command such as mmap, found "
                              "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'; help lists them (line 10)\n"},
  };
  for (const auto& c : cases) EXPECT_EQ(Ask(c.line), c.answer);
  EXPECT_EQ(shell_.faults(), std::size(cases));
  EXPECT_EQ(os_.MapsText(), before);
}

TEST(ShellNumberTest, DecimalHexadecimalNegativeNeverOctal) {
  const struct {
    const char* word;
    uint64_t number;
  } good[] = {{"0", 0},
              {"010", 10},
              {"0x10", 16},
              {"0XfF", 255},
              {"-1", ~uint64_t{0}},
              {"-9223372036854775808", uint64_t{1} << 63},
              {"18446744073709551615", ~uint64_t{0}},
              {"0xffffffffffffffff", ~uint64_t{0}}};
  for (const auto& g : good) {
    uint64_t number = 99;
    EXPECT_TRUE(ParseShellNumber(g.word, &number)) << g.word;
    EXPECT_EQ(number, g.number) << g.word;
  }
  for (const char* word : {"", "-", "--1", "+1", "0x", "-0x1", "1k", "0x1g", "1 ", "18446744073709551616",
                           "-9223372036854775809", "0x10000000000000000", "1e3", "x"}) {
    uint64_t number = 0;
    EXPECT_FALSE(ParseShellNumber(word, &number)) << word;
  }
}

TEST(LineShellWordTest, ThirtyTwoBitProcessesHaveThirtyTwoBitAnswers) {
  VirtualOs os(On("linux-386"));
  LineShell shell(&os, SameLength);
  EXPECT_TRUE(shell.Execute("mmap 0 0 3 0x22").starts_with("R ffffffff 22 ; S "));
  EXPECT_TRUE(shell.Execute("mmap -1 -1 3 0x22").starts_with("R ffffffff 12 ; S "));
  // A register has 32 bits: the rest of a number is not there.
  EXPECT_TRUE(shell.Execute("mmap 0x140000000 0x100001000 3 0x32").starts_with("R 40000000 0 ; S "));
  EXPECT_TRUE(shell.Execute("touch 0x40000000 -1 0x80000000 r").starts_with("R ffffffff 1001 ; S "));
}

TEST(LineShellWordTest, WindowsHasItsOwnCalls) {
  VirtualOs os(On("windows-amd64"));
  LineShell shell(&os, SameLength);
  EXPECT_TRUE(shell.Execute("virtualalloc 0x20000000 0x10000 0x3000 4").starts_with("R 20000000 0 ; S "));
  EXPECT_TRUE(shell.Execute("touch 0x20000000 1 1 w").starts_with("R 0 0 ; S "));
  EXPECT_TRUE(shell.Execute("virtualfree 0x20001000 0 0x8000").starts_with("R ffffffffffffffff 487 ; S "));
  EXPECT_TRUE(shell.Execute("virtualfree 0x20000000 0 0x8000").starts_with("R 0 0 ; S "));
  EXPECT_TRUE(shell.Execute("mmap 0 1 2 3").starts_with("E expected a call of windows-amd64, found 'mmap'"));
}

TEST(LineShellWordTest, OneMemoryOnlyGrows) {
  VirtualOs os(On("wasm32"));
  LineShell shell(&os, SameLength);
  EXPECT_TRUE(shell.Execute("memorygrow 1").starts_with("R 60000 0 ; S "));
  EXPECT_TRUE(shell.Execute("memorygrow 0").starts_with("R 70000 0 ; S "));
  EXPECT_TRUE(shell.Execute("touch 0x6ffff 1 1 w").starts_with("R 0 0 ; S "));
  EXPECT_TRUE(shell.Execute("memorygrow 0x100000000").starts_with("R ffffffff 48 ; S "));
  EXPECT_TRUE(shell.Execute("mmap 0 1 2 3").starts_with("E expected a call of wasm32, found 'mmap'"));
  EXPECT_TRUE(shell.Execute("virtualfree 0 0 0x8000").starts_with("E expected a call of wasm32"));
}

TEST(LineShellLayoutTest, NamesNeverBreakTheFields) {
  VirtualOs os(On("linux-amd64",
                  "00400000-00401000 r-xp 00000000 fe:00 1    /a b,c\\d\te\xc3\xa9 (deleted)\n"
                  "00600000-00601000 rw-s 00000000 00:01 7    /dev/zero (deleted)\n"
                  "7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0    [stack]\n"
                  "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0    [vsyscall]\n"));
  LineShell shell(&os, SameLength);
  EXPECT_EQ(shell.Execute("brk 0"),
            "R 0 0 ; S 35 0 33 ; M 400000-401000 r-xp /a\\040b\\054c\\134d\\011e\xc3\xa9\\040(deleted),"
            "600000-601000 rw-s /dev/zero\\040(deleted),7ffffffde000-7ffffffff000 rw-p [stack]\n");
}

TEST(ShellCommandsTest, TheTableIsComplete) {
  std::set<std::string> names;
  int ends = 0;
  const std::string help = ShellHelp(nullptr);
  for (const ShellCommand& command : ShellCommands()) {
    EXPECT_TRUE(names.insert(command.name).second) << command.name << " is there twice";
    EXPECT_FALSE(command.call != nullptr && command.print != nullptr) << command.name;
    ends += command.call == nullptr && command.print == nullptr;
    EXPECT_NE(help.find(UsageOf(command) + " "), std::string::npos) << command.name;
    bool optional = false;
    for (const ShellArgument& argument : command.arguments) {
      if (argument.name == nullptr) break;
      EXPECT_TRUE(argument.optional || !optional) << command.name << ": required after optional";
      optional = argument.optional;
    }
  }
  EXPECT_EQ(ends, 1);
  for (const char* name : {"mmap", "munmap", "mprotect", "madvise", "brk", "touch", "rlimit", "maps", "status",
                           "quit", "virtualalloc", "virtualfree"}) {
    EXPECT_EQ(names.count(name), 1u) << name;
  }
}

TEST_F(LineShellTest, ACallThatIsKilledOnItsWayIsKilledNotRefused) {
  EXPECT_EQ(Result("mmap 0x100000000000 0x400000000000 3 0x4032"), "100000000000 0");
  EXPECT_EQ(Result("madvise 0x100000000000 0x400000000000 23"), "ffffffffffffffff 1002") << "64 TiB of 16 GiB";
  EXPECT_EQ(Result("touch 0x100000000000 1 1 r"), "ffffffffffffffff 1002");
  EXPECT_NE(Ask("why").find("of 16.0 GiB in use"), std::string::npos);
}

}  // namespace
}  // namespace reheap
