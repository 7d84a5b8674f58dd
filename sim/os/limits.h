// Limits: whether a request may be carried out, asked of totals only, by the platform's policies (row 9).
//
// The one place where a "no" for lack of allowance is decided, in the order the kernels do it: address limit,
// data limit, commit charge, with the correction for what a fixed mapping replaces. It does not look at
// addresses.
//
// Values and pure functions: no ownership, any thread.
#ifndef REHEAP_SIM_OS_LIMITS_H_
#define REHEAP_SIM_OS_LIMITS_H_

#include <cstdint>
#include <optional>

#include "alloc/os.h"
#include "sim/os/address_space.h"
#include "sim/os/platform.h"

namespace reheap {

// vm.overcommit_memory (Documentation/mm/overcommit-accounting, linux 6.12).
enum class OvercommitMode : uint8_t { kHeuristic = 0, kAlways = 1, kNever = 2 };

// When anonymous memory gets huge pages (/sys/kernel/mm/transparent_hugepage/enabled, linux).
enum class HugePageMode : uint8_t { kNever = 0, kMadvise = 1, kAlways = 2 };

// What one process may use. Absent = unlimited.
struct ProcessLimits {
  std::optional<uint64_t> address_bytes;  // RLIMIT_AS, `ulimit -v`
  std::optional<uint64_t> data_bytes;     // RLIMIT_DATA, `ulimit -d`
  std::optional<uint64_t> stack_bytes;    // RLIMIT_STACK at exec; absent = the platform's default
  OvercommitMode overcommit = OvercommitMode::kHeuristic;
  uint32_t overcommit_ratio = 50;  // percent of RAM, mode 2
  uint64_t ram_bytes = 16 * kGiB;
  uint64_t swap_bytes = 0;
  std::optional<uint64_t> max_mappings;  // absent = the platform's
  std::optional<uint64_t> locked_bytes;  // RLIMIT_MEMLOCK, `ulimit -l`
  // cgroup memory.max: written private memory, shared memory and page tables. File pages are not counted: the kernel
  // takes them back before it kills.
  std::optional<uint64_t> memory_max_bytes;
  HugePageMode thp = HugePageMode::kMadvise;
  bool is_privileged = false;  // CAP_IPC_LOCK, CAP_SYS_ADMIN: RLIMIT_MEMLOCK does not apply
};

// What a request would add, and what it replaces.
struct Demand {
  uint64_t bytes = 0;
  uint64_t replaced_bytes = 0;  // mapped already, where it goes
  bool data = false;            // the new mapping is IsData
};

class Limits {
 public:
  // `platform` is not owned and outlives this.
  Limits(const Platform* platform, const ProcessLimits& limits) : platform_(platform), limits_(limits) {}

  const ProcessLimits& process() const { return limits_; }
  void set_process(const ProcessLimits& limits) { limits_ = limits; }

  // Address and data limits, before the change. Fills rule, os_error, asked, in use and allowed; kNone = may.
  Refusal CheckMap(const MappingTotals& totals, const Demand& demand) const;
  // Before mprotect makes `bytes` writable that `was_data` (IsData) or not. `charge` = they are to be charged
  // now.
  Refusal CheckProtect(const MappingTotals& totals, uint64_t bytes, bool was_data, bool becomes_data,
                       bool charge) const;
  // RLIMIT_DATA as brk applies it: `break_bytes` is what the brk area would be.
  Refusal CheckBreak(uint64_t break_bytes, uint64_t now_bytes) const;
  // Mapping count; `strict` = a split, which must stay below the limit, where a new map may reach it.
  Refusal CheckCount(uint64_t count, bool strict) const;
  // Before `bytes` more are locked, of which `counted_bytes` are counted as locked already.
  Refusal CheckLocked(const MappingTotals& totals, uint64_t bytes, uint64_t counted_bytes) const;
  // Whether the process may lock at all.
  Refusal CheckMayLock() const;
  // Before `charged_bytes` become `added_bytes` more: memory.max.
  Refusal CheckMemory(uint64_t charged_bytes, uint64_t added_bytes) const;
  // Before `bytes` more are charged as committed.
  Refusal CheckCommit(const MappingTotals& totals, uint64_t bytes) const;

 private:
  Refusal Refuse(Rule rule, uint64_t asked, uint64_t in_use, uint64_t allowed) const;
  bool MayExpand(const MappingTotals& totals, uint64_t bytes, bool data) const;

  const Platform* platform_;
  ProcessLimits limits_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_LIMITS_H_
