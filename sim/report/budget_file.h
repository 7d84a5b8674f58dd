// BudgetFile: a budget as a person wrote it, read and checked (row 11 of the walk).
//
// Whatever is wrong is said at once, each mistake as "file:line: field: what is wrong", so that nobody needs
// a second run of CI to learn of the second slip. Which strategies and platforms exist the caller knows
// (tools/cmd_check.cc).
//
// Values. Threads: any.
#ifndef REHEAP_SIM_REPORT_BUDGET_FILE_H_
#define REHEAP_SIM_REPORT_BUDGET_FILE_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/budget.pb.h"

namespace reheap {

// Words that only the caller knows: an empty answer, or why `word` is none ("no strategy is called ...").
struct BudgetWords {
  std::function<std::string(const std::string& word)> strategy_fault;
  std::function<std::string(const std::string& word)> platform_fault;
  std::function<std::string(const std::string& word)> image_fault;
};

// `file` is what messages call it. InvalidArgument: every mistake, a line each.
absl::StatusOr<proto::Budget> ParseBudget(absl::string_view text, absl::string_view file,
                                          const BudgetWords& words);

}  // namespace reheap

#endif  // REHEAP_SIM_REPORT_BUDGET_FILE_H_
