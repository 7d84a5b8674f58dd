// RecordTest: the fixture of tests that run programs under the recorder; what "sound", "complete" and "counted" mean.
//
// Counts come from libcount_calls.so, in front of the recorder (C functions) or behind it (what reaches the
// allocator). "Sound" is the checker's word;
// "complete" is zero dropped events.
//
// Ownership: a directory per test, removed at its end. Threads: one.
#ifndef REHEAP_TESTS_E2E_RECORD_FIXTURE_H_
#define REHEAP_TESTS_E2E_RECORD_FIXTURE_H_

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "traces/record_session.h"
#include "traces/trace_checker.h"
#include "traces/trace_info.h"

namespace reheap {

namespace fs = std::filesystem;

inline constexpr char kPrograms[] = "tests/e2e/";

inline std::string Program(const std::string& name) { return fs::absolute(kPrograms + name).string(); }

// The order of libcount_calls.so's counters.
inline constexpr CallKind kCounted[] = {CallKind::kMalloc,        CallKind::kCalloc,       CallKind::kRealloc,
                                 CallKind::kReallocarray,  CallKind::kFree,         CallKind::kPosixMemalign,
                                 CallKind::kAlignedAlloc,  CallKind::kMemalign};

class RecordTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(testing::TempDir()) / absl::StrCat("record-", getpid(), "-", ++serial_);
    fs::create_directories(directory_ / "counts");
  }
  void TearDown() override { fs::remove_all(directory_); }

  RecordOptions Options(std::vector<std::string> command) {
    RecordOptions options;
    options.output = (directory_ / "trace").string();
    options.command = std::move(command);
    options.linger_ms = 20000;
    return options;
  }

  RecordResult Record(const RecordOptions& options) {
    absl::StatusOr<RecordResult> result = RecordProgram(options);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : RecordResult();
  }

  // As Record, with libcount_calls.so in front.
  RecordResult RecordCounted(RecordOptions options) {
    options.preload_first = {Program("libcount_calls.so")};
    setenv("COUNT_DIR", (directory_ / "counts").c_str(), 1);
    return Record(options);
  }

  void ExpectSoundAndComplete(const RecordResult& result) {
    ASSERT_FALSE(result.processes.empty()) << result.not_recorded_reason;
    for (const RecordedProcess& process : result.processes) {
      SCOPED_TRACE(absl::StrCat(process.path, " of ", process.program, " pid ", process.pid));
      EXPECT_EQ(process.dropped_events, 0);
      absl::StatusOr<TraceCheckReport> report = CheckTrace(process.path);
      ASSERT_TRUE(report.ok()) << report.status();
      EXPECT_EQ(report->events, process.events);
      for (const TraceViolation& violation : report->violations) ADD_FAILURE() << violation.ToString();
    }
  }

  // Calls by kind over all traces.
  std::array<uint64_t, kCallKindCount> TracedCalls(const RecordResult& result) {
    std::array<uint64_t, kCallKindCount> calls{};
    for (const RecordedProcess& process : result.processes) {
      absl::StatusOr<TraceInfo> info = ReadTraceInfo(process.path);
      EXPECT_TRUE(info.ok()) << info.status();
      if (!info.ok()) continue;
      for (int i = 0; i < kCallKindCount; ++i) calls[i] += info->events_by_call[i];
    }
    return calls;
  }

  // What libcount_calls.so saw, over all process images.
  std::array<uint64_t, std::size(kCounted)> CountedCalls() {
    std::array<uint64_t, std::size(kCounted)> counted{};
    for (const auto& entry : fs::directory_iterator(directory_ / "counts")) {
      std::array<uint64_t, std::size(kCounted)> page{};
      std::ifstream file(entry.path(), std::ios::binary);
      EXPECT_TRUE(file.read(reinterpret_cast<char*>(page.data()), sizeof(page))) << entry.path();
      for (size_t i = 0; i < page.size(); ++i) counted[i] += page[i];
    }
    return counted;
  }

  void ExpectCountsAgree(const RecordResult& result) {
    const std::array<uint64_t, std::size(kCounted)> counted = CountedCalls();
    const std::array<uint64_t, kCallKindCount> traced = TracedCalls(result);
    uint64_t total = 0;
    for (size_t i = 0; i < counted.size(); ++i) {
      EXPECT_EQ(traced[static_cast<size_t>(kCounted[i])], counted[i]) << CallKindName(kCounted[i]);
      total += counted[i];
    }
    EXPECT_GT(total, 0);
  }

  // As CheckProgram, with libcount_calls.so behind the recorder: what reached the allocator is what was traced. The
  // stock operators reach it as malloc and free, so this counts C++ programs (that ask for no odd alignment).
  void CheckWhatReachesTheAllocator(std::vector<std::string> command, int exit_code) {
    setenv("LD_PRELOAD", Program("libcount_calls.so").c_str(), 1);
    setenv("COUNT_DIR", (directory_ / "counts").c_str(), 1);
    const RecordResult result = Record(Options(std::move(command)));
    unsetenv("LD_PRELOAD");
    EXPECT_TRUE(WIFEXITED(result.wait_status)) << result.wait_status;
    EXPECT_EQ(WEXITSTATUS(result.wait_status), exit_code);
    ExpectSoundAndComplete(result);
    const std::array<uint64_t, std::size(kCounted)> counted = CountedCalls();
    const std::array<uint64_t, kCallKindCount> traced = TracedCalls(result);
    const auto sum = [&](std::vector<CallKind> kinds) {
      uint64_t total = 0;
      for (const CallKind kind : kinds) total += traced[static_cast<size_t>(kind)];
      return total;
    };
    EXPECT_EQ(counted[0], sum({CallKind::kMalloc, CallKind::kNew, CallKind::kNewArray, CallKind::kNewNothrow,
                               CallKind::kNewArrayNothrow}));
    EXPECT_EQ(counted[2], sum({CallKind::kRealloc, CallKind::kReallocarray}));
    EXPECT_EQ(counted[4], sum({CallKind::kFree, CallKind::kDelete, CallKind::kDeleteArray, CallKind::kDeleteNothrow,
                               CallKind::kDeleteArrayNothrow, CallKind::kDeleteSized, CallKind::kDeleteArraySized}));
    EXPECT_GT(sum({CallKind::kNew}), 0);
  }

  // The whole routine for a C program that should end with `exit_code`.
  RecordResult CheckProgram(std::vector<std::string> command, int exit_code) {
    const RecordResult result = RecordCounted(Options(std::move(command)));
    EXPECT_TRUE(WIFEXITED(result.wait_status)) << result.wait_status;
    EXPECT_EQ(WEXITSTATUS(result.wait_status), exit_code);
    ExpectSoundAndComplete(result);
    ExpectCountsAgree(result);
    return result;
  }

  fs::path directory_;
  inline static int serial_ = 0;
};

}  // namespace reheap

#endif  // REHEAP_TESTS_E2E_RECORD_FIXTURE_H_
