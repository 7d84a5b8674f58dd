// PageFileCommit: committed memory against RAM and page files, and against the process's job (row 9).
//
// Windows promises no more than RAM and page files hold, all processes together; page files that grow by
// themselves are taken at the size that they may reach. A job object may allow one process less. Neither
// counts what is only reserved.
//
// Stateless: one object serves every process. Threads: any.
#ifndef REHEAP_SIM_OS_PAGE_FILE_COMMIT_H_
#define REHEAP_SIM_OS_PAGE_FILE_COMMIT_H_

#include <cstdint>
#include <optional>

#include "sim/os/commit_policy.h"

namespace reheap {

class PageFileCommit final : public CommitPolicy {
 public:
  std::optional<CommitRefused> Check(const CommitSettings& settings, const CommitDemand& demand,
                                     uint64_t os_page_bytes) const override;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PAGE_FILE_COMMIT_H_
