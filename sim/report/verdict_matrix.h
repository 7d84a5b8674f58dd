// VerdictMatrix: who survives, strategies against places (row 11 of the walk).
//
// A place is what a strategy is replayed on: world, platform, limits. Strategies and places stand in the
// order in which the report first names them. A report of several traces (or targets, orders, touches) has
// one matrix for each, or one of all in which the worst outcome counts.
//
// Plain values of a report that outlives them; runs are indices into it. Threads: any.
#ifndef REHEAP_SIM_REPORT_VERDICT_MATRIX_H_
#define REHEAP_SIM_REPORT_VERDICT_MATRIX_H_

#include <cstddef>
#include <string>
#include <vector>

#include "proto/report.pb.h"

namespace reheap {

struct VerdictPlace {
  proto::World world;
  std::string platform;
  std::string limits;  // LimitsText
};

struct VerdictMatrix {
  // More than so many cells are no matrix that anybody reads, and a forged report may ask for any number.
  static constexpr size_t kMaxCells = 200000;

  std::string subject;  // "trace web.trace"; empty when the report has one matrix
  std::vector<std::string> strategies;
  std::vector<VerdictPlace> places;
  // cells[strategy * places.size() + place]: its runs, in the order of the report; empty = not asked for.
  std::vector<std::vector<int>> cells;

  const std::vector<int>& at(size_t strategy, size_t place) const {
    return cells[strategy * places.size() + place];
  }
};

// The run of a cell that decides its colour: the first that did not survive, else the first. -1 of no runs.
int DecidingRun(const proto::Report& report, const std::vector<int>& runs);

// All runs of the report in one matrix; no cells when there would be too many. Runs without a strategy (a
// malloc of this machine) are left out unless `targets_too`.
VerdictMatrix JoinedVerdicts(const proto::Report& report, bool targets_too);
// One matrix per subject, targets too, in the order of the report. `*too_large` counts those left out.
std::vector<VerdictMatrix> VerdictMatrices(const proto::Report& report, int* too_large);

}  // namespace reheap

#endif  // REHEAP_SIM_REPORT_VERDICT_MATRIX_H_
