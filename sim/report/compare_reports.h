// CompareReports: two results side by side, run by run, with ratios and tolerances (row 11 of the walk).
//
// Runs match when they are about the same thing (RunKey); of several alike in one result, the first matches
// the first. A run that only one result has is named, never dropped in silence.
//
// Pure functions: the same results give the same bytes. No ownership, any thread.
#ifndef REHEAP_SIM_REPORT_COMPARE_REPORTS_H_
#define REHEAP_SIM_REPORT_COMPARE_REPORTS_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/comparison.pb.h"
#include "proto/report.pb.h"

namespace reheap {

// By how much each figure may grow: 0.05 is 5 %. With any tolerance given, an outcome may not get worse
// either.
struct Tolerances {
  std::map<std::string, double> by_figure;  // names as RunFigures has them
};

// "peak_rss=5%,peak_vmas=0": percent, or a fraction of 1. InvalidArgument names the word, and the nearest
// figure.
absl::StatusOr<Tolerances> ParseTolerances(absl::string_view text);

proto::Comparison CompareReports(const proto::Report& before, const proto::Report& after,
                                 const Tolerances& tolerances);

// Text for people. A line per run and figure that differs or has a tolerance; lines end in '\n'.
std::string RenderComparisonTable(const proto::Comparison& comparison, bool color);
// One line per run and figure, RFC 4180.
std::string RenderComparisonCsv(const proto::Comparison& comparison);

}  // namespace reheap

#endif  // REHEAP_SIM_REPORT_COMPARE_REPORTS_H_
