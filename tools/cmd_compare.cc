#include "tools/cmd_compare.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sim/report/compare_reports.h"
#include "sim/report/message_json.h"
#include "sim/report/report_reader.h"
#include "sim/report/run_figure.h"
#include "sim/report/tool_version.h"
#include "tools/options.h"

namespace reheap {
namespace {

constexpr char kVerb[] = "compare";

VerbOptions CompareOptions() {
  VerbOptions options(
      kVerb, "compare R1 R2 [options]",
      "Puts two saved results side by side, with ratios: runs of the same trace, target, strategy, world, "
      "platform, limits, order and touch. Runs that only one of them has are named. With --tolerance the "
      "exit code is 1 when a figure of the second grew by more, or an outcome got worse.",
      "reheap compare main.json branch.json --tolerance peak_rss=5%,peak_vmas=0");
  options.Group("Compare");
  options.Value("tolerance", "F=P,...", "",
                absl::StrCat("by how much a figure may grow, in percent or as a fraction: ",
                             absl::StrJoin(RunFigureNames(), ", ")));
  options.Group("Output");
  options.Value("format", "F", "table", "table, json (proto/comparison.proto), csv");
  return options;
}

absl::StatusOr<std::string> Render(const proto::Comparison& comparison, const std::string& format,
                                   bool color) {
  if (format == "json") return MessageJson(comparison);
  return format == "csv" ? RenderComparisonCsv(comparison) : RenderComparisonTable(comparison, color);
}

}  // namespace

int CompareCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  VerbOptions options = CompareOptions();
  if (absl::Status status = options.Parse(arguments, {"R1", "R2"}); !status.ok())
    return FailUsage(kVerb, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  const absl::StatusOr<std::string> format = options.Word("format", {"table", "json", "csv"});
  if (!format.ok()) return FailUsage(kVerb, format.status(), terminal);
  const absl::StatusOr<Tolerances> tolerances = ParseTolerances(options.Get("tolerance"));
  if (!tolerances.ok()) {
    return FailUsage(kVerb,
                     absl::InvalidArgumentError(absl::StrCat("--tolerance: ", tolerances.status().message())),
                     terminal);
  }
  absl::StatusOr<proto::Report> reports[2] = {absl::UnknownError(""), absl::UnknownError("")};
  for (size_t i = 0; i < 2; ++i) {
    reports[i] = ReadReport(options.operand(i));
    if (!reports[i].ok()) return FailUnreadable(kVerb, reports[i].status(), terminal);
  }
  proto::Comparison comparison = CompareReports(*reports[0], *reports[1], *tolerances);
  comparison.set_tool(kToolVersion);
  comparison.set_rerun(terminal.command_line);
  comparison.set_before(options.operand(0));
  comparison.set_after(options.operand(1));
  const absl::StatusOr<std::string> text = Render(comparison, *format, terminal.out_is_terminal);
  if (!text.ok()) return FailUnreadable(kVerb, text.status(), terminal);
  terminal.out << *text;
  return comparison.worse() == 0 ? kAsExpected : kExpectationNotMet;
}

}  // namespace reheap
