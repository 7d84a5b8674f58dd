// Cells that are answered by one round of probes: a grid's, usable heap, time to failure.
#include <utility>

#include "sim/report/human_units.h"
#include "sim/studies/band_search.h"
#include "sim/studies/cell_question.h"

namespace reheap {
namespace {

uint64_t LiveBytesAtEnd(const proto::Run& run) {
  return run.timeline_size() == 0 ? 0 : run.timeline(run.timeline_size() - 1).live_bytes();
}

// A question that one probe answers: the row as it is planned.
class OneProbeCell : public CellQuestion {
 public:
  explicit OneProbeCell(const PlannedCell& cell) : cell_(cell) {}

  std::vector<Probe> Next() override {
    if (asked_) return {};
    asked_ = true;
    return {{*cell_.row, nullptr}};
  }
  void Take(std::vector<proto::Run> runs) override { run_ = std::move(runs[0]); }

 protected:
  const PlannedCell& cell_;
  proto::Run run_;

 private:
  bool asked_ = false;
};

class GridCell final : public OneProbeCell {
 public:
  using OneProbeCell::OneProbeCell;

  void Answer(proto::Report* report) override {
    run_.set_cell(cell_.number);
    run_.set_trace(cell_.trace->name);
    if (!cell_.full_detail) {
      run_.clear_timeline();
      run_.clear_size_classes();
      run_.clear_address_space();
    }
    *report->add_runs() = std::move(run_);
  }
};

class UsableHeapCell final : public OneProbeCell {
 public:
  using OneProbeCell::OneProbeCell;

  void Answer(proto::Report* report) override {
    proto::UsableHeap* usable = report->add_usable_heaps();
    usable->set_cell(cell_.number);
    usable->set_strategy(run_.strategy());
    usable->set_platform(run_.platform());
    *usable->mutable_limits() = run_.limits();
    const std::string& block = cell_.question->text->usable_heap().block();
    usable->set_block_bytes(block.empty() ? 64 << 10 : *ParseBytes(block));
    // Nothing is freed, so the most alive is what was handed out.
    usable->set_usable_bytes(run_.peak_live_bytes());
    usable->set_outcome(run_.outcome());
    if (run_.has_refusal()) *usable->mutable_refusal() = run_.refusal();
    usable->set_provenance(proto::MODELLED);
  }
};

class FailureTimesCell final : public CellQuestion {
 public:
  explicit FailureTimesCell(const PlannedCell& cell) : cell_(cell), axis_(*cell.question->axis) {
    const proto::StudyTimeToFailure& text = cell.question->text->time_to_failure();
    BandSearch::Range range;
    range.from = *ParseAxisValue(axis_, text.from());
    range.to = *ParseAxisValue(axis_, text.to());
    range.unit = axis_.unit();
    range.steps_per_octave = text.steps_per_octave() == 0 ? 1 : text.steps_per_octave();
    limits_ = BandSearch(range).Next();
  }

  std::vector<Probe> Next() override {
    std::vector<Probe> probes;
    if (!runs_.empty()) return probes;
    for (uint64_t limit : limits_) {
      probes.push_back({*cell_.row, nullptr});
      axis_.set(limit, &probes.back().row);
    }
    return probes;
  }
  void Take(std::vector<proto::Run> runs) override { runs_ = std::move(runs); }
  void Answer(proto::Report* report) override {
    proto::FailureTimes* times = report->add_failure_times();
    times->set_cell(cell_.number);
    times->set_trace(cell_.trace->name);
    times->set_strategy(runs_[0].strategy());
    times->set_platform(runs_[0].platform());
    times->set_limit(axis_.report_field);
    *times->mutable_others() = LimitsBut(runs_[0].limits(), axis_);
    times->set_events(cell_.trace->setup.facts.event_count);
    times->set_provenance(proto::MODELLED);
    for (size_t i = 0; i < runs_.size(); ++i) {
      const Fate fate = FateOf(runs_[i]);
      proto::FailureTime* time = times->add_times();
      time->set_limit_bytes(limits_[i]);
      time->set_outcome(fate.outcome);
      if (fate.event) time->set_event(*fate.event);
      time->set_live_bytes(LiveBytesAtEnd(runs_[i]));
      time->set_rule(fate.rule);
      time->set_mode(fate.mode);
    }
  }

 private:
  const PlannedCell& cell_;
  const LimitAxis& axis_;
  std::vector<uint64_t> limits_;
  std::vector<proto::Run> runs_;
};

}  // namespace

std::unique_ptr<CellQuestion> MakeGridCell(const PlannedCell& cell) { return std::make_unique<GridCell>(cell); }
std::unique_ptr<CellQuestion> MakeUsableHeapCell(const PlannedCell& cell) {
  return std::make_unique<UsableHeapCell>(cell);
}
std::unique_ptr<CellQuestion> MakeFailureTimesCell(const PlannedCell& cell) {
  return std::make_unique<FailureTimesCell>(cell);
}

std::unique_ptr<CellQuestion> MakeCellQuestion(const PlannedCell& cell) {
  switch (cell.question->text->kind_case()) {
    case proto::StudyQuestion::kMinimalLimit: return MakeLimitSearchCell(cell);
    case proto::StudyQuestion::kUsableHeap: return MakeUsableHeapCell(cell);
    case proto::StudyQuestion::kTimeToFailure: return MakeFailureTimesCell(cell);
    case proto::StudyQuestion::kSensitivity: return MakeSensitivityCell(cell);
    default: return MakeGridCell(cell);
  }
}

// Most limits of a search end the program early and cost little.
uint64_t ExpectedProbes(const PlannedCell& cell) {
  constexpr uint64_t kOfSearch = 30;
  switch (cell.question->text->kind_case()) {
    case proto::StudyQuestion::kMinimalLimit:
    case proto::StudyQuestion::kSensitivity: return kOfSearch;
    case proto::StudyQuestion::kTimeToFailure: return 8;
    default: return 1;
  }
}

}  // namespace reheap
