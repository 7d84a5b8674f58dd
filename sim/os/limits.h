// Limits: whether a request may be carried out, asked of totals only, by the platform's policies (row 9).
//
// The one place where a "no" for lack of allowance is decided, in the order the kernels do it: address limit,
// data limit, commit charge. What each limit counts is a policy's business (limit_policy.h,
// commit_policy.h), chosen once per process by the platform's file. It does not look at addresses.
//
// Values and pure functions: no ownership, any thread.
#ifndef REHEAP_SIM_OS_LIMITS_H_
#define REHEAP_SIM_OS_LIMITS_H_

#include <cstdint>
#include <optional>

#include "alloc/os.h"
#include "sim/os/address_space.h"
#include "sim/os/commit_policy.h"
#include "sim/os/limit_policy.h"
#include "sim/os/platform.h"

namespace reheap {

// When anonymous memory gets huge pages (/sys/kernel/mm/transparent_hugepage/enabled, linux).
enum class HugePageMode : uint8_t { kNever = 0, kMadvise = 1, kAlways = 2 };

// What one process may use, on which machine. Absent = unlimited.
struct ProcessLimits : CommitSettings {
  std::optional<uint64_t> address_bytes;  // RLIMIT_AS, `ulimit -v`
  std::optional<uint64_t> data_bytes;     // RLIMIT_DATA, `ulimit -d`
  std::optional<uint64_t> stack_bytes;    // RLIMIT_STACK at exec; absent = the platform's default
  bool stack_unlimited = false;           // RLIM_INFINITY; stack_bytes is not looked at
  std::optional<uint64_t> max_mappings;   // absent = the platform's
  // Most that may be resident, enforced (QUOTA_LIMITS_HARDWS_MAX_ENABLE): what exceeds it leaves the working set,
  // contents kept. A maximum that is not enforced changes nothing without pressure. Systems with reservations.
  std::optional<uint64_t> working_set_bytes;
  std::optional<uint64_t> locked_bytes;   // RLIMIT_MEMLOCK, `ulimit -l`; not for who is_privileged (CAP_IPC_LOCK)
  // cgroup memory.max: written private memory, shared memory and page tables. File pages are not counted: the kernel
  // takes them back before it kills.
  std::optional<uint64_t> memory_max_bytes;
  HugePageMode thp = HugePageMode::kMadvise;
};

class Limits {
 public:
  // `platform` is not owned and outlives this.
  Limits(const Platform* platform, const ProcessLimits& limits)
      : platform_(platform),
        address_(&PolicyOf(platform->limits.address)),
        data_(&PolicyOf(platform->limits.data)),
        commit_(&PolicyOf(platform->limits.commit_refusal)),
        limits_(limits) {}

  const ProcessLimits& process() const { return limits_; }
  void set_process(const ProcessLimits& limits) { limits_ = limits; }
  // Whether the running process may be given `limits`, as setrlimit decides it.
  Refusal CheckNew(const ProcessLimits& limits, const MappingTotals& totals) const;

  // Address and data limits, before the change. Fills rule, os_error, asked, in use and allowed; kNone = may.
  Refusal CheckMap(const MappingTotals& totals, const Demand& demand) const;
  // Whether CheckClaim can refuse anything.
  bool LimitsClaims() const { return limits_.data_bytes.has_value() && data_->CountsClaims(); }
  // Before a whole mprotect: `claimed_bytes` of the range become ClaimsMemory that were not.
  Refusal CheckClaim(const MappingTotals& totals, uint64_t claimed_bytes) const;
  // Before mprotect makes `bytes` writable that `was_data` (IsData) or not. `charge` = they are to be charged
  // now.
  Refusal CheckProtect(const MappingTotals& totals, uint64_t bytes, bool was_data, bool becomes_data,
                       bool charge) const;
  // RLIMIT_DATA as brk applies it: `break_bytes` is what the brk area would be.
  Refusal CheckBreak(uint64_t break_bytes, uint64_t now_bytes) const;
  // Mapping count; `strict` = a split, which must stay below the limit, where a new map may reach it.
  Refusal CheckCount(uint64_t count, bool strict) const;
  // Before `bytes` are locked, of which `counted_bytes` are in `locked_bytes` already.
  Refusal CheckLocked(uint64_t locked_bytes, uint64_t bytes, uint64_t counted_bytes) const;
  // Whether the process may lock at all.
  Refusal CheckMayLock() const;
  // Before `added_bytes` are charged beside `charged_bytes`: memory.max.
  Refusal CheckMemory(uint64_t charged_bytes, uint64_t added_bytes) const;
  // Before one request fills `needed_bytes`: RAM and swap space, were they all free.
  Refusal CheckMachine(uint64_t charged_bytes, uint64_t needed_bytes) const;
  // Before `bytes` more are charged as committed, by mmap.
  Refusal CheckCommit(const MappingTotals& totals, uint64_t bytes) const;
  // The same by mprotect or brk, whose error may be another.
  Refusal CheckCommitLater(const MappingTotals& totals, uint64_t bytes) const;

 private:
  Refusal Refuse(Rule rule, uint64_t asked, uint64_t in_use, uint64_t allowed) const;
  // A refusal of `rule` when `sum` exceeds `allowed`; nullopt = not the limit's business.
  Refusal Compare(Rule rule, std::optional<LimitedSum> sum, uint64_t asked, uint64_t allowed) const;
  Allowances Allowed() const;

  const Platform* platform_;
  const AddressLimitPolicy* address_;  // static
  const DataLimitPolicy* data_;        // static
  const CommitPolicy* commit_;         // static
  ProcessLimits limits_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_LIMITS_H_
