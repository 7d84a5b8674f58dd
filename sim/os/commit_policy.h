// CommitPolicies: one small class per rule by which a kernel grants or refuses committed memory (row 9).
//
// A commit charge is a promise of RAM or swap for pages that may be written. What is charged is decided where
// mappings are made (CommitCharge); whether the machine may promise so much more is decided here, from sums:
// what this process and the others have been promised, what the machine has. Limits (limits.h) turns the
// answer into a refusal. A platform's file names its rule; the objects have no state, so one of each serves
// every process.
//
// Ownership: static objects. Threads: any. Limits: other processes are one number.
#ifndef REHEAP_SIM_OS_COMMIT_POLICY_H_
#define REHEAP_SIM_OS_COMMIT_POLICY_H_

#include <cstdint>
#include <optional>

#include "alloc/os.h"
#include "sim/os/platform.h"

namespace reheap {

// vm.overcommit_memory (Documentation/mm/overcommit-accounting, linux 6.12).
enum class OvercommitMode : uint8_t { kHeuristic = 0, kAlways = 1, kNever = 2 };

// The machine, as far as promises of memory go. Every system reads the part that it knows.
struct CommitSettings {
  uint64_t ram_bytes = 16 * kGiB;
  uint64_t swap_bytes = 0;                 // page files on windows
  uint64_t committed_elsewhere_bytes = 0;  // what everybody else has been promised
  bool is_privileged = false;              // CAP_SYS_ADMIN, or root
  // linux
  OvercommitMode overcommit = OvercommitMode::kHeuristic;
  uint32_t overcommit_ratio = 50;               // percent of RAM
  std::optional<uint64_t> overcommit_kbytes;    // kilobytes; instead of the ratio
  uint64_t huge_pool_bytes = 0;                 // pages of hugetlb pools, which the ratio leaves out
  std::optional<uint64_t> user_reserve_bytes;   // absent = as a machine starts
  std::optional<uint64_t> admin_reserve_bytes;  // absent = as a machine starts
  // FreeBSD
  uint32_t overcommit_bits = 0;              // vm.overcommit
  uint64_t wired_bytes = 0;                  // RAM that can never be paged out, or is kept free
  std::optional<uint64_t> swap_limit_bytes;  // RLIMIT_SWAP, of all processes of one user
  // windows
  std::optional<uint64_t> job_commit_bytes;  // JOB_OBJECT_LIMIT_PROCESS_MEMORY
};

// What one process asks.
struct CommitDemand {
  uint64_t charged_bytes = 0;  // it has been promised already
  uint64_t mapped_bytes = 0;   // of its whole address space
  uint64_t asked_bytes = 0;
};

struct CommitRefused {
  Rule rule;
  uint64_t in_use_bytes;  // of what the rule counts
  uint64_t allowed_bytes;
};

class CommitPolicy {
 public:
  virtual ~CommitPolicy() = default;
  // nullopt = granted.
  virtual std::optional<CommitRefused> Check(const CommitSettings& settings, const CommitDemand& demand,
                                             uint64_t os_page_bytes) const = 0;
};

const CommitPolicy& PolicyOf(CommitRefusal rule);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_COMMIT_POLICY_H_
