// A study that is killed and goes on: kill -9 and Ctrl-C at any moment, --resume, the same bytes as without.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

namespace reheap {
namespace {

using testing::HasSubstr;

std::string Temp(const std::string& name) { return testing::TempDir() + "/" + name; }

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// Some seconds of work in cells of some tens of milliseconds.
std::string Study() {
  const std::string path = Temp("study.textproto");
  std::ofstream(path) << R"(name: "killed"
summary: "cells enough to be killed among them"
source: "a test"
trace { synthetic { seed: 9 events: 200000 } }
strategy: "go-2010-radix" strategy: "go-2011-02-pretend" strategy: "go-2011-02-reserve17g"
platform: "linux-amd64" platform: "freebsd-amd64" platform: "darwin-amd64-11"
limits { address: "unlimited" address: "4GiB" ram: "4GiB" ram: "8GiB" ram: "16GiB" ram: "32GiB" }
image: "platform"
question { grid {} }
)";
  return path;
}

// The command, with its messages in a file; `prepare` runs in the child before it.
pid_t Start(const std::string& output, const std::string& option, void (*prepare)() = nullptr) {
  const std::string study = Study();
  const pid_t pid = fork();
  if (pid != 0) return pid;
  if (prepare != nullptr) prepare();
  if (freopen(Temp("err").c_str(), "w", stderr) == nullptr) _exit(99);
  const char* const resume = option.empty() ? nullptr : option.c_str();
  execl("tools/reheap", "reheap", "study", study.c_str(), "--threads", "2", "--format", "none", "--quiet", "--output",
        output.c_str(), resume, nullptr);
  _exit(98);
}

int WaitFor(pid_t pid) {
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return status;
}

int64_t SizeOf(const std::string& path) {
  struct stat file;
  return stat(path.c_str(), &file) == 0 ? file.st_size : -1;
}

// Waits until more than `bytes` of finished cells stand beside `output`, or the process has ended.
void WaitForCells(pid_t pid, const std::string& output, int64_t bytes) {
  while (SizeOf(output + ".partial") <= bytes) {
    siginfo_t ended = {};
    if (waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid == pid) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

const std::string& Undisturbed() {
  static const std::string bytes = [] {
    const int status = WaitFor(Start(Temp("whole"), ""));
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << ReadAll(Temp("err"));
    return ReadAll(Temp("whole"));
  }();
  EXPECT_GT(bytes.size(), 1000u);
  return bytes;
}

TEST(StudyTest, KilledAgainAndAgainItEndsWithTheSameBytes) {
  const std::string output = Temp("killed");
  const std::string& whole = Undisturbed();
  int kills = 0;
  int64_t kept = 0;
  while (kills < 3) {
    const pid_t pid = Start(output, "--resume");
    WaitForCells(pid, output, kept + 1);
    kill(pid, SIGKILL);
    const int status = WaitFor(pid);
    if (WIFEXITED(status)) break;  // it was faster
    ++kills;
    EXPECT_GE(SizeOf(output + ".partial"), kept);  // what is finished stays
    kept = SizeOf(output + ".partial");
    EXPECT_EQ(SizeOf(output), -1);  // no half result under the name
  }
  EXPECT_GT(kills, 0);
  const int status = WaitFor(Start(output, "--resume"));
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << ReadAll(Temp("err"));
  EXPECT_EQ(ReadAll(output), whole);
  EXPECT_EQ(SizeOf(output + ".partial"), -1);
}

TEST(StudyTest, AnInterruptKeepsTheCellsAndSaysSo) {
  for (int signal : {SIGINT, SIGTERM}) {
    const std::string output = Temp("interrupted" + std::to_string(signal));
    const pid_t pid = Start(output, "");
    WaitForCells(pid, output, 400);
    kill(pid, signal);
    const int status = WaitFor(pid);
    ASSERT_TRUE(WIFSIGNALED(status)) << "as the shell expects of it; " << ReadAll(Temp("err"));
    EXPECT_EQ(WTERMSIG(status), signal);
    EXPECT_THAT(ReadAll(Temp("err")), testing::ContainsRegex("interrupted with [0-9]+ of 72 cells done; they are kept in "));
    // Without --resume nothing of it is lost by mistake.
    const int refused = WaitFor(Start(output, ""));
    EXPECT_EQ(WEXITSTATUS(refused), 2);
    EXPECT_THAT(ReadAll(Temp("err")), HasSubstr("--resume goes on with it"));
    const int resumed = WaitFor(Start(output, "--resume"));
    ASSERT_TRUE(WIFEXITED(resumed) && WEXITSTATUS(resumed) == 0) << ReadAll(Temp("err"));
    EXPECT_EQ(ReadAll(output), Undisturbed());
  }
}

// A file system that takes no more: the error names the file, the cells that were written stay.
TEST(StudyTest, AFullDiskFailsCleanlyAndIsResumed) {
  const std::string output = Temp("full");
  const int status = WaitFor(Start(output, "", [] {
    signal(SIGXFSZ, SIG_IGN);
    // The trace of 200,000 events (some 280 KB) fits, the answers of 72 cells (6 KB each) do not.
    const rlimit small = {400000, 400000};
    setrlimit(RLIMIT_FSIZE, &small);
  }));
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 3);
  EXPECT_THAT(ReadAll(Temp("err")), HasSubstr("File too large"));
  EXPECT_EQ(SizeOf(output), -1);
  const int resumed = WaitFor(Start(output, "--resume"));
  ASSERT_TRUE(WIFEXITED(resumed) && WEXITSTATUS(resumed) == 0) << ReadAll(Temp("err"));
  EXPECT_EQ(ReadAll(output), Undisturbed());
}

}  // namespace
}  // namespace reheap
