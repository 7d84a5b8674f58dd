#include "sim/os/page_file_commit.h"

namespace reheap {

std::optional<CommitRefused> PageFileCommit::Check(const CommitSettings& s, const CommitDemand& demand,
                                                   uint64_t) const {
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

}  // namespace reheap
