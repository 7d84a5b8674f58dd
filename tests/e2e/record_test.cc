// Programs under the recorder: every trace is sound, complete, and agrees with counts that are not the recorder's.
//
// Counts come from libcount_calls.so (C functions, any program) or from what a test program is known to do (C++
// operators). "Sound" is the checker's word; "complete" is zero dropped events.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/e2e/record_fixture.h"
#include "traces/record_session.h"
#include "traces/trace_checker.h"
#include "traces/trace_info.h"

namespace reheap {
namespace {

class DeedTest : public RecordTest, public testing::WithParamInterface<const char*> {};

TEST_P(DeedTest, IsRecordedWhole) { CheckProgram({Program("deeds"), GetParam()}, 0); }

INSTANTIATE_TEST_SUITE_P(All, DeedTest,
                         testing::Values("forms", "late", "forks", "vfork", "signals", "reallocs", "mappings",
                                         "closes"));

TEST_F(RecordTest, SigkillLosesNothing) {
  const RecordResult result = RecordCounted(Options({Program("deeds"), "killed"}));
  EXPECT_TRUE(WIFSIGNALED(result.wait_status) && WTERMSIG(result.wait_status) == SIGKILL);
  ExpectSoundAndComplete(result);
  ExpectCountsAgree(result);
}

// The child of a fork among running threads may know less than was alive; nothing may hang or contradict itself.
TEST_F(RecordTest, ForksAmongThreadsEndAndAreSound) {
  const RecordResult result = Record(Options({Program("deeds"), "threaded-forks"}));
  EXPECT_EQ(result.wait_status, 0);
  EXPECT_EQ(result.processes.size(), 201);
  for (const RecordedProcess& process : result.processes) {
    absl::StatusOr<TraceCheckReport> report = CheckTrace(process.path);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->ok()) << process.path << ": " << report->violations[0].ToString();
  }
}

TEST_F(RecordTest, ForkByRawSystemCallDoesNotWriteIntoTheParent) {
  const RecordResult result = Record(Options({Program("deeds"), "raw-fork"}));
  EXPECT_EQ(result.wait_status, 0);
  ExpectSoundAndComplete(result);
  EXPECT_EQ(result.processes.size(), 2);
}

class ThreadsTest : public RecordTest, public testing::WithParamInterface<int> {};

TEST_P(ThreadsTest, OrderIsRightForEveryAddress) {
  const RecordResult result = Record(Options({Program("threads"), absl::StrCat(GetParam()), "300000"}));
  EXPECT_EQ(WEXITSTATUS(result.wait_status), 7);
  ExpectSoundAndComplete(result);
  absl::StatusOr<TraceInfo> info = ReadTraceInfo(result.processes[0].path);
  ASSERT_TRUE(info.ok());
  EXPECT_GT(info->cross_thread_frees, 0);
  EXPECT_EQ(info->threads.size(), static_cast<size_t>(GetParam()) + 1);
}

TEST_P(ThreadsTest, OrderIsRightByTheCounterClock) {
  RecordOptions options = Options({Program("threads"), absl::StrCat(GetParam()), "100000"});
  options.force_counter_clock = true;
  ExpectSoundAndComplete(Record(options));
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadsTest, testing::Values(2, 3, 8));

// 12 segments for 8 threads: they wait for the collector again and again, and lose nothing.
TEST_F(RecordTest, SmallPoolOnlySlowsDown) {
  RecordOptions options = Options({Program("threads"), "8", "100000"});
  options.pool_bytes = 12 * 32768;
  ExpectSoundAndComplete(Record(options));
}

// More threads than segments: what does not fit is dropped and counted, the program ends as ever.
TEST_F(RecordTest, ExhaustedPoolCountsDrops) {

  const fs::path library = fs::absolute("traces/recorder/libreheap_recorder.so");
  const std::string command = absl::StrCat("REHEAP_SPOOL_DIR=", directory_.string(), " REHEAP_POOL_BYTES=131072 LD_PRELOAD=",
                                           library.string(), " ", Program("threads"), " 4 50000 >/dev/null");
  const int status = std::system(command.c_str());

  EXPECT_EQ(WEXITSTATUS(status), 7);
  const std::string trace = (directory_ / "trace").string();
  ASSERT_TRUE(CollectSpool(directory_.string(), trace).ok());
  absl::StatusOr<TraceCheckReport> report = CheckTrace(trace);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->ok());
  EXPECT_GT(report->dropped_events, 100000);
  EXPECT_GT(report->events, 4000);
  EXPECT_LE(report->events, 4 * 2044);
}

TEST_F(RecordTest, SpoolWithoutCollectorIsCollectedLater) {
  const fs::path library = fs::absolute("traces/recorder/libreheap_recorder.so");
  const std::string command =
      absl::StrCat("REHEAP_SPOOL_DIR=", directory_.string(), " LD_PRELOAD=", library.string(), " ", Program("threads"),
                   " 4 50000 >/dev/null");
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 7);
  const std::string trace = (directory_ / "trace").string();
  ASSERT_TRUE(CollectSpool(directory_.string(), trace).ok());
  absl::StatusOr<TraceCheckReport> report = CheckTrace(trace);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->ok());
  EXPECT_EQ(report->dropped_events, 0);
  EXPECT_GT(report->events, 150000);
}

// A spool on a file system of 2 MiB: the pool stops growing, nobody gets a SIGBUS, what fitted is a sound trace.
TEST_F(RecordTest, FullDiskCountsDrops) {
  const std::string disk = (directory_ / "disk").string();
  const std::string saved = (directory_ / "saved").string();
  fs::create_directories(disk);
  fs::create_directories(saved);
  if (std::system(absl::StrCat("unshare -rm mount -t tmpfs -o size=2m none ", disk, " 2>/dev/null").c_str()) != 0) {
    GTEST_SKIP() << "mounting a small file system is not allowed here";
  }
  const fs::path library = fs::absolute("traces/recorder/libreheap_recorder.so");
  const std::string inner = absl::StrCat(
      "mount -t tmpfs -o size=2m none ", disk, " && { REHEAP_SPOOL_DIR=", disk, " REHEAP_POOL_BYTES=33554432 LD_PRELOAD=",
      library.string(), " ", Program("threads"), " 4 100000 >/dev/null; echo $? > ", saved, "/status; cp --sparse=always ",
      disk, "/*.spool ", saved, "; }");
  ASSERT_EQ(std::system(absl::StrCat("unshare -rm sh -c '", inner, "'").c_str()), 0);
  int status = 0;
  std::ifstream(saved + "/status") >> status;
  EXPECT_EQ(status, 7);
  const std::string trace = (directory_ / "trace").string();
  ASSERT_TRUE(CollectSpool(saved, trace).ok());
  absl::StatusOr<TraceCheckReport> report = CheckTrace(trace);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->ok());
  EXPECT_GT(report->events, 10000);
  EXPECT_GT(report->dropped_events, 100000);
}

// A spool directory that cannot be written to: the program neither notices nor is recorded.
TEST_F(RecordTest, RecorderWithoutASpoolLeavesTheProgramAlone) {
  const fs::path library = fs::absolute("traces/recorder/libreheap_recorder.so");
  const std::string command = absl::StrCat("REHEAP_SPOOL_DIR=/nonexistent LD_PRELOAD=", library.string(), " ",
                                           Program("threads"), " 4 50000 >/dev/null");
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 7);
}

// RLIMIT_FSIZE would turn the spool's size into a SIGXFSZ, RLIMIT_AS into a refused mapping.
TEST_F(RecordTest, ProgramsUnderLimitsRunOn) {
  const RecordResult result = Record(Options({"/bin/sh", "-c", absl::StrCat("ulimit -f 100; ulimit -v 200000; exec ", Program("deeds"), " forms")}));
  EXPECT_EQ(result.wait_status, 0);
}

TEST_F(RecordTest, CppFormsAreToldApart) {
  constexpr int kRounds = 500;
  const RecordResult result = Record(Options({Program("cpp_forms"), absl::StrCat(kRounds)}));
  EXPECT_EQ(result.wait_status, 0);
  ExpectSoundAndComplete(result);
  const std::array<uint64_t, kCallKindCount> calls = TracedCalls(result);
  const auto count = [&](CallKind kind) { return calls[static_cast<size_t>(kind)]; };
  // new(10) and new(12), and two refused ones (a handler's exception leaves no event).
  EXPECT_EQ(count(CallKind::kNew), 2 * kRounds + 2);
  EXPECT_EQ(count(CallKind::kNewArray), 2 * kRounds);
  EXPECT_EQ(count(CallKind::kNewAligned), 2 * kRounds);
  EXPECT_EQ(count(CallKind::kNewArrayAligned), 2 * kRounds);
  EXPECT_EQ(count(CallKind::kNewNothrow), kRounds + 1);
  EXPECT_EQ(count(CallKind::kNewArrayNothrow), kRounds);
  EXPECT_EQ(count(CallKind::kNewAlignedNothrow), kRounds);
  EXPECT_EQ(count(CallKind::kNewArrayAlignedNothrow), kRounds + 1);
  for (int kind = static_cast<int>(CallKind::kDelete); kind < kCallKindCount; ++kind) {
    EXPECT_EQ(calls[static_cast<size_t>(kind)], kRounds) << CallKindName(static_cast<CallKind>(kind));
  }
}

TEST_F(RecordTest, AddressSpaceCallsAreRecorded) {
  const RecordResult result = Record(Options({Program("deeds"), "mappings"}));
  absl::StatusOr<TraceInfo> info = ReadTraceInfo(result.processes.at(0).path);
  ASSERT_TRUE(info.ok());
  for (const EventKind kind : {EventKind::kMap, EventKind::kUnmap, EventKind::kProtect, EventKind::kAdvise,
                               EventKind::kRemap, EventKind::kBreak}) {
    EXPECT_EQ(info->events_by_kind[static_cast<size_t>(kind)], 1) << EventKindName(kind);
  }
  EXPECT_GT(info->header.mappings_size(), 5);
}

TEST_F(RecordTest, ThreadedCppProgramIsCounted) {
  CheckWhatReachesTheAllocator({Program("threads"), "4", "50000"}, 7);
}

class RealProgramTest : public RecordTest, public testing::WithParamInterface<const char*> {};

TEST_P(RealProgramTest, CountsAgree) {
  CheckProgram({"/bin/sh", "-c", absl::StrCat("cd ", directory_.string(), "; seq 30000 > numbers; ", GetParam())}, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Usual, RealProgramTest,
    testing::Values("sort --parallel=2 -R numbers > /dev/null", "gzip -kf numbers", "xz -T2 -kf numbers",
                    "perl -e 'my %h; $h{$_ * 7} .= \"x$_\" for 1..20000; print scalar(keys %h), \"\\n\"' > /dev/null",
                    "echo '#include <map>\nint main() { return std::map<int, int>{{1, 0}}[1]; }' > x.cc && g++ -o x x.cc && ./x",
                    // Not on every machine: there it is the shell that is recorded.
                    "test ! -x /usr/bin/python3 || exec /usr/bin/python3 -c 'import json; json.dumps([str(i) for i in "
                    "range(30000)])'"));

TEST_F(RecordTest, StaticProgramIsNamedAsSuch) {
  const RecordResult result = Record(Options({Program("static_program")}));
  EXPECT_EQ(WEXITSTATUS(result.wait_status), 5);
  EXPECT_TRUE(result.processes.empty());
  EXPECT_TRUE(absl::StrContains(result.not_recorded_reason, "statically linked")) << result.not_recorded_reason;
}

TEST_F(RecordTest, MissingProgramIsAnError) {
  absl::StatusOr<RecordResult> result = RecordProgram(Options({"/nonexistent/program"}));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kNotFound) << result.status();
}

}  // namespace
}  // namespace reheap
