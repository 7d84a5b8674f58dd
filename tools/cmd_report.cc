#include "tools/cmd_report.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/report.pb.h"
#include "sim/report/html/html_page.h"
#include "sim/report/human_units.h"
#include "sim/report/report.h"
#include "sim/report/report_reader.h"
#include "tools/options.h"
#include "tools/write_output.h"

namespace reheap {

namespace {

constexpr char kVerb[] = "report";

VerbOptions ReportOptions() {
  VerbOptions options(
      kVerb, "report R [options]",
      "Shows the saved result R in another form. R is what `reheap replay --output` or `--save` "
      "and `reheap study --output` wrote, binary or JSON: the file's first byte says which. "
      "Without options: the table.",
      "reheap report web.report --html web.html");
  options.Group("Files");
  options.Value(
      "html", "OUT", "",
      "one self-contained page: verdicts, figures, curves, who sits where; opens offline in any browser");
  options.Value("perfetto", "OUT", "",
                "timelines as counters in the JSON trace event format, for ui.perfetto.dev; 1 event = 1 us");
  options.Group("Output");
  options.Flag("markdown", "for a pull request: verdicts and refusals, figures folded away");
  options.Flag("csv", "one line per run, for spreadsheets");
  options.Flag("json", "report.proto in protobuf's JSON mapping");
  return options;
}

// The form for stdout: "table" when none is named and no file either, empty for files only.
absl::StatusOr<std::string> TextForm(const VerbOptions& options) {
  std::string form;
  for (const char* name : {"markdown", "csv", "json"}) {
    if (!options.IsSet(name)) continue;
    if (!form.empty()) return Contradiction(form, name, "standard output takes one form");
    form = name;
  }
  const bool files = options.Given("html") || options.Given("perfetto");
  return form.empty() && !files ? "table" : form;
}

absl::StatusOr<std::string> Render(const proto::Report& report, const std::string& form, bool color) {
  if (form == "markdown") return RenderMarkdown(report);
  if (form == "csv") return RenderCsv(report);
  if (form == "json") return RenderJson(report);
  return form == "table" ? RenderTable(report, {.color = color}) : std::string();
}

absl::Status WriteFiles(const proto::Report& report, const VerbOptions& options, Terminal& terminal) {
  using Renderer = std::string (*)(const proto::Report&);
  const std::pair<const char*, Renderer> forms[] = {{"html", RenderHtml}, {"perfetto", RenderPerfetto}};
  for (const auto& [name, render] : forms) {
    if (!options.Given(name)) continue;
    const std::string path = options.Get(name);
    const std::string text = render(report);
    if (absl::Status status = WriteOutput(path, text); !status.ok()) return status;
    terminal.err << path << ": " << FormatBytes(text.size()) << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

int ReportCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  VerbOptions options = ReportOptions();
  if (absl::Status status = options.Parse(arguments, {"R"}); !status.ok())
    return FailUsage(kVerb, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  const absl::StatusOr<std::string> form = TextForm(options);
  if (!form.ok()) return FailUsage(kVerb, form.status(), terminal);
  const absl::StatusOr<proto::Report> report = ReadReport(options.operand(0));
  if (!report.ok()) return FailUnreadable(kVerb, report.status(), terminal);
  if (absl::Status status = WriteFiles(*report, options, terminal); !status.ok()) {
    return FailUnreadable(kVerb, status, terminal);
  }
  const absl::StatusOr<std::string> text = Render(*report, *form, WantsColor(terminal));
  if (!text.ok()) return FailUnreadable(kVerb, text.status(), terminal);
  terminal.out << *text;
  return kAsExpected;
}

}  // namespace reheap
