// Sensitivity: which one change would have let a dying cell survive.
//
// Round 1: the cell as it is. Round 2, when it died: every change of the plan, and every limit that the row has
// without it. Then each limit whose absence helps is searched for the smallest value that works.
#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sim/studies/band_search.h"
#include "sim/studies/cell_question.h"
#include "sim/studies/strategy_changes.h"

namespace reheap {
namespace {

// A limit that works is found to a 256th of what the row has.
constexpr uint64_t kResolutionShare = 256;

// More than the program can need of a limit, by what it has without it: mappings, or bytes of addresses, of which data
// and charged memory are parts. A machine with strict overcommit promises no more than half its RAM, less reserves.
uint64_t MoreThanEnough(const LimitAxis& axis, uint64_t now, const proto::Run& without) {
  const uint64_t used = axis.is_count ? without.peak_vma_count() + 1000  // an image has some tens of them
                                      : without.image_vsize_bytes() + without.peak_vsize_bytes();
  return (axis.can_be_unlimited ? 2 : 8) * std::max(now, used);
}

// A limit of the row, and what is found out about more of it.
struct LimitChange {
  const LimitAxis* axis;
  uint64_t now;
  proto::Run without;
  std::optional<BandSearch> search;
  std::map<uint64_t, proto::Run> runs;
};

class SensitivityCell final : public CellQuestion {
 public:
  explicit SensitivityCell(const PlannedCell& cell) : cell_(cell) {
    const auto& fields = cell.question->text->sensitivity().field();
    fields_.assign(fields.begin(), fields.end());
  }

  std::vector<Probe> Next() override {
    ++round_;
    if (round_ == 1) return {{*cell_.row, nullptr}};
    if (FateOf(as_it_is_).lives) return {};
    return round_ == 2 ? ChangesAlone() : MoreOfLimits();
  }

  void Take(std::vector<proto::Run> runs) override {
    if (round_ == 1) {
      as_it_is_ = std::move(runs[0]);
    } else if (round_ == 2) {
      TakeChanges(std::move(runs));
    } else {
      for (size_t i = 0; i < runs.size(); ++i) {
        LimitChange& change = limits_[asked_[i].first];
        change.search->Take(asked_[i].second, FateOf(runs[i]));
        change.runs[asked_[i].second] = std::move(runs[i]);
      }
    }
  }

  void Answer(proto::Report* report) override;

 private:
  bool Asks(const std::string& field) const {
    return fields_.empty() || std::find(fields_.begin(), fields_.end(), field) != fields_.end();
  }

  std::vector<Probe> ChangesAlone() {
    std::vector<Probe> probes;
    std::vector<std::string> of_plan = fields_;
    std::erase(of_plan, "limits");
    if (fields_.empty() || !of_plan.empty()) changes_ = SingleChanges(cell_.strategy(), of_plan);
    for (const StrategyChange& change : changes_) {
      auto plan = std::make_shared<const CatalogStrategy>(change.plan);
      probes.push_back({*cell_.row, plan});
      probes.back().row.strategy = &plan->strategy;
      if (probes.back().row.text != nullptr) probes.back().row.text = plan.get();
    }
    if (!Asks("limits")) return probes;
    for (const LimitAxis& axis : LimitAxes()) {
      const std::optional<uint64_t> now = axis.get(*cell_.row);
      if (!now) continue;
      limits_.push_back({&axis, *now, {}, std::nullopt, {}});
      probes.push_back({*cell_.row, nullptr});
      axis.set(std::nullopt, &probes.back().row);
    }
    return probes;
  }

  void TakeChanges(std::vector<proto::Run> runs) {
    for (size_t i = 0; i < limits_.size(); ++i) {
      LimitChange& change = limits_[i];
      change.without = std::move(runs[changes_.size() + i]);
      if (!FateOf(change.without).lives) continue;
      BandSearch::Range range;
      range.from = change.now;
      range.to = MoreThanEnough(*change.axis, change.now, change.without);
      range.unit = change.axis->unit();
      range.resolution = std::max(range.unit, change.now / kResolutionShare);
      range.steps_per_octave = 1;
      change.search.emplace(range);
    }
    runs.resize(changes_.size());
    change_runs_ = std::move(runs);
  }

  std::vector<Probe> MoreOfLimits() {
    std::vector<Probe> probes;
    asked_.clear();
    for (size_t i = 0; i < limits_.size(); ++i) {
      if (!limits_[i].search) continue;
      for (uint64_t limit : limits_[i].search->Next()) {
        asked_.push_back({i, limit});
        probes.push_back({*cell_.row, nullptr});
        limits_[i].axis->set(limit, &probes.back().row);
      }
    }
    return probes;
  }

  void AddChange(const std::string& field, const std::string& from, const std::string& to, const proto::Run& run,
                 proto::Sensitivity* answer) const {
    proto::Change* change = answer->add_changes();
    change->set_field(field);
    change->set_from(from);
    change->set_to(to);
    change->set_outcome(run.outcome());
    if (run.has_refusal()) *change->mutable_refusal() = run.refusal();
  }
  void AddPlanChanges(proto::Sensitivity* answer) const;
  void AddLimitChange(const LimitChange& change, proto::Sensitivity* answer) const;

  const PlannedCell& cell_;
  std::vector<std::string> fields_;
  int round_ = 0;
  proto::Run as_it_is_;
  std::vector<StrategyChange> changes_;
  std::vector<proto::Run> change_runs_;
  std::vector<LimitChange> limits_;
  std::vector<std::pair<size_t, uint64_t>> asked_;  // of the last round: index in limits_, value
};

// Of the sizes of one field, the largest that lives; when none does, the smallest tried.
void SensitivityCell::AddPlanChanges(proto::Sensitivity* answer) const {
  for (size_t i = 0; i < changes_.size(); ++i) {
    const StrategyChange& change = changes_[i];
    if (change_runs_[i].outcome() == proto::OUTCOME_UNSPECIFIED) continue;  // no plan on this machine
    const bool is_size = change.size_bytes != 0;
    bool larger_lives = false;
    for (size_t j = i; is_size && j-- > 0 && changes_[j].field == change.field;) {
      larger_lives = larger_lives || FateOf(change_runs_[j]).lives;
    }
    const bool has_smaller = is_size && i + 1 < changes_.size() && changes_[i + 1].field == change.field;
    if (larger_lives || (has_smaller && !FateOf(change_runs_[i]).lives)) continue;
    AddChange(change.field, change.from, change.to, change_runs_[i], answer);
  }
}

void SensitivityCell::AddLimitChange(const LimitChange& change, proto::Sensitivity* answer) const {
  const std::string field = absl::StrCat("limits.", change.axis->report_field);
  const std::string from = FormatAxisValue(*change.axis, change.now);
  const std::optional<uint64_t> enough = change.search ? change.search->Smallest() : std::nullopt;
  if (enough) {
    AddChange(field, from, FormatAxisValue(*change.axis, *enough), change.runs.at(*enough), answer);
  } else {
    AddChange(field, from, FormatAxisValue(*change.axis, std::nullopt), change.without, answer);
  }
}

void SensitivityCell::Answer(proto::Report* report) {
  proto::Sensitivity* answer = report->add_sensitivities();
  answer->set_cell(cell_.number);
  answer->set_trace(cell_.trace->name);
  answer->set_strategy(as_it_is_.strategy());
  answer->set_platform(as_it_is_.platform());
  *answer->mutable_limits() = as_it_is_.limits();
  answer->set_outcome(as_it_is_.outcome());
  for (const LimitChange& change : limits_) AddLimitChange(change, answer);
  AddPlanChanges(answer);
}

}  // namespace

std::unique_ptr<CellQuestion> MakeSensitivityCell(const PlannedCell& cell) {
  return std::make_unique<SensitivityCell>(cell);
}

}  // namespace reheap
