#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tools/run_command_for_tests.h"
#include "traces/synthetic_trace.h"
#include "traces/trace_builder.h"

namespace reheap {
namespace {

using ::testing::HasSubstr;

TraceBuilder SmallTrace() {
  TraceBuilder builder;
  proto::TraceHeader& header = builder.header();
  header.mutable_process()->set_program("/usr/bin/true");
  header.mutable_process()->set_pid(42);
  header.mutable_process()->set_rlimit_as_bytes(uint64_t{4} << 30);
  header.mutable_host()->set_kernel("6.18");
  header.mutable_host()->set_machine("x86_64");
  header.mutable_host()->set_ram_bytes(uint64_t{16} << 30);
  header.set_time_resolution_ns(1000);
  builder.Malloc(0, 100).Time(2000).Malloc(1, 4096).Thread(1).Free(0).FreeNull().Time(5000).Free(1);
  return builder;
}

TEST(TraceInfoCommandTest, SaysWhatIsInTheTrace) {
  const std::string path = TempPath("small.trace");
  ASSERT_TRUE(SmallTrace().WriteTo(path).ok());
  const Ran ran = Reheap({"trace", "info", path});
  ASSERT_EQ(ran.exit_code, kAsExpected) << ran.err;
  for (const char* line :
       {"  program          /usr/bin/true, pid 42\n",
        "  host             x86_64 6.18, RAM 16.0 GiB, swap 0 B, overcommit 0, THP ?\n",
        "  limits           address space 4.0 GiB, data unlimited, stack unlimited, 0 mappings\n",
        "  events           5\n", "  threads          2, of 2 known\n",
        "  time span        5.0 us, to 1.0 us\n", "  asked for        4.1 KiB in all\n",
        "  most alive       4.1 KiB (at event 1); 2 objects\n", "  alive at end     0 B in 0 objects\n",
        "  cross-thread     2 frees\n", "  free(NULL)       1\n", "  failed calls     0\n",
        "  dropped          0 events\n", "malloc      2  40.0 %\n", "free        3  60.0 %\n",
        "4.0 KiB to below 8.0 KiB      1  50.0 %\n"}) {
    EXPECT_THAT(ran.out, HasSubstr(line));
  }
}

TEST(TraceCheckCommandTest, ASoundTraceIsExitZero) {
  const std::string path = TempPath("sound.trace");
  ASSERT_TRUE(WriteSyntheticTrace(path, {.seed = 7, .threads = 3}, 20000).ok());
  const Ran ran = Reheap({"trace", "check", path});
  EXPECT_EQ(ran.exit_code, kAsExpected) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("20,000 events in "));
  EXPECT_THAT(ran.out, HasSubstr("no rule is broken\n"));
}

TEST(TraceCheckCommandTest, BrokenRulesAreNamedCountedAndExitOne) {
  const std::string path = TempPath("broken.trace");
  ASSERT_TRUE(TraceBuilder().Malloc(0, 8).Free(0).Free(0).Free(0).Free(0).WriteTo(path).ok());
  const Ran ran = Reheap({"trace", "check", path, "--show", "2"});
  EXPECT_EQ(ran.exit_code, kExpectationNotMet);
  EXPECT_THAT(ran.out, HasSubstr("event 2, "));
  EXPECT_THAT(ran.out, HasSubstr("event 3, "));
  EXPECT_THAT(ran.out, HasSubstr("... and 1 more\n\n3 x free of a free slot\n"));
  EXPECT_THAT(ran.out, HasSubstr("5 events in "));
  EXPECT_THAT(ran.out, HasSubstr(", 3 violations\n"));
}

TEST(TraceImportCommandTest, AndroidTextBecomesATraceThatKeepsTheRules) {
  const std::string in = TempPath("allocs.txt");
  const std::string out = TempPath("allocs.trace");
  std::ofstream(in) << "7: malloc 0x1000 64\n7: calloc 0x2000 4 8\n8: free 0x1000\n8: thread_done 0x0\n";
  const Ran ran = Reheap({"trace", "import", "--from", "android", in, out});
  EXPECT_EQ(ran.exit_code, kAsExpected) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr(" of 4 lines\n"));
  EXPECT_EQ(Reheap({"trace", "check", out}).exit_code, kAsExpected);
  EXPECT_THAT(Reheap({"trace", "info", out}).out, HasSubstr("  not known "));
}

TEST(TraceImportCommandTest, WordsAndFilesThatDoNotFitAreNamed) {
  const std::string in = TempPath("wrong.txt");
  std::ofstream(in) << "7: malloc 0x1000 64\n7: free 0x9999\n";
  const std::string out = TempPath("wrong.trace");
  const Ran strict = Reheap({"trace", "import", "--from", "android", in, out});
  EXPECT_EQ(strict.exit_code, kUnreadableInput);
  EXPECT_THAT(strict.err, HasSubstr(in));
  const Ran lenient = Reheap({"trace", "import", "--from", "android", "--lenient", in, out});
  EXPECT_EQ(lenient.exit_code, kAsExpected);
  EXPECT_THAT(lenient.err, HasSubstr("  1 frees of unknown pointers, dropped\n"));
  EXPECT_THAT(Reheap({"trace", "import", in, out}).err, HasSubstr("--from FORMAT is missing: android"));
  const Ran format = Reheap({"trace", "import", "--from", "androit", in, out});
  EXPECT_EQ(format.exit_code, kUsage);
  EXPECT_THAT(format.err, HasSubstr("--from: 'androit' is not one of android"));
}

TEST(TraceCommandsTest, WhatCannotBeReadIsExitThreeAndNamed) {
  const std::string empty = TempPath("empty.trace");
  std::ofstream(empty).close();
  const std::string foreign = TempPath("foreign.trace");
  std::ofstream(foreign) << "not a trace at all, but long enough to be looked at as one";
  for (const char* verb : {"info", "check"}) {
    for (const std::string& path : {empty, foreign, TempPath("missing.trace")}) {
      const Ran ran = Reheap({"trace", verb, path});
      EXPECT_EQ(ran.exit_code, kUnreadableInput) << verb << " " << path;
      EXPECT_EQ(ran.out, "");
      EXPECT_THAT(ran.err, HasSubstr(path));
    }
  }
  EXPECT_EQ(Reheap({"trace", "check", foreign, "--show", "some"}).exit_code, kUsage);
}

}  // namespace
}  // namespace reheap
