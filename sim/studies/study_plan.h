// StudyPlan: a study with every name resolved, every trace opened, every cell numbered (rows 4 and 6 of the walk).
//
// A cell is one combination that one question is asked of. Cells are numbered through all questions, question by
// question, trace by trace, in the order of replay_grid.h: the numbers are the same on every machine, so that
// shards agree on them without talking. Combinations that cannot be are notes, as in a replay.
//
// Ownership: owns everything its cells point to, and does not move. Threads: any may read it. A synthetic trace
// is written to a temporary file, which goes with the plan.
#ifndef REHEAP_SIM_STUDIES_STUDY_PLAN_H_
#define REHEAP_SIM_STUDIES_STUDY_PLAN_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/strategy.pb.h"
#include "sim/replay/replay_grid.h"
#include "sim/replay/replay_request.h"
#include "sim/replay/trace_setup.h"
#include "sim/studies/limit_axis.h"
#include "sim/studies/probe.h"
#include "sim/studies/study_catalog.h"

namespace reheap {

struct PlannedTrace {
  PlannedTrace() = default;
  ~PlannedTrace();  // removes what it wrote
  PlannedTrace(const PlannedTrace&) = delete;
  PlannedTrace& operator=(const PlannedTrace&) = delete;

  std::string name;  // as reports have it
  std::string path;
  bool is_temporary = false;
  TraceSetup setup;
  ReplayRequest request;  // of a probe: image, touch and so on
  std::unique_ptr<ProbeSource> source;
};

struct PlannedQuestion {
  const proto::StudyQuestion* text = nullptr;
  ReplayGrid grid;
  const LimitAxis* axis = nullptr;          // of the limit that the question varies; else null
  std::unique_ptr<ReplayRequest> block_request;  // usable heap only, as the source
  std::unique_ptr<ProbeSource> blocks;
};

struct PlannedCell {
  uint64_t number = 0;
  const PlannedQuestion* question = nullptr;
  const PlannedTrace* trace = nullptr;  // null: needs none
  const ReplayRow* row = nullptr;
  bool full_detail = true;

  const ProbeSource& source() const { return trace != nullptr ? *trace->source : *question->blocks; }
  const proto::Strategy& strategy() const {
    return question->grid.texts[static_cast<size_t>(row->strategy - question->grid.strategies.data())].text;
  }
};

struct StudyPlan {
  StudyText study;
  std::deque<PlannedTrace> traces;
  std::deque<PlannedQuestion> questions;
  std::vector<PlannedCell> cells;
  std::vector<std::string> notes;
  // Of the study's text, its traces' bytes and its strategies: "xxh3:" and 32 hexadecimal digits.
  std::string digest;
};

// Errors: what a trace, maps file or combination has wrong, by name.
absl::StatusOr<std::unique_ptr<StudyPlan>> PlanStudy(StudyText study);

}  // namespace reheap

#endif  // REHEAP_SIM_STUDIES_STUDY_PLAN_H_
