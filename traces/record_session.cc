#include "traces/record_session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "traces/preloadable.h"
#include "traces/recorder/recorder_config.h"
#include "traces/recorder_library.h"

namespace reheap {
namespace {

constexpr int kForwardedSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
constexpr timespec kTick = {0, 1'000'000};
constexpr int64_t kLookMs = 10;  // between looks through /proc
constexpr char kLibraryName[] = "libreheap_recorder.so";

int64_t MonotonicMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

std::atomic<pid_t> g_forward_to{0};
// Bit per signal that came when there was nobody to forward it to.
std::atomic<uint64_t> g_kept_signals{0};

void ForwardSignal(int signal_number) {
  const int saved_errno = errno;
  const pid_t pid = g_forward_to.load(std::memory_order_seq_cst);
  if (pid > 0) {
    kill(pid, signal_number);
  } else {
    g_kept_signals.fetch_or(uint64_t{1} << signal_number, std::memory_order_seq_cst);
  }
  errno = saved_errno;
}

// Passes signals on while it lives. A terminal's Ctrl-C reaches the program by itself as well, since it shares
// the process group; a second SIGINT is what a shell's own children get too when they are killed by name.
// Made before the fork, so that a signal never finds this process without it: kept ones are passed on later.
class SignalForwarder {
 public:
  SignalForwarder() {
    g_forward_to.store(0);
    g_kept_signals.store(0);
    struct sigaction action = {};
    action.sa_handler = ForwardSignal;
    action.sa_flags = SA_RESTART;
    for (size_t i = 0; i < std::size(kForwardedSignals); ++i) sigaction(kForwardedSignals[i], &action, &before_[i]);
    // A trace that grows past RLIMIT_FSIZE is then a failed write, reported when the program has ended.
    struct sigaction ignore = {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGXFSZ, &ignore, &before_xfsz_);
  }
  ~SignalForwarder() { Restore(); }
  SignalForwarder(const SignalForwarder&) = delete;
  SignalForwarder& operator=(const SignalForwarder&) = delete;

  void StartForwarding(pid_t pid) {
    g_forward_to.store(pid);
    SendKept(pid);
  }
  // The program's pid is about to become somebody else's.
  void StopForwarding() { g_forward_to.store(0); }
  // Since StopForwarding().
  bool told_to_end() const { return g_kept_signals.load() != 0; }
  // In the forked child, before its exec.
  void BecomeProgram() {
    Restore();
    SendKept(getpid());
  }

 private:
  void Restore() {
    for (size_t i = 0; i < std::size(kForwardedSignals); ++i) sigaction(kForwardedSignals[i], &before_[i], nullptr);
    sigaction(SIGXFSZ, &before_xfsz_, nullptr);
  }
  static void SendKept(pid_t pid) {
    const uint64_t kept = g_kept_signals.exchange(0);
    for (const int number : kForwardedSignals) {
      if ((kept >> number & 1) != 0) kill(pid, number);
    }
  }

  struct sigaction before_[std::size(kForwardedSignals)];
  struct sigaction before_xfsz_;
};

// A library on a file system mounted noexec cannot be mapped for execution.
bool MayExecuteFrom(const std::string& directory) {
  struct statvfs info;
  return statvfs(directory.c_str(), &info) == 0 && (info.f_flag & ST_NOEXEC) == 0;
}

absl::StatusOr<std::string> MakeSpoolDirectory(const std::string& asked_parent) {
  std::vector<std::string> parents;
  if (!asked_parent.empty()) {
    parents = {asked_parent};
  } else {
    if (const char* tmpdir = std::getenv("TMPDIR"); tmpdir != nullptr && tmpdir[0] == '/') parents.push_back(tmpdir);
    parents.insert(parents.end(), {"/dev/shm", "/tmp"});
  }
  for (const std::string& parent : parents) {
    if (!MayExecuteFrom(parent)) continue;
    std::string name = parent + "/reheap-spool-XXXXXX";
    if (mkdtemp(name.data()) != nullptr) return name;
  }
  return absl::UnavailableError(absl::StrCat("no directory for the spool: tried ", absl::StrJoin(parents, ", "),
                                             " (must be writable and not mounted noexec)"));
}

absl::Status WriteLibrary(const std::string& path) {
  std::ofstream file(path, std::ios::binary);
  const std::string_view bytes = RecorderLibrary()[0].contents;
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) return absl::UnavailableError(absl::StrCat(path, ": cannot write ", bytes.size(), " bytes"));
  return absl::OkStatus();
}

// The lock by which recorders know that somebody drains their spools (recorder_config.h); free when this dies.
class CollectorLock {
 public:
  explicit CollectorLock(const std::string& directory)
      : fd_(open(absl::StrCat(directory, "/", recorder::kLockName).c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600)) {
    if (fd_ >= 0) flock(fd_, LOCK_EX);
  }
  ~CollectorLock() { Release(); }
  CollectorLock(const CollectorLock&) = delete;
  CollectorLock& operator=(const CollectorLock&) = delete;

  bool held() const { return fd_ >= 0; }
  // No image makes a spool from now on, and none waits for a segment.
  void Release() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

absl::Status CheckOutput(const std::string& output) {
  std::filesystem::path parent = std::filesystem::path(output).parent_path();
  if (parent.empty()) parent = ".";
  if (access(parent.c_str(), W_OK | X_OK) == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(output, ": the directory cannot be written to: ", std::strerror(errno)));
}

// The program's environment: ours, with the recorder's variables and libraries.
std::vector<std::string> Environment(const RecordOptions& options, const std::string& directory) {
  std::vector<std::string> result;
  std::vector<std::string> preload = options.preload_first;
  preload.push_back(directory + "/" + kLibraryName);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    absl::string_view text = *entry;
    if (absl::StartsWith(text, "REHEAP_")) continue;
    if (absl::ConsumePrefix(&text, "LD_PRELOAD=")) {
      if (!text.empty()) preload.push_back(std::string(text));
      continue;
    }
    result.push_back(*entry);
  }
  result.push_back("LD_PRELOAD=" + absl::StrJoin(preload, ":"));
  result.push_back(absl::StrCat(recorder::kSpoolDirVariable, "=", directory));
  result.push_back(absl::StrCat(recorder::kCollectorVariable, "=1"));
  if (options.pool_bytes != 0) {
    result.push_back(absl::StrCat(recorder::kPoolBytesVariable, "=", options.pool_bytes));
  }
  if (options.force_counter_clock) result.push_back(absl::StrCat(recorder::kClockVariable, "=counter"));
  return result;
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// fork and exec; an exec that fails is reported through a pipe that a successful one closes.
absl::StatusOr<pid_t> Start(const RecordOptions& options, const std::string& directory, SignalForwarder& forwarder) {
  const std::vector<std::string> environment = Environment(options, directory);
  const std::vector<char*> arguments = Pointers(options.command);
  const std::vector<char*> variables = Pointers(environment);
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe2");
  const pid_t pid = fork();
  if (pid == 0) {
    forwarder.BecomeProgram();
    execvpe(arguments[0], arguments.data(), variables.data());
    const int error = errno;
    const ssize_t written = write(report[1], &error, sizeof(error));
    _exit(written == sizeof(error) ? 127 : 126);
  }
  const int fork_error = errno;
  close(report[1]);
  int error = 0;
  ssize_t got = 0;
  do {
    got = pid < 0 ? 0 : read(report[0], &error, sizeof(error));
  } while (got < 0 && errno == EINTR);
  close(report[0]);
  if (pid < 0) return absl::ErrnoToStatus(fork_error, "fork");
  if (got != sizeof(error)) return pid;
  waitpid(pid, nullptr, 0);
  return absl::ErrnoToStatus(error, options.command[0]);
}

// Whether a process lives that has our spool directory in its environment: a daemon, perhaps forked just now, that
// has made no spool yet.
bool AnyDescendant(const std::string& directory) {
  const std::string variable = absl::StrCat(recorder::kSpoolDirVariable, "=", directory);
  std::error_code error;
  for (std::filesystem::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(it->path() / "environ", std::ios::binary);
    for (std::string entry; std::getline(file, entry, '\0');) {
      if (entry == variable) return true;
    }
  }
  return false;
}

// Steps the collector until the program has ended, then until its descendants have, or the time is up.
absl::StatusOr<int> CollectUntilEnd(pid_t pid, const RecordOptions& options, Collector& collector,
                                    CollectorLock& lock, SignalForwarder& forwarder, const std::string& directory) {
  forwarder.StartForwarding(pid);
  int wait_status = 0;
  bool root_ended = false;
  int64_t deadline_ms = 0;
  int64_t next_look_ms = 0;
  absl::Status trouble;
  while (true) {
    // Looked at, not reaped: the pid is ours until nobody forwards to it any more.
    siginfo_t info = {};
    if (!root_ended && waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == pid) {
      forwarder.StopForwarding();
      waitpid(pid, &wait_status, 0);
      root_ended = true;
      deadline_ms = MonotonicMs() + options.linger_ms;
    }
    if (trouble.ok()) {
      trouble = collector.Step();
      if (!trouble.ok()) {
        lock.Release();
        collector.Abandon();
      }
    }
    if (root_ended && (!trouble.ok() || MonotonicMs() > deadline_ms || forwarder.told_to_end())) break;
    if (root_ended && collector.active_images() == 0 && MonotonicMs() >= next_look_ms) {
      if (!AnyDescendant(directory)) break;
      next_look_ms = MonotonicMs() + kLookMs;
    }
    nanosleep(&kTick, nullptr);
  }
  // A daemon that forks for ever makes no new spools then.
  lock.Release();
  if (trouble.ok()) trouble = collector.Finish();
  if (!trouble.ok()) {
    collector.Abandon();
    return trouble;
  }
  return wait_status;
}

}  // namespace

absl::StatusOr<RecordResult> RecordProgram(const RecordOptions& options) {
  if (options.command.empty()) return absl::InvalidArgumentError("no program to record");
  if (options.output.empty()) return absl::InvalidArgumentError("no name for the trace");
  if (absl::Status writable = CheckOutput(options.output); !writable.ok()) return writable;
  absl::StatusOr<std::string> directory = MakeSpoolDirectory(options.spool_parent);
  if (!directory.ok()) return directory.status();
  const absl::Cleanup remove_directory = [&] {
    std::error_code error;
    std::filesystem::remove_all(*directory, error);
  };
  absl::Status written = WriteLibrary(*directory + "/" + kLibraryName);
  if (!written.ok()) return written;
  CollectorLock lock(*directory);
  if (!lock.held()) return absl::ErrnoToStatus(errno, absl::StrCat(*directory, "/", recorder::kLockName));

  SignalForwarder forwarder;
  absl::StatusOr<pid_t> pid = Start(options, *directory, forwarder);
  if (!pid.ok()) return pid.status();
  Collector collector({.directory = *directory,
                       .output = options.output,
                       .root_pid = *pid,
                       .zstd_level = options.zstd_level});
  absl::StatusOr<int> wait_status = CollectUntilEnd(*pid, options, collector, lock, forwarder, *directory);
  if (!wait_status.ok()) return wait_status.status();

  RecordResult result;
  result.wait_status = *wait_status;
  result.processes = collector.processes();
  if (result.processes.empty() || result.processes.front().pid != *pid) {
    result.not_recorded_reason = WhyNotRecorded(options.command[0]);
  }
  return result;
}

}  // namespace reheap
