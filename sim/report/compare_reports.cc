#include "sim/report/compare_reports.h"

#include <deque>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "sim/report/csv_field.h"
#include "sim/textproto/nearest_name.h"
#include "sim/report/run_figure.h"
#include "sim/report/run_text.h"
#include "sim/report/text_table.h"

namespace reheap {
namespace {

constexpr char kRed[] = "\x1b[31m";

// How well a program fares; smaller is worse.
int Rank(proto::Outcome outcome) {
  switch (outcome) {
    case proto::SURVIVED:
      return 4;
    case proto::DEGRADED:
      return 3;
    case proto::CATCHABLE_ERROR:
      return 2;
    case proto::LATE_ABORT:
      return 1;
    default:
      return 0;
  }
}

// Dies where it did not, or the same death earlier.
bool IsWorse(const proto::Run& before, const proto::Run& after) {
  if (before.outcome() != after.outcome()) return Rank(after.outcome()) < Rank(before.outcome());
  return before.refusal().has_event() && after.refusal().has_event() &&
         after.refusal().event() < before.refusal().event();
}

void CompareFigures(const proto::Run& before, const proto::Run& after, const Tolerances& tolerances,
                    proto::ComparedRun* compared) {
  for (const RunFigure& figure : RunFigures()) {
    const std::optional<double> old_value = figure.value(before), new_value = figure.value(after);
    const auto tolerance = tolerances.by_figure.find(figure.name);
    if (!old_value && !new_value) continue;
    proto::ComparedFigure* to = compared->add_figures();
    to->set_name(figure.name);
    if (old_value) to->set_before(*old_value);
    if (new_value) to->set_after(*new_value);
    if (old_value && new_value && *old_value != 0) to->set_ratio(*new_value / *old_value);
    if (tolerance == tolerances.by_figure.end()) continue;
    to->set_tolerance(tolerance->second);
    // A figure that is not known any more cannot be vouched for.
    to->set_is_worse(old_value && (!new_value || *new_value - *old_value > *old_value * tolerance->second));
  }
}

bool HasWorseFigure(const proto::ComparedRun& run) {
  for (const proto::ComparedFigure& figure : run.figures()) {
    if (figure.is_worse()) return true;
  }
  return false;
}

std::string Cell(const proto::ComparedFigure& figure, bool is_before) {
  if (!(is_before ? figure.has_before() : figure.has_after())) return "-";
  return FormatFigure(*FindRunFigure(figure.name()), is_before ? figure.before() : figure.after());
}

std::string Ratio(const proto::ComparedFigure& figure) {
  return figure.has_ratio() ? absl::StrFormat("%.3f", figure.ratio()) : "-";
}

// Names of the runs that `other` does not have.
void AddNames(const char* title, const google::protobuf::RepeatedPtrField<std::string>& names,
              std::string* text) {
  if (names.empty()) return;
  absl::StrAppend(text, "\n", title, ":\n");
  for (const std::string& name : names) absl::StrAppend(text, "  ", name, "\n");
}

}  // namespace

absl::StatusOr<Tolerances> ParseTolerances(absl::string_view text) {
  Tolerances tolerances;
  if (text.empty()) return tolerances;
  for (const absl::string_view word : absl::StrSplit(text, ',')) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(word, absl::MaxSplits('=', 1));
    if (FindRunFigure(parts.first) == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", parts.first, "' is not one of ", absl::StrJoin(RunFigureNames(), ", "),
                       "; the nearest is '", NearestName(parts.first, RunFigureNames()), "'"));
    }
    absl::string_view number = parts.second;
    const bool is_percent = absl::ConsumeSuffix(&number, "%");
    double growth = 0;
    if (!absl::SimpleAtod(number, &growth) || !(growth >= 0 && growth < 1e9)) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", std::string(word), "' is not a figure and its growth, like peak_rss=5%"));
    }
    tolerances.by_figure[parts.first] = is_percent ? growth / 100 : growth;
  }
  return tolerances;
}

proto::Comparison CompareReports(const proto::Report& before, const proto::Report& after,
                                 const Tolerances& tolerances) {
  proto::Comparison comparison;
  std::map<std::string, std::deque<const proto::Run*>> old_runs;
  for (const proto::Run& run : before.runs()) old_runs[RunKey(run)].push_back(&run);
  for (const proto::Run& run : after.runs()) {
    std::deque<const proto::Run*>& alike = old_runs[RunKey(run)];
    if (alike.empty()) {
      comparison.add_only_after(RunAbout(run));
      continue;
    }
    const proto::Run& old_run = *alike.front();
    alike.pop_front();
    proto::ComparedRun* compared = comparison.add_runs();
    compared->set_about(RunAbout(run));
    compared->set_outcome_before(old_run.outcome());
    compared->set_outcome_after(run.outcome());
    compared->set_outcome_is_worse(IsWorse(old_run, run));
    CompareFigures(old_run, run, tolerances, compared);
    const bool is_beyond =
        !tolerances.by_figure.empty() && (compared->outcome_is_worse() || HasWorseFigure(*compared));
    if (is_beyond) comparison.set_worse(comparison.worse() + 1);
  }
  for (const proto::Run& run : before.runs()) {
    std::deque<const proto::Run*>& left = old_runs[RunKey(run)];
    if (left.empty() || left.front() != &run) continue;
    left.pop_front();
    comparison.add_only_before(RunAbout(run));
  }
  return comparison;
}

std::string RenderComparisonTable(const proto::Comparison& comparison, bool color) {
  TextTable table;
  for (const char* title : {"run", "figure"}) table.AddColumn(title, TextTable::Align::kLeft);
  for (const char* title : {"before", "after", "ratio", "tolerance"})
    table.AddColumn(title, TextTable::Align::kRight);
  table.AddColumn("", TextTable::Align::kLeft);
  for (const proto::ComparedRun& run : comparison.runs()) {
    const auto add = [&](std::vector<std::string> cells, bool is_worse) {
      table.AddRow(std::move(cells));
      if (color && is_worse) table.ColorLastRow(6, kRed);
    };
    add({run.about(), "outcome", OutcomeName(run.outcome_before()), OutcomeName(run.outcome_after()), "", "",
         run.outcome_is_worse() ? "WORSE" : ""},
        run.outcome_is_worse());
    for (const proto::ComparedFigure& figure : run.figures()) {
      if (!figure.has_tolerance() && figure.before() == figure.after() &&
          figure.has_before() == figure.has_after())
        continue;
      add({"", figure.name(), Cell(figure, true), Cell(figure, false), Ratio(figure),
           figure.has_tolerance() ? absl::StrFormat("%g %%", figure.tolerance() * 100) : "",
           figure.is_worse() ? "WORSE" : ""},
          figure.is_worse());
    }
  }
  std::string text = table.Render();
  AddNames("only in the first", comparison.only_before(), &text);
  AddNames("only in the second", comparison.only_after(), &text);
  absl::StrAppend(&text, "\n", comparison.runs_size(), " runs in both, ", comparison.worse(),
                  " worse than the tolerances\n");
  return text;
}

std::string RenderComparisonCsv(const proto::Comparison& comparison) {
  std::string csv =
      "run,outcome_before,outcome_after,outcome_is_worse,figure,before,after,ratio,tolerance,is_worse\r\n";
  const auto number = [](bool is_known, double value) {
    return is_known ? absl::StrFormat("%.17g", value) : std::string();
  };
  for (const proto::ComparedRun& run : comparison.runs()) {
    for (const proto::ComparedFigure& figure : run.figures()) {
      absl::StrAppend(
          &csv,
          absl::StrJoin(
              {CsvField(run.about()), OutcomeName(run.outcome_before()), OutcomeName(run.outcome_after()),
               std::string(run.outcome_is_worse() ? "1" : "0"), figure.name(),
               number(figure.has_before(), figure.before()), number(figure.has_after(), figure.after()),
               number(figure.has_ratio(), figure.ratio()), number(figure.has_tolerance(), figure.tolerance()),
               std::string(figure.is_worse() ? "1" : "0")},
              ","),
          "\r\n");
    }
  }
  return csv;
}

}  // namespace reheap
