#include "tools/cmd_check.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "sim/os/image_catalog.h"
#include "sim/os/platform_source.h"
#include "sim/report/budget_check.h"
#include "sim/report/budget_file.h"
#include "sim/report/human_units.h"
#include "sim/report/message_json.h"
#include "sim/report/report.h"
#include "sim/report/report_reader.h"
#include "sim/report/run_figure.h"
#include "sim/report/run_text.h"
#include "sim/report/tool_version.h"
#include "sim/strategies/strategy_catalog.h"
#include "tools/named_platform.h"
#include "tools/nearest_name.h"
#include "tools/options.h"
#include "tools/progress.h"
#include "tools/write_output.h"

namespace reheap {
namespace {

constexpr char kVerb[] = "check";

VerbOptions CheckOptions() {
  VerbOptions options(
      kVerb, "check T --budget FILE [options]",
      "Replays the trace T as each row of a budget says and compares what it cost: peaks, survival, "
      "fragmentation, lookup loads. Exit code 0 when every row keeps its budget, 1 when one does not; the "
      "message says which figure, by how much, and which event made the peak. Virtual rows are the same on "
      "every machine. tools/README.md, \"Replay in CI\", shows how to write a budget.",
      "reheap check web.trace --budget web.budget.textproto --junit check.xml");
  options.Group("Check");
  options.Value("budget", "FILE", "", "the budget, a textproto (proto/budget.proto)");
  options.Value("baseline", "R", "",
                "an earlier result, from --save or `reheap replay --save`: what of_baseline is about");
  options.Flag("cut-off",
               "replay a trace that was cut off as far as its blocks are whole, instead of refusing it");
  options.Group("Output");
  options.Value("junit", "FILE", "", "also write a JUnit XML file, a test case per row");
  options.Value("save", "FILE", "", "also write the runs as a result (JSON): the next baseline");
  options.Value("format", "F", "table", "table or json (CheckResult of proto/budget.proto)");
  options.Flag("quiet", "no progress on stderr");
  return options;
}

absl::StatusOr<std::string> ReadText(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  if (stream) text << stream.rdbuf();
  if (!stream) return absl::NotFoundError(absl::StrCat(path, ": cannot read it: ", std::strerror(errno)));
  return std::move(text).str();
}

// `path` as the budget file means it.
std::string BesideBudget(const std::string& budget_path, const std::string& path) {
  const size_t slash = budget_path.rfind('/');
  const bool stays = path.empty() || path[0] == '/' || slash == std::string::npos;
  return stays ? path : budget_path.substr(0, slash + 1) + path;
}

std::string StrategyPath(const std::string& budget_path, const std::string& word) {
  return IsStrategyPath(word) ? BesideBudget(budget_path, word) : word;
}

std::string PlatformPath(const std::string& budget_path, const std::string& word) {
  return IsPlatformPath(word) ? BesideBudget(budget_path, word) : word;
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

BudgetWords WordsOf(const std::string& budget_path) {
  BudgetWords words;
  words.strategy_fault = [budget_path](const std::string& word) {
    if (IsStrategyPath(word)) return Message(LoadStrategy(StrategyPath(budget_path, word)).status());
    const std::vector<std::string> known = StrategyNames();
    const bool is_known = std::find(known.begin(), known.end(), word) != known.end();
    return is_known ? std::string() : UnknownName("strategy", word, known, "reheap strategy list");
  };
  words.platform_fault = [budget_path](const std::string& word) {
    return Message(NamedPlatform(PlatformPath(budget_path, word)).status());
  };
  words.image_fault = [](const std::string& word) {
    std::vector<std::string> known = NamedImageNames();
    known.push_back("platform");
    const bool is_known = std::find(known.begin(), known.end(), word) != known.end();
    return is_known ? std::string() : UnknownName("image", word, known, "reheap replay --help");
  };
  return words;
}

// The request of one run. Preconditions: ParseBudget found nothing wrong.
ReplayRequest RequestOf(const proto::BudgetRow& row, const std::string& trace, const std::string& budget_path,
                        bool cut_off) {
  ReplayRequest request;
  request.trace_path = trace;
  request.real = row.world() == proto::REAL;
  request.virtual_world = !request.real;
  request.targets = {row.target().empty() ? "heap" : row.target()};
  if (!row.strategy().empty()) request.strategies = {StrategyPath(budget_path, row.strategy())};
  if (!row.platform().empty()) request.platforms = {PlatformPath(budget_path, row.platform())};
  const proto::BudgetLimits& limits = row.limits();
  if (!limits.address().empty()) request.address_limits = {*ParseLimit(limits.address())};
  if (!limits.data().empty()) request.data_limits = {*ParseLimit(limits.data())};
  if (!limits.memory_max().empty()) request.memory_limits = {*ParseLimit(limits.memory_max())};
  if (!limits.stack().empty()) request.stack_limits = {*ParseLimit(limits.stack())};
  if (!limits.ram().empty()) request.ram_bytes = {*ParseBytes(limits.ram())};
  if (limits.has_overcommit()) request.overcommit_modes = {static_cast<int>(limits.overcommit())};
  if (limits.max_map_count() != 0) request.max_mappings = {limits.max_map_count()};
  if (!limits.thp().empty()) request.thp = {limits.thp()};
  request.touch = row.touch().empty() ? "full" : row.touch();
  request.image = row.image();
  request.maps_path = BesideBudget(budget_path, row.maps());
  if (!row.foreign().empty()) request.foreign = row.foreign();
  if (!row.thread_stacks().empty()) request.thread_stacks = row.thread_stacks();
  request.allow_cut_off = cut_off;
  request.measure_lookup = row.at_most().has_lookup_ns() || row.of_baseline().has_lookup_ns();
  return request;
}

// Of the report's runs, those that `run` can be compared with.
const proto::Run* FindBaseline(const proto::Report& baseline, const proto::Run& run) {
  const std::string key = RunKey(run);
  for (const proto::Run& candidate : baseline.runs()) {
    if (RunKey(candidate) == key) return &candidate;
  }
  return nullptr;
}

// Everything that the command line and the files say.
struct Check {
  std::string trace;
  std::string budget_path;
  proto::Budget budget;
  proto::Report baseline;
  bool has_baseline = false;
  bool cut_off = false;
};

absl::Status ReadFiles(const VerbOptions& options, Check* check) {
  check->trace = options.operand(0);
  check->budget_path = options.Get("budget");
  check->cut_off = options.IsSet("cut-off");
  const absl::StatusOr<std::string> text = ReadText(check->budget_path);
  if (!text.ok()) return text.status();
  absl::StatusOr<proto::Budget> budget = ParseBudget(*text, check->budget_path, WordsOf(check->budget_path));
  if (!budget.ok()) return budget.status();
  check->budget = *std::move(budget);
  check->has_baseline = options.Given("baseline");
  if (!check->has_baseline) return absl::OkStatus();
  absl::StatusOr<proto::Report> baseline = ReadReport(options.Get("baseline"));
  if (!baseline.ok()) return baseline.status();
  check->baseline = *std::move(baseline);
  return absl::OkStatus();
}

absl::Status RunRow(ReplayFunction replay, const Check& check, const proto::BudgetRow& row,
                    ProgressSink* progress, proto::CheckedRow* checked) {
  checked->set_name(row.name());
  absl::StatusOr<proto::Report> report =
      replay(RequestOf(row, check.trace, check.budget_path, check.cut_off), progress);
  if (!report.ok()) return report.status();
  if (report->runs_size() != 1) {
    checked->add_failures(absl::StrCat("it cannot be replayed: ", absl::StrJoin(report->notes(), "; ")));
    return absl::OkStatus();
  }
  proto::Run* run = checked->mutable_run();
  *run = std::move(*report->mutable_runs(0));
  if (run->has_refusal()) run->mutable_refusal()->set_message(RefusalSentence(run->refusal()));
  const proto::Run* baseline = check.has_baseline ? FindBaseline(check.baseline, *run) : nullptr;
  for (std::string& failure : BudgetFailures(row, *run, baseline)) checked->add_failures(std::move(failure));
  checked->set_passed(checked->failures_size() == 0);
  return absl::OkStatus();
}

absl::Status WriteForms(const VerbOptions& options, const proto::CheckResult& result) {
  if (options.Given("junit")) {
    const std::string suite =
        absl::StrCat(FileName(options.operand(0)), " ", FileName(options.Get("budget")));
    if (absl::Status status = WriteOutput(options.Get("junit"), RenderJUnit(result, suite)); !status.ok())
      return status;
  }
  if (!options.Given("save")) return absl::OkStatus();
  proto::Report report;
  report.set_tool(result.tool());
  report.set_rerun(result.rerun());
  for (const proto::CheckedRow& row : result.rows()) {
    if (row.has_run()) *report.add_runs() = row.run();
  }
  const absl::StatusOr<std::string> json = RenderJson(report);
  return json.ok() ? WriteOutput(options.Get("save"), *json) : json.status();
}

// What the command line lacks, once the budget is known.
absl::Status CheckWords(const VerbOptions& options, const Check& check) {
  for (const proto::BudgetRow& row : check.budget.row()) {
    if (!NeedsBaseline(row) || check.has_baseline) continue;
    return absl::InvalidArgumentError(absl::StrCat("--baseline R is missing: row '", row.name(), "' of ",
                                                   options.Get("budget"), " has a budget relative to it"));
  }
  return absl::OkStatus();
}

}  // namespace

int CheckWith(ReplayFunction replay, const std::vector<std::string>& arguments, Terminal& terminal) {
  VerbOptions options = CheckOptions();
  if (absl::Status status = options.Parse(arguments, {"T"}); !status.ok())
    return FailUsage(kVerb, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  const absl::StatusOr<std::string> format = options.Word("format", {"table", "json"});
  if (!format.ok()) return FailUsage(kVerb, format.status(), terminal);
  if (!options.Given("budget")) {
    return FailUsage(kVerb, absl::InvalidArgumentError("--budget FILE is missing"), terminal);
  }
  Check check;
  if (absl::Status status = ReadFiles(options, &check); !status.ok())
    return FailUnreadable(kVerb, status, terminal);
  if (absl::Status status = CheckWords(options, check); !status.ok())
    return FailUsage(kVerb, status, terminal);

  proto::CheckResult result;
  result.set_tool(kToolVersion);
  result.set_rerun(terminal.command_line);
  bool passed = true;
  for (const proto::BudgetRow& row : check.budget.row()) {
    ProgressBar progress(terminal.err, terminal.err_is_terminal, options.IsSet("quiet"));
    if (absl::Status status = RunRow(replay, check, row, &progress, result.add_rows()); !status.ok()) {
      return FailUnreadable(kVerb, status, terminal);
    }
    passed = passed && result.rows(result.rows_size() - 1).passed();
  }
  const absl::StatusOr<std::string> text =
      *format == "json" ? MessageJson(result) : RenderCheckTable(result, terminal.out_is_terminal);
  if (!text.ok()) return FailUnreadable(kVerb, text.status(), terminal);
  terminal.out << *text;
  if (absl::Status status = WriteForms(options, result); !status.ok())
    return FailUnreadable(kVerb, status, terminal);
  return passed ? kAsExpected : kExpectationNotMet;
}

}  // namespace reheap
