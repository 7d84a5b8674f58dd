#include "sim/report/budget_check.h"

#include <google/protobuf/descriptor.h>

#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "alloc/check.h"
#include "sim/report/human_units.h"
#include "sim/report/report.h"
#include "sim/report/run_figure.h"
#include "sim/report/run_text.h"

namespace reheap {
namespace {

namespace pb = google::protobuf;

// The number that a field of BudgetFigures or BudgetRatios gives; absent when it gives none.
std::optional<double> Ceiling(const pb::Message& message, const char* name) {
  const pb::FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  REHEAP_CHECK(field != nullptr);  // every figure stands in both
  const pb::Reflection& reflection = *message.GetReflection();
  if (!reflection.HasField(message, field)) return std::nullopt;
  switch (field->cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_STRING:
      return static_cast<double>(*ParseBytes(reflection.GetString(message, field)));
    case pb::FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.GetDouble(message, field);
    case pb::FieldDescriptor::CPPTYPE_UINT32:
      return reflection.GetUInt32(message, field);
    default:
      return static_cast<double>(reflection.GetUInt64(message, field));
  }
}

// "8.0 MiB (25 %) above", of a value that is.
std::string Above(const RunFigure& figure, double value, double ceiling) {
  std::string text = FormatFigure(figure, value - ceiling);
  if (value >= 10 * ceiling && ceiling > 0) {
    absl::StrAppend(&text, absl::StrFormat(" (%.0f times)", value / ceiling));
  } else if (ceiling > 0) {
    absl::StrAppend(&text, absl::StrFormat(" (%.3g %%)", (value - ceiling) / ceiling * 100));
  }
  return absl::StrCat(text, " above");
}

std::string Sentence(const RunFigure& figure, const proto::Run& run, double value, double ceiling,
                     const std::string& whose) {
  std::string text = absl::StrCat(figure.title, " of ", FormatFigure(figure, value), " is ",
                                  Above(figure, value, ceiling), " ", whose);
  const std::string cause = PeakCauseText(run, figure.metric);
  return cause.empty() ? text : absl::StrCat(text, "; ", cause);
}

void CheckAbsolute(const proto::BudgetRow& row, const proto::Run& run, std::vector<std::string>* failures) {
  for (const RunFigure& figure : RunFigures()) {
    const std::optional<double> ceiling = Ceiling(row.at_most(), figure.name);
    if (!ceiling) continue;
    const std::optional<double> value = figure.value(run);
    if (!value) {
      failures->push_back(absl::StrCat(figure.title, " has a budget of ", FormatFigure(figure, *ceiling),
                                       " and is not known"));
    } else if (*value > *ceiling) {
      failures->push_back(Sentence(figure, run, *value, *ceiling,
                                   absl::StrCat("the budget of ", FormatFigure(figure, *ceiling))));
    }
  }
}

void CheckRelative(const proto::BudgetRow& row, const proto::Run& run, const proto::Run& baseline,
                   std::vector<std::string>* failures) {
  for (const RunFigure& figure : RunFigures()) {
    const std::optional<double> ratio = Ceiling(row.of_baseline(), figure.name);
    if (!ratio) continue;
    const std::optional<double> before = figure.value(baseline), value = figure.value(run);
    if (!before || !value) {
      failures->push_back(absl::StrCat(figure.title,
                                       " has a budget relative to the baseline and is not known ",
                                       before ? "here" : "there"));
      continue;
    }
    // Ratios are decimal words: 1.05 times 20 is 21, whatever binary fractions make of it.
    const double most = *before * *ratio;
    const double ceiling = std::nearbyint(most) != 0 && std::abs(most - std::nearbyint(most)) < 1e-9 * most
                               ? std::nearbyint(most)
                               : most;
    if (*value <= ceiling) continue;
    failures->push_back(
        Sentence(figure, run, *value, ceiling,
                 absl::StrFormat("%g times the baseline's %s", *ratio, FormatFigure(figure, *before))));
  }
}

std::string OutcomeText(const proto::Run& run) {
  std::string text = OutcomeName(run.outcome());
  if (!run.has_refusal()) return text;
  absl::StrAppend(&text, ": ", RefusalSentence(run.refusal()));
  if (!run.refusal().call().empty()) absl::StrAppend(&text, " (", run.refusal().call(), ")");
  return text;
}

void CheckOutcome(const proto::BudgetRow& row, const proto::Run& run, std::vector<std::string>* failures) {
  std::vector<std::string> wanted;
  bool is_met = row.outcome_size() == 0 && run.outcome() == proto::SURVIVED;
  for (const int outcome : row.outcome()) {
    wanted.push_back(OutcomeName(static_cast<proto::Outcome>(outcome)));
    is_met = is_met || outcome == run.outcome();
  }
  if (wanted.empty()) wanted.push_back(OutcomeName(proto::SURVIVED));
  if (!is_met) {
    failures->push_back(absl::StrCat("the program must end ", absl::StrJoin(wanted, " or "), " and ended ",
                                     OutcomeText(run)));
  } else if (!row.rule().empty() && run.outcome() != proto::SURVIVED && run.refusal().rule() != row.rule()) {
    failures->push_back(
        absl::StrCat("the program must be refused by ", row.rule(), " and ended ", OutcomeText(run)));
  }
}

}  // namespace

bool NeedsBaseline(const proto::BudgetRow& row) { return row.of_baseline().ByteSizeLong() != 0; }

std::vector<std::string> BudgetFailures(const proto::BudgetRow& row, const proto::Run& run,
                                        const proto::Run* baseline) {
  std::vector<std::string> failures;
  CheckOutcome(row, run, &failures);
  CheckAbsolute(row, run, &failures);
  if (!NeedsBaseline(row)) return failures;
  if (baseline == nullptr) {
    failures.push_back(absl::StrCat("the baseline has no run of ", RunAbout(run)));
  } else {
    CheckRelative(row, run, *baseline, &failures);
  }
  return failures;
}

}  // namespace reheap
