// StudyRunner: the cells of a study on all cores (rows 5 to 11 of the walk).
//
// Cells of one trace go in groups of up to ProbeRunner::kRunsAtOnce; a thread takes the next group when it is
// done with one. What a cell answers depends on the cell alone, so neither the number of threads nor the
// grouping changes a byte:
//
//   groups:  [1 2 3 4][5 6 7 8][9 ...     thread 1: [1 2 3 4]      [9 ..
//                                         thread 2: [5 6 7 8] ...
//
// A function. Threads: `threads` of its own, ended when it returns; `finished` and `progress` are called by one
// at a time. Limits: memory of threads x kRunsAtOnce runs.
#ifndef REHEAP_SIM_STUDIES_STUDY_RUNNER_H_
#define REHEAP_SIM_STUDIES_STUDY_RUNNER_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "proto/report.pb.h"
#include "sim/replay/replay_request.h"
#include "sim/studies/study_plan.h"

namespace reheap {

struct StudyRunOptions {
  int threads = 1;
  // Asked now and then by every thread; true ends the run. Null = never.
  std::function<bool()> stop;
  // A cell's answer: a report with one entry. An error ends the run.
  std::function<absl::Status(uint64_t cell, const proto::Report& answer)> finished;
  ProgressSink* progress = nullptr;
};

// Runs the cells of these numbers, ascending. Cancelled when `stop` ended it; else the first error of a thread.
absl::Status RunCells(const StudyPlan& plan, const std::vector<uint64_t>& cells, const StudyRunOptions& options);

}  // namespace reheap

#endif  // REHEAP_SIM_STUDIES_STUDY_RUNNER_H_
