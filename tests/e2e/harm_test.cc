// The recorder harms nobody: signals, a collector that is killed, daemons, other allocators, threads by the thousand.
//
// Tests gate on what happened (exit status, counts, states in the spool), never on how long it took.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/match.h"
#include "tests/e2e/record_fixture.h"
#include "traces/collector.h"
#include "traces/recorder/spool.h"
#include "traces/spool_reader.h"

namespace reheap {
namespace {

class HarmTest : public RecordTest {
 protected:
  std::string File(const std::string& name) { return (directory_ / name).string(); }
  RecordOptions Harm(const std::string& name) { return Options({Program("harms"), name, File("mark")}); }

  // Bounded only so that a broken build fails instead of hanging.
  bool WaitFor(const std::string& path) {
    for (int i = 0; i < 6000; ++i) {
      if (fs::exists(path)) return true;
      usleep(10'000);
    }
    return false;
  }
  std::vector<std::string> Spools(const std::string& parent) {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(parent)) {
      if (entry.path().extension() == ".spool") found.push_back(entry.path().string());
    }
    return found;
  }
};

class SignalTest : public HarmTest, public testing::WithParamInterface<int> {};

TEST_P(SignalTest, ReachesTheProgramAndNotTheRecorder) {
  std::thread sender([this] {
    if (WaitFor(File("mark.ready"))) kill(getpid(), GetParam());
  });
  const RecordResult result = Record(Harm("await-signal"));
  sender.join();
  EXPECT_TRUE(WIFEXITED(result.wait_status));
  EXPECT_EQ(WEXITSTATUS(result.wait_status), GetParam());
  ExpectSoundAndComplete(result);
}

INSTANTIATE_TEST_SUITE_P(Usual, SignalTest, testing::Values(SIGINT, SIGTERM));

// The program ends as ever, it has stopped recording for good, and what it starts later makes no spool.
TEST_F(HarmTest, AKilledCollectorIsNoticedOnceForAll) {
  RecordOptions options = Harm("orphan");
  options.command = {"/bin/sh", "-c", absl::StrCat(Program("harms"), " orphan ", File("mark"), "; echo $? > ",
                                                   File("status"), "; ", Program("deeds"), " forms; echo $? > ",
                                                   File("later.part"), "; mv ", File("later.part"), " ", File("later"))};
  options.pool_bytes = 1 << 20;
  options.spool_parent = directory_.string();
  const pid_t collector = fork();
  if (collector == 0) {
    const bool recorded = RecordProgram(options).ok();
    _exit(recorded ? 0 : 1);
  }
  ASSERT_TRUE(WaitFor(File("mark.ready")));
  kill(collector, SIGKILL);
  waitpid(collector, nullptr, 0);
  const size_t spools_before = Spools(directory_.string()).size();
  std::ofstream(File("mark.go")) << "go\n";
  ASSERT_TRUE(WaitFor(File("later")));

  int status = -1;
  std::ifstream(File("status")) >> status;
  EXPECT_EQ(status, 0);
  std::ifstream(File("later")) >> status;
  EXPECT_EQ(status, 0);
  const std::vector<std::string> spools = Spools(directory_.string());
  EXPECT_EQ(spools.size(), spools_before);
  int stopped = 0;
  for (const std::string& path : spools) {
    absl::StatusOr<std::unique_ptr<SpoolReader>> spool = SpoolReader::Open(path, /*recycle=*/false);
    if (spool.ok()) stopped += (*spool)->control().phase.load() == spool::kStopped;
  }
  EXPECT_EQ(stopped, 1);

  // What the killed collector had taken is gone; what is left makes sound traces that say so.
  ASSERT_FALSE(spools.empty());
  ASSERT_TRUE(CollectSpool(fs::path(spools.front()).parent_path().string(), File("left.trace")).ok());
  uint64_t events = 0, dropped_events = 0;
  for (const auto& entry : fs::directory_iterator(directory_)) {
    if (!absl::StartsWith(entry.path().filename().string(), "left.trace")) continue;
    const absl::StatusOr<TraceCheckReport> check = CheckTrace(entry.path().string());
    ASSERT_TRUE(check.ok()) << check.status();
    EXPECT_TRUE(check->ok()) << entry.path();
    const absl::StatusOr<TraceInfo> info = ReadTraceInfo(entry.path().string());
    ASSERT_TRUE(info.ok()) << info.status();
    events += info->events;
    dropped_events += info->dropped_events;
    EXPECT_FALSE(info->dropped_events != 0 && info->ended_in_order) << entry.path();
  }
  EXPECT_GT(events, 0u);
  EXPECT_GT(dropped_events, 0u);
}

// The daemon waits for the test; what ends the recorder's wait for it is a signal, as a user's Ctrl-C would.
TEST_F(HarmTest, ADaemonIsLeftRunning) {
  RecordOptions options = Harm("daemon");
  options.linger_ms = 60'000;
  std::thread sender([this] {
    if (WaitFor(File("mark.ready"))) kill(getpid(), SIGTERM);
  });
  const RecordResult result = Record(options);
  sender.join();
  EXPECT_EQ(result.wait_status, 0);
  std::ofstream(File("mark.go")) << "go\n";
  EXPECT_TRUE(WaitFor(File("mark.end")));
  ExpectSoundAndComplete(result);
  EXPECT_GE(result.processes.size(), 2);
}

// Whoever outlives --linger is left alone as well.
TEST_F(HarmTest, TheWaitForDaemonsIsBounded) {
  RecordOptions options = Harm("daemon");
  options.linger_ms = 1;
  EXPECT_EQ(Record(options).wait_status, 0);
  std::ofstream(File("mark.go")) << "go\n";
  EXPECT_TRUE(WaitFor(File("mark.end")));
}

TEST_F(HarmTest, LanesOfEndedThreadsAreUsedAgain) {
  RecordOptions options = Harm("thread-waves");
  options.pool_bytes = 8 << 20;  // 256 segments for 5,001 threads
  const RecordResult result = Record(options);
  EXPECT_EQ(result.wait_status, 0);
  ExpectSoundAndComplete(result);
  absl::StatusOr<TraceInfo> info = ReadTraceInfo(result.processes.at(0).path);
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->threads.size(), 5001);
}

class OwnMallocTest : public HarmTest {
 protected:
  // Allocations and frees by the allocator's own count.
  std::pair<uint64_t, uint64_t> RecordWithOwnMalloc(const RecordOptions& options, RecordResult* result) {
    setenv("LD_PRELOAD", Program("libown_malloc.so").c_str(), 1);
    setenv("OWN_MALLOC_COUNTS", File("own").c_str(), 1);
    *result = Record(options);
    unsetenv("LD_PRELOAD");
    unsetenv("OWN_MALLOC_COUNTS");
    std::pair<uint64_t, uint64_t> counts;
    std::ifstream file(File("own"), std::ios::binary);
    EXPECT_TRUE(file.read(reinterpret_cast<char*>(&counts.first), 8));
    EXPECT_TRUE(file.read(reinterpret_cast<char*>(&counts.second), 8));
    return counts;
  }
  std::pair<uint64_t, uint64_t> TracedSums(const RecordResult& result) {
    std::pair<uint64_t, uint64_t> sums;
    const std::array<uint64_t, kCallKindCount> calls = TracedCalls(result);
    for (int i = 1; i < kCallKindCount; ++i) {  // 0: events that are no calls
      const auto kind = static_cast<CallKind>(i);
      const bool frees = kind == CallKind::kFree || kind >= CallKind::kDelete;
      (frees ? sums.second : sums.first) += calls[static_cast<size_t>(i)];
    }
    return sums;
  }
};

// Its operators do not come back through malloc; each call is one event all the same.
TEST_F(OwnMallocTest, AnAllocatorThatTheUserPreloadsIsRecorded) {
  RecordResult result;
  const auto counted = RecordWithOwnMalloc(Options({Program("threads"), "3", "50000"}), &result);
  EXPECT_EQ(WEXITSTATUS(result.wait_status), 7);
  ExpectSoundAndComplete(result);
  EXPECT_GT(counted.first, 50000);
  EXPECT_EQ(TracedSums(result), counted);
}

// A handler that comes between the steps of a hook is left out and counted; all else is there.
TEST_F(OwnMallocTest, HandlersThatAllocateCorruptNothing) {
  RecordResult result;
  const auto counted = RecordWithOwnMalloc(Harm("handler-mallocs"), &result);
  EXPECT_EQ(result.wait_status, 0);
  ASSERT_FALSE(result.processes.empty());
  absl::StatusOr<TraceCheckReport> report = CheckTrace(result.processes[0].path);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->ok());
  const auto traced = TracedSums(result);
  EXPECT_EQ(traced.first + traced.second + result.processes[0].dropped_events, counted.first + counted.second);
}

// The trace may not grow past 64 KiB here: the program ends as ever, and the trouble is told afterwards.
TEST_F(HarmTest, AFullDiskUnderTheTraceDoesNotReachTheProgram) {
  RecordOptions options = Options({"/bin/sh", "-c", absl::StrCat(Program("threads"), " 2 300000 > ", File("said"),
                                                                 "; echo $? > ", File("status"))});
  const pid_t recorder = fork();
  if (recorder == 0) {
    // The library and the spool are larger than the limit: it comes when the program is running.
    options.command[2] = absl::StrCat("touch ", File("mark.ready"), "; while ! test -e ", File("mark.go"),
                                      "; do sleep 0.01; done; ", options.command[2]);
    std::thread([this] {
      if (!WaitFor(File("mark.ready"))) return;
      const rlimit small = {64 << 10, RLIM_INFINITY};
      setrlimit(RLIMIT_FSIZE, &small);
      std::ofstream(File("mark.go")) << "go\n";
    }).detach();
    const absl::Status status = RecordProgram(options).status();
    _exit(status.ok() ? 1 : 0);
  }
  int recorder_status = -1;
  waitpid(recorder, &recorder_status, 0);
  EXPECT_EQ(recorder_status, 0);
  int status = -1;
  std::ifstream(File("status")) >> status;
  EXPECT_EQ(status, 7);
}

TEST_F(HarmTest, AnOutputThatCannotBeWrittenIsSaidBeforeTheProgramStarts) {
  RecordOptions options = Options({"/bin/sh", "-c", absl::StrCat("echo ran > ", File("ran"))});
  options.output = File("nowhere/trace");
  EXPECT_EQ(RecordProgram(options).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(fs::exists(File("ran")));
}

}  // namespace
}  // namespace reheap
