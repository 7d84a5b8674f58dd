// BudgetCheck: does a run keep its budget, and if not, which figure, by how much, and what made it (row 11 of
// the walk).
//
// Pure functions: the same run, row and baseline give the same words. No ownership, any thread.
#ifndef REHEAP_SIM_REPORT_BUDGET_CHECK_H_
#define REHEAP_SIM_REPORT_BUDGET_CHECK_H_

#include <string>
#include <vector>

#include "proto/budget.pb.h"
#include "proto/report.pb.h"

namespace reheap {

// Whether the row compares with a baseline.
bool NeedsBaseline(const proto::BudgetRow& row);

// Each thing that is not as the row has it, as a sentence; empty = the budget is kept. `baseline` is null
// when there is no run of this kind in it. Preconditions: the row is one of ParseBudget's.
std::vector<std::string> BudgetFailures(const proto::BudgetRow& row, const proto::Run& run,
                                        const proto::Run* baseline);

// Text for people: a line per row, then what failed. Lines end in '\n'.
std::string RenderCheckTable(const proto::CheckResult& result, bool color);

// A JUnit file as CI systems read it: one suite, a case per row, a failure with all its sentences. No times
// and no dates: the same result gives the same bytes. `suite` names it.
std::string RenderJUnit(const proto::CheckResult& result, const std::string& suite);

}  // namespace reheap

#endif  // REHEAP_SIM_REPORT_BUDGET_CHECK_H_
