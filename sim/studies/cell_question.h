// CellQuestion: what is asked of one cell of a study, as rounds of probes (rows 6 to 11 of the walk).
//
//   while Next() is not empty:  replay its probes, Take() their rows;   then Answer()
//
// A grid asks for one probe; a search asks again, knowing more. Rounds let many cells share a decoding of the
// trace without knowing each other.
//
// Ownership: the plan's cell outlives it. Threads: one. Limits: an answer is one entry of one list of Report.
#ifndef REHEAP_SIM_STUDIES_CELL_QUESTION_H_
#define REHEAP_SIM_STUDIES_CELL_QUESTION_H_

#include <memory>
#include <vector>

#include "proto/report.pb.h"
#include "sim/studies/probe.h"
#include "sim/studies/study_plan.h"

namespace reheap {

class CellQuestion {
 public:
  virtual ~CellQuestion() = default;
  // What to replay next; empty = the answer is known.
  virtual std::vector<Probe> Next() = 0;
  // Rows of the last Next(), in its order.
  virtual void Take(std::vector<proto::Run> runs) = 0;
  // After the last Take.
  virtual void Answer(proto::Report* report) = 0;
};

std::unique_ptr<CellQuestion> MakeCellQuestion(const PlannedCell& cell);

// Replays that a cell is likely to need: for the time left.
uint64_t ExpectedProbes(const PlannedCell& cell);

// The kinds, each in its file.
std::unique_ptr<CellQuestion> MakeGridCell(const PlannedCell& cell);
std::unique_ptr<CellQuestion> MakeUsableHeapCell(const PlannedCell& cell);
std::unique_ptr<CellQuestion> MakeFailureTimesCell(const PlannedCell& cell);
std::unique_ptr<CellQuestion> MakeLimitSearchCell(const PlannedCell& cell);
std::unique_ptr<CellQuestion> MakeSensitivityCell(const PlannedCell& cell);

}  // namespace reheap

#endif  // REHEAP_SIM_STUDIES_CELL_QUESTION_H_
