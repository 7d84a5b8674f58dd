// StudyReport: the answers of a study's cells as one report, and reports of its shards as one (row 11).
//
// The same cells give the same bytes, whoever ran them: entries stand in the order of their cells, and nothing in
// a report says how many threads or shards there were, but for the part's own shard.
//
// Pure functions. Any thread.
#ifndef REHEAP_SIM_STUDIES_STUDY_REPORT_H_
#define REHEAP_SIM_STUDIES_STUDY_REPORT_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/report.pb.h"
#include "sim/studies/study_plan.h"

namespace reheap {

struct Shard {
  uint32_t index = 0;  // from 0
  uint32_t count = 1;
};

// Cells of `shard`: every count-th, so that dear questions are shared out too.
std::vector<uint64_t> CellsOf(const StudyPlan& plan, Shard shard);

// The report without its entries: tool, study, notes.
proto::Report ReportHead(const StudyPlan& plan, Shard shard, const std::string& tool);

// `head` with the entries of `answers`.
proto::Report WholeReport(proto::Report head, const std::map<uint64_t, proto::Report>& answers);

// Parts by the names of their files. InvalidArgument names the files that are not of one study, shards that
// overlap, and cells that nobody has.
absl::StatusOr<proto::Report> MergeReports(const std::vector<std::pair<std::string, proto::Report>>& parts);

}  // namespace reheap

#endif  // REHEAP_SIM_STUDIES_STUDY_REPORT_H_
