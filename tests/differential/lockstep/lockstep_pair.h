// LockstepPair: one executor and one model that started from the executor's own mappings, carrying out the
// same operations.
//
// The model runs ahead by at most one batch: Queue() carries an operation out on the model and keeps it for
// the kernel; Flush() lets the kernel catch up and compares. After a mismatch the pair is of no more use.
//
// Owns both sides. Threads: one.
#ifndef REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_LOCKSTEP_PAIR_H_
#define REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_LOCKSTEP_PAIR_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sim/os/virtual_os.h"
#include "tests/differential/lockstep/checkpoint.h"
#include "tests/differential/lockstep/executor_process.h"
#include "tests/differential/lockstep/process_kind.h"

namespace reheap {

// Everything that decides how a script runs: two pairs of equal setups answer alike.
struct LockstepSetup {
  ProcessKind kind;
  Platform platform;      // the model's rules
  HostSwitches switches;  // take the place of the platform's
  bool rss_counter_lags = false;  // each thread of the kernel's counts for itself, and adds up now and then
  uint64_t locked_limit_bytes = ~uint64_t{0};  // RLIMIT_MEMLOCK; all ones = none that holds
  HugePageMode huge_page_mode = HugePageMode::kNever;  // the machine's
  bool is_alone = false;  // nothing else runs: what the machine has committed is compared, too
};

// For this machine, as probed.
absl::StatusOr<LockstepSetup> MakeSetup(const ProcessKind& kind, const std::string& release);

// Where kernel and model parted.
struct Mismatch {
  size_t index = 0;  // of the operation in the pair's life
  Operation operation;
  Answer kernel;
  Answer model;
  std::string what;    // differs: "value, errno", "commit charge", "VmPTE", "the executor's end"
  std::string detail;  // numbers that the answers do not have

  // Whether it looks like the same fault: what a shorter script must show, too.
  bool IsLike(const Mismatch& other) const {
    return operation.kind == other.operation.kind && what == other.what &&
           kernel.error == other.kernel.error && model.error == other.model.error;
  }
  // What differs, and both answers.
  std::string ToString() const;
};

class LockstepPair {
 public:
  static absl::StatusOr<std::unique_ptr<LockstepPair>> Start(const LockstepSetup& setup);

  // Whether each operation's layout is compared, too; off where there are very many mappings.
  void set_compares_layout(bool compares) { compares_layout_ = compares; }

  // Preconditions: queued() < kMaxBatch.
  const Answer& Queue(const Operation& operation);
  size_t queued() const { return operations_.size(); }
  // Compares all that is queued; the first difference.
  std::optional<Mismatch> Flush();
  // What /proc says beyond the answers (checkpoint.h). Preconditions: queued() is 0.
  std::optional<Mismatch> Checkpoint() const;

  VirtualOs& model() { return *model_; }
  const ExecutorProcess& executor() const { return *executor_; }
  uint64_t carried() const { return carried_; }

 private:
  LockstepPair(const LockstepSetup& setup, std::unique_ptr<ExecutorProcess> executor);
  uint32_t Observed() const;
  std::optional<ProcDifference> CompareMachine() const;

  const LockstepSetup setup_;
  std::unique_ptr<ExecutorProcess> executor_;
  std::unique_ptr<VirtualOs> model_;
  uint64_t committed_elsewhere_ = 0;  // when the two began
  std::vector<Operation> operations_;
  std::vector<Answer> expected_;  // the model's
  Operation last_;
  uint64_t carried_ = 0;
  bool compares_layout_ = true;
};

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_LOCKSTEP_PAIR_H_
