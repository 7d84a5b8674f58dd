#include "tests/differential/lockstep/kernel_probe.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>

#include <memory>
#include <utility>

#include "sim/os/host_probe.h"
#include "sim/os/maps_text.h"
#include "sim/os/switch_probe.h"
#include "tests/differential/lockstep/executor_process.h"

namespace reheap {
namespace {

constexpr uint64_t kOsPage = 4096;

// The executor as the process that is asked.
class Asked final : public ProbedProcess {
 public:
  explicit Asked(ExecutorProcess* process) : process_(*process) {}

  uint64_t Map(uint64_t hint, uint64_t bytes, int protection, bool fixed = false) override {
    const uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS | (fixed ? MAP_FIXED : 0);
    return Call(OperationKind::kMmap, hint, bytes, static_cast<uint64_t>(protection), flags);
  }
  void Unmap(uint64_t at, uint64_t bytes) override { Call(OperationKind::kMunmap, at, bytes); }
  void Protect(uint64_t at, uint64_t bytes, int protection) override {
    Call(OperationKind::kMprotect, at, bytes, static_cast<uint64_t>(protection));
  }
  void Write(uint64_t at) override { Call(OperationKind::kTouch, at, 1, kOsPage, 1); }
  int Remap(uint64_t from, uint64_t bytes, int flags, uint64_t to) override {
    Call(OperationKind::kMremap, from, bytes, bytes, static_cast<uint64_t>(flags), to);
    return static_cast<int>(answer_.error);
  }
  int Advise(uint64_t at, uint64_t bytes, int advice) override {
    Call(OperationKind::kMadvise, at, bytes, static_cast<uint64_t>(advice));
    return static_cast<int>(answer_.error);
  }
  void ForbidGrowth() override { Call(OperationKind::kRlimit, kResourceAddress, 0); }
  void AllowGrowth() override { Call(OperationKind::kRlimit, kResourceAddress, kNoLimit); }
  bool MayLockAtLimitZero(uint64_t limit_before) {
    const uint64_t at = Map(0, kOsPage, PROT_NONE);
    Call(OperationKind::kRlimit, kResourceLocked, 0);
    Call(OperationKind::kMlock, at, kOsPage);
    const bool refused = answer_.error == EPERM;
    Call(OperationKind::kRlimit, kResourceLocked, limit_before);
    Unmap(at, kOsPage);
    return !refused;
  }
  bool VisitMappings(absl::FunctionRef<void(uint64_t, uint64_t)> visit) override {
    const auto mappings = ParseMaps(process_.MapsText(), "maps");
    if (!mappings.ok()) return false;
    for (const ImageMapping& m : *mappings) visit(m.start.value(), m.end.value());
    return true;
  }

  // Of all calls so far.
  const absl::Status& status() const { return status_; }
  // Of the last call.
  const Answer& answer() const { return answer_; }

 private:
  // `e`: of mmap, no file.
  uint64_t Call(OperationKind kind, uint64_t a, uint64_t b, uint64_t c = 0, uint64_t d = 0, uint64_t e = ~uint64_t{0}) {
    const Operation operation{kind, 0, {a, b, c, d, e, 0}};
    answer_ = Answer();
    status_.Update(process_.Carry({&operation, 1}, 0, {&answer_, 1}));
    return answer_.error == 0 ? answer_.value : 0;
  }

  ExecutorProcess& process_;
  Answer answer_;
  absl::Status status_;
};

bool RssCounterLags(Asked& asked) {
  constexpr uint64_t kPages = 7;
  const uint64_t at = asked.Map(0, kPages * kOsPage, PROT_READ | PROT_WRITE);
  bool lags = false;
  for (uint64_t page = 0; page < kPages; ++page) {
    const uint64_t before = asked.answer().rss_anonymous_pages;
    asked.Write(at + page * kOsPage);
    lags |= asked.answer().rss_anonymous_pages != before + 1;
  }
  asked.Unmap(at, kPages * kOsPage);
  return lags;
}

// Without the capability nothing may be locked at a limit of 0 (can_do_mlock, mm/mlock.c, linux 6.12).
uint64_t LockedLimitBytes(Asked& asked) {
  rlimit limit = {};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kNoLimit;
  return asked.MayLockAtLimitZero(limit.rlim_cur) ? kNoLimit : limit.rlim_cur;
}

bool HasHighAddresses(Asked& asked, const ProcessKind& kind) {
  if (kind.word_bits == 32) return false;
  const uint64_t at = asked.Map(uint64_t{1} << 48, kOsPage, PROT_NONE);
  asked.Unmap(at, kOsPage);
  return at >= uint64_t{1} << 47;
}

}  // namespace

absl::StatusOr<KernelAnswers> ProbeKernel(const ProcessKind& kind) {
  auto process = ExecutorProcess::Start(kind);
  if (!process.ok()) return process.status();
  Asked asked(process->get());
  KernelAnswers answers;
  absl::Status status = ReadMachine(&answers.switches);
  status.Update(ProbeCalls(asked, (kind.personality & ADDR_COMPAT_LAYOUT) != 0, &answers.switches));
  answers.has_high_addresses = HasHighAddresses(asked, kind);
  answers.rss_counter_lags = RssCounterLags(asked);
  answers.locked_limit_bytes = LockedLimitBytes(asked);
  status.Update(asked.status());
  if (!status.ok()) return status;
  return answers;
}

}  // namespace reheap
