#include "sim/os/commit_policy.h"

#include <algorithm>

#include "alloc/check.h"

namespace reheap {
namespace {

class NeverRefused final : public CommitPolicy {
 public:
  std::optional<CommitRefused> Check(const CommitSettings&, const CommitDemand&, uint64_t) const override {
    return std::nullopt;
  }
};

// vm_acct_memory, then __vm_enough_memory, mm/util.c, linux 6.12: all sums in whole OS pages.
class LinuxOvercommit final : public CommitPolicy {
 public:
  std::optional<CommitRefused> Check(const CommitSettings& s, const CommitDemand& demand,
                                     uint64_t os_page_bytes) const override {
    if (s.overcommit == OvercommitMode::kAlways) return std::nullopt;
    if (s.overcommit == OvercommitMode::kHeuristic) {
      // One request, not the sum.
      if (demand.asked_bytes <= s.ram_bytes) return std::nullopt;  // nothing to divide
      const uint64_t asked = demand.asked_bytes / os_page_bytes;
      const uint64_t all = s.ram_bytes / os_page_bytes + s.swap_bytes / os_page_bytes;
      if (asked <= all) return std::nullopt;
      return CommitRefused{Rule::kOvercommitHeuristic, demand.charged_bytes, all * os_page_bytes};
    }
    const uint64_t asked = demand.asked_bytes / os_page_bytes;
    const uint64_t in_use = (s.committed_elsewhere_bytes + demand.charged_bytes) / os_page_bytes;
    const int64_t allowed = AllowedPages(s, demand, os_page_bytes);
    // The sum with the request must stay below what is allowed.
    if (static_cast<int64_t>(in_use + asked) < allowed) return std::nullopt;
    return CommitRefused{Rule::kCommitLimit, in_use * os_page_bytes,
                         static_cast<uint64_t>(std::max<int64_t>(allowed, 0)) * os_page_bytes};
  }

 private:
  // What the reserves keep may be more than there is.
  static int64_t AllowedPages(const CommitSettings& s, const CommitDemand& demand, uint64_t os_page_bytes) {
    const auto pages = [os_page_bytes](uint64_t bytes) {
      return static_cast<int64_t>(bytes / os_page_bytes);
    };
    // vm_commit_limit.
    int64_t allowed = s.overcommit_kbytes.value_or(0) != 0
                          ? pages(*s.overcommit_kbytes * kKiB)
                          : (pages(s.ram_bytes) - pages(s.huge_pool_bytes)) * s.overcommit_ratio / 100;
    allowed += pages(s.swap_bytes);
    // A thirty-second of what was free when the machine started, here taken to be RAM (init_admin_reserve,
    // init_user_reserve, mm/mmap.c).
    const uint64_t share = s.ram_bytes / 32;
    if (!s.is_privileged) allowed -= pages(s.admin_reserve_bytes.value_or(std::min(share, 8 * kMiB)));
    const int64_t user = pages(s.user_reserve_bytes.value_or(std::min(share, 128 * kMiB)));
    return allowed - std::min(pages(demand.mapped_bytes) / 32, user);
  }
};

// swap_reserve_by_cred, sys/vm/swap_pager.c, FreeBSD 12.3. Root is asked neither question.
class SwapReservation final : public CommitPolicy {
 public:
  std::optional<CommitRefused> Check(const CommitSettings& s, const CommitDemand& demand,
                                     uint64_t) const override {
    constexpr uint32_t kForce = 1, kPerUser = 2, kAllowUnwired = 4;
    if (s.is_privileged) return std::nullopt;
    const uint64_t in_use = s.committed_elsewhere_bytes + demand.charged_bytes;
    const uint64_t unwired =
        (s.overcommit_bits & kAllowUnwired) == 0 ? 0 : s.ram_bytes - std::min(s.ram_bytes, s.wired_bytes);
    const uint64_t allowed = unwired + s.swap_bytes;
    if ((s.overcommit_bits & kForce) != 0 && in_use + demand.asked_bytes > allowed) {
      return CommitRefused{Rule::kCommitLimit, in_use, allowed};
    }
    // The user is taken to have no other process.
    const uint64_t per_user = s.swap_limit_bytes.value_or(~uint64_t{0});
    if ((s.overcommit_bits & kPerUser) != 0 && demand.charged_bytes + demand.asked_bytes > per_user) {
      return CommitRefused{Rule::kCommitLimit, demand.charged_bytes, per_user};
    }
    return std::nullopt;
  }
};

// Windows promises no more than RAM and page files hold, all processes together; page files that grow by
// themselves are taken at the size that they may reach. A job object may allow one process less. Neither
// counts what is only reserved.
class PageFileCommit final : public CommitPolicy {
 public:
  std::optional<CommitRefused> Check(const CommitSettings& s, const CommitDemand& demand,
                                     uint64_t) const override {
    const auto fits = [&demand](uint64_t in_use, uint64_t allowed) {
      return in_use <= allowed && demand.asked_bytes <= allowed - in_use;
    };
    // Microsoft, JOBOBJECT_BASIC_LIMIT_INFORMATION: a commit that would exceed the per-process limit fails.
    // That it is asked before the system's limit, and fails with the same number, is not verified.
    if (s.job_commit_bytes && !fits(demand.charged_bytes, *s.job_commit_bytes)) {
      return CommitRefused{Rule::kJobLimit, demand.charged_bytes, *s.job_commit_bytes};
    }
    // Microsoft, "Commit Limit" (Windows Internals, 6th edition, part 2: all paging files and the RAM that the
    // system can use).
    const uint64_t in_use = s.committed_elsewhere_bytes + demand.charged_bytes;
    const uint64_t allowed = s.ram_bytes + s.swap_bytes;
    if (fits(in_use, allowed)) return std::nullopt;
    return CommitRefused{Rule::kCommitLimit, in_use, allowed};
  }
};

}  // namespace

const CommitPolicy& PolicyOf(CommitRefusal rule) {
  static const NeverRefused never;
  static const LinuxOvercommit linux_overcommit;
  static const PageFileCommit page_file_commit;
  static const SwapReservation swap_reservation;
  switch (rule) {
    case CommitRefusal::kNever:
      return never;
    case CommitRefusal::kOvercommitMode:
      return linux_overcommit;
    case CommitRefusal::kRamPlusSwap:
      return page_file_commit;
    case CommitRefusal::kSwapReservation:
      return swap_reservation;
  }
  REHEAP_CHECK(false);
  return never;
}

}  // namespace reheap
