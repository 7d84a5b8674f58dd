#include "sim/report/verdict_matrix.h"

#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sim/report/run_text.h"

namespace reheap {

namespace {

// Indices of values in the order in which they first come.
template <class Value>
class Order {
 public:
  size_t IndexOf(const Value& value) {
    const auto [place, inserted] = indices_.emplace(value, values_.size());
    if (inserted) values_.push_back(value);
    return place->second;
  }
  const std::vector<Value>& values() const { return values_; }

 private:
  std::map<Value, size_t> indices_;
  std::vector<Value> values_;
};

VerdictMatrix MatrixOf(const proto::Report& report, const std::vector<int>& runs) {
  Order<std::string> strategies;
  Order<std::tuple<proto::World, std::string, std::string>> places;
  std::vector<std::pair<size_t, size_t>> where;
  for (const int index : runs) {
    const proto::Run& run = report.runs(index);
    where.emplace_back(strategies.IndexOf(PlanText(run)),
                       places.IndexOf({run.world(), run.platform(), LimitsText(run.limits())}));
  }
  VerdictMatrix matrix;
  matrix.strategies = strategies.values();
  for (const auto& [world, platform, limits] : places.values()) {
    matrix.places.push_back({world, platform, limits});
  }
  // Each factor is at most the number of runs, which a message holds below 2^31: no overflow.
  const size_t cells = matrix.strategies.size() * matrix.places.size();
  if (cells > VerdictMatrix::kMaxCells) return matrix;
  matrix.cells.resize(cells);
  for (size_t i = 0; i < runs.size(); ++i) {
    matrix.cells[where[i].first * matrix.places.size() + where[i].second].push_back(runs[i]);
  }
  return matrix;
}

}  // namespace

int DecidingRun(const proto::Report& report, const std::vector<int>& runs) {
  for (const int run : runs) {
    if (report.runs(run).outcome() != proto::SURVIVED) return run;
  }
  return runs.empty() ? -1 : runs.front();
}

VerdictMatrix JoinedVerdicts(const proto::Report& report, bool targets_too) {
  std::vector<int> runs;
  for (int i = 0; i < report.runs_size(); ++i) {
    if (targets_too || !report.runs(i).strategy().empty()) runs.push_back(i);
  }
  return MatrixOf(report, runs);
}

std::vector<VerdictMatrix> VerdictMatrices(const proto::Report& report, int* too_large) {
  std::vector<RunSubject> subjects;
  for (RunSubject& subject : SubjectsThatVary(report, CommonSubjects())) {
    // The target is told by the strategy's name already, or stands in its place.
    if (std::string(subject.title) != "target") subjects.push_back(std::move(subject));
  }
  Order<std::string> names;
  std::vector<std::vector<int>> runs;
  for (int i = 0; i < report.runs_size(); ++i) {
    const std::string name = absl::StrJoin(subjects, ", ", [&](std::string* out, const RunSubject& subject) {
      absl::StrAppend(out, subject.title, " ", subject.text(report.runs(i)));
    });
    const size_t index = names.IndexOf(name);
    if (index == runs.size()) runs.emplace_back();
    runs[index].push_back(i);
  }
  std::vector<VerdictMatrix> matrices;
  *too_large = 0;
  size_t cells = 0;
  for (size_t i = 0; i < runs.size(); ++i) {
    VerdictMatrix matrix = MatrixOf(report, runs[i]);
    matrix.subject = names.values()[i];
    cells += matrix.cells.size();
    if (matrix.cells.empty() || cells > VerdictMatrix::kMaxCells) {
      ++*too_large;
    } else {
      matrices.push_back(std::move(matrix));
    }
  }
  return matrices;
}

}  // namespace reheap
