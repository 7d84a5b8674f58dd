// ExecutorProcess: a running call_executor, one fresh process of a given kind.
//
// Owns the process and the socket to it; ends it when it goes. Threads: one. Limits: linux; no address
// randomisation, empty environment.
#ifndef REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_EXECUTOR_PROCESS_H_
#define REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_EXECUTOR_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/differential/lockstep/process_kind.h"
#include "tests/differential/lockstep/protocol.h"

namespace reheap {

class ExecutorProcess {
 public:
  // kUnavailable, saying why, where this kind of process cannot be built or run on this machine.
  static absl::StatusOr<std::unique_ptr<ExecutorProcess>> Start(const ProcessKind& kind);
  ~ExecutorProcess();
  ExecutorProcess(const ExecutorProcess&) = delete;
  ExecutorProcess& operator=(const ExecutorProcess&) = delete;

  // Carries out at most kMaxBatch operations. An error says how the process ended.
  absl::Status Carry(std::span<const Operation> operations, uint32_t observe, std::span<Answer> answers);

  // As /proc/PID shows the idle process now.
  std::string MapsText() const { return Read("maps"); }
  std::string SmapsText() const { return Read("smaps"); }
  std::string StatusText() const { return Read("status"); }
  std::string StatText() const { return Read("stat"); }
  pid_t pid() const { return pid_; }

 private:
  ExecutorProcess(pid_t pid, int socket) : pid_(pid), socket_(socket) {}
  std::string Read(const char* file) const;
  // Waits for the end of the process and describes it.
  std::string End();

  pid_t pid_;             // -1 = waited for
  int exit_status_ = -1;  // -1 = none
  const int socket_;
};

// Where the executors are: for the processes that Start() starts from now on. Default: their place in Bazel's
// runfiles.
void SetExecutorDirectory(const std::string& directory);

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_EXECUTOR_PROCESS_H_
