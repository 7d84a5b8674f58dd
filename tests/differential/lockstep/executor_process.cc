#include "tests/differential/lockstep/executor_process.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <sstream>

#include "alloc/check.h"

namespace reheap {
namespace {

std::string& ExecutorDirectory() {
  static std::string directory = "tests/differential/lockstep";
  return directory;
}

std::string Contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

constexpr int kNotExecuted = 85;

// In the child: becomes the executor, or ends with a status that names the step.
[[noreturn]] void Become(const std::string& path, const ProcessKind& kind, int socket) {
  if (dup2(socket, 0) != 0 || dup2(socket, 1) != 1) _exit(80);
  // On one processor, the one it is on: what another has in hand keeps the kernel from splitting or reusing a page that
  // a fork had shared (wp_can_reuse_anon_folio, mm/memory.c, linux 6.12).
  cpu_set_t processor;
  CPU_ZERO(&processor);
  CPU_SET(static_cast<size_t>(sched_getcpu()), &processor);
  if (sched_setaffinity(0, sizeof(processor), &processor) != 0) _exit(86);
  if (personality(kind.personality | ADDR_NO_RANDOMIZE) == -1) _exit(81);
  rlimit limit;
  if (getrlimit(RLIMIT_STACK, &limit) != 0) _exit(82);
  limit.rlim_cur = kind.stack_limit_bytes;
  if (setrlimit(RLIMIT_STACK, &limit) != 0) _exit(83);
  if (prctl(PR_SET_THP_DISABLE, kind.huge_pages ? 0 : 1, 0, 0, 0) != 0) _exit(84);
  close_range(3, ~0u, 0);  // what this process has open would take the numbers of the executor's files
  std::string name = "call_executor";
  char* arguments[] = {name.data(), nullptr};
  char* environment[] = {nullptr};
  execve(path.c_str(), arguments, environment);
  _exit(kNotExecuted);
}

bool Transfer(int socket, bool out, void* data, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    char* const at = static_cast<char*>(data) + done;
    const ssize_t n =
        out ? send(socket, at, bytes - done, MSG_NOSIGNAL) : recv(socket, at, bytes - done, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

}  // namespace

void SetExecutorDirectory(const std::string& directory) { ExecutorDirectory() = directory; }

absl::StatusOr<std::unique_ptr<ExecutorProcess>> ExecutorProcess::Start(const ProcessKind& kind) {
  const std::string path = ExecutorDirectory() + "/call_executor_" + std::to_string(kind.word_bits);
  const std::string contents = Contents(path);
  if (contents.substr(0, 4) != "\x7f" "ELF") {
    return absl::UnavailableError(path + ": not built here: " + contents.substr(0, 300));
  }
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    return absl::UnavailableError(std::string("socketpair: ") + strerror(errno));
  }
  const pid_t pid = fork();
  if (pid == 0) Become(path, kind, sockets[1]);
  close(sockets[1]);
  if (pid < 0) {
    close(sockets[0]);
    return absl::UnavailableError(std::string("fork: ") + strerror(errno));
  }
  std::unique_ptr<ExecutorProcess> process(new ExecutorProcess(pid, sockets[0]));
  // Something that does nothing: afterwards every page that answering needs is there.
  const Operation nothing = {OperationKind::kMunmap, 0, {1}};
  Answer answer;
  for (int i = 0; i < 3; ++i) {
    const absl::Status alive =
        process->Carry({&nothing, 1}, kObserveLayout | kSyncCounters, {&answer, 1});
    // A kernel without 32-bit programs says so; anything else is the executor's fault.
    if (!alive.ok() && process->exit_status_ == kNotExecuted) {
      return absl::UnavailableError(path + ": this kernel does not execute it");
    }
    if (!alive.ok()) return alive;
  }
  return process;
}

ExecutorProcess::~ExecutorProcess() {
  BatchHeader end;
  Transfer(socket_, true, &end, sizeof(end));
  End();
  close(socket_);
}

absl::Status ExecutorProcess::Carry(std::span<const Operation> operations, uint32_t observe,
                                    std::span<Answer> answers) {
  REHEAP_CHECK(!operations.empty() && operations.size() <= kMaxBatch && answers.size() == operations.size());
  BatchHeader header{static_cast<uint32_t>(operations.size()), observe};
  const bool done = Transfer(socket_, true, &header, sizeof(header)) &&
                    Transfer(socket_, true, const_cast<Operation*>(operations.data()),
                             operations.size_bytes()) &&
                    Transfer(socket_, false, answers.data(), answers.size_bytes());
  return done ? absl::OkStatus() : absl::AbortedError(End());
}

std::string ExecutorProcess::Read(const char* file) const {
  return Contents("/proc/" + std::to_string(pid_) + "/" + file);
}

std::string ExecutorProcess::End() {
  if (pid_ == -1) return "the executor ended before";
  shutdown(socket_, SHUT_RDWR);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  if (WIFEXITED(status)) exit_status_ = WEXITSTATUS(status);
  return WIFSIGNALED(status) ? "the executor was killed by signal " + std::to_string(WTERMSIG(status))
                             : "the executor ended with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace reheap
