#include "tools/cmd_trace.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "sim/report/human_units.h"
#include "tools/options.h"
#include "tools/trace_info_text.h"
#include "traces/collector.h"
#include "traces/importers/android_importer.h"
#include "traces/trace_checker.h"
#include "traces/trace_info.h"
#include "traces/trace_reader.h"

namespace reheap {

namespace {

// Every rule with its count, then the first places of each, then how many more there are.
void PrintViolations(const TraceCheckReport& report, std::ostream& out) {
  for (const TraceViolation& violation : report.violations) out << violation.ToString() << "\n";
  if (report.total() > report.violations.size()) {
    out << "... and " << FormatCount(report.total() - report.violations.size()) << " more\n";
  }
  out << "\n";
  for (int i = 0; i < kTraceRuleCount; ++i) {
    const uint64_t count = report.counts[static_cast<size_t>(i)];
    if (count != 0) out << FormatCount(count) << " x " << TraceRuleName(static_cast<TraceRule>(i)) << "\n";
  }
}

// What an importer had to mend, so that nobody takes the trace for better than its source.
void PrintImport(const AndroidImportReport& report, const std::string& out_path, std::ostream& err) {
  err << out_path << ": " << FormatCount(report.events) << " events of " << FormatCount(report.lines)
      << " lines\n";
  const std::pair<const char*, uint64_t> mended[] = {
      {"times before their predecessor's, raised to it", report.raised_times},
      {"frees of unknown pointers, dropped", report.unknown_frees},
      {"reallocs of unknown pointers, taken for allocations", report.unknown_reallocs},
      {"allocations at a live pointer, the older object freed first", report.doubled_allocations},
  };
  for (const auto& [what, count] : mended) {
    if (count != 0) err << "  " << FormatCount(count) << " " << what << "\n";
  }
}

}  // namespace

int TraceInfoCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  constexpr char kVerb[] = "trace info";
  VerbOptions options(
      kVerb, "trace info T",
      "Says what is in the trace T: program and host, events by kind and call, threads, time span, bytes and "
      "objects alive at most, a histogram of sizes, dropped events, bytes per event.",
      "reheap trace info web.trace");
  if (absl::Status status = options.Parse(arguments, {"T"}); !status.ok())
    return FailUsage(kVerb, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  const absl::StatusOr<TraceInfo> info = ReadTraceInfo(options.operand(0));
  if (!info.ok()) return FailUnreadable(kVerb, info.status(), terminal);
  terminal.out << RenderTraceInfo(*info, options.operand(0));
  if (info->cut_off) return FailUnreadable(kVerb, CutOffError(options.operand(0), info->file_bytes), terminal);
  return kAsExpected;
}

int TraceCheckCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  constexpr char kVerb[] = "trace check";
  VerbOptions options(kVerb, "trace check T [options]",
                      "Names each rule that the trace T breaks, with block, event, thread and time. Exit "
                      "code 0: none is broken; 1: some are; 3: the file cannot be read.",
                      "reheap trace check web.trace --show 20");
  options.Group("Output");
  options.Value("show", "N", "100", "how many places to print at most; all are counted");
  if (absl::Status status = options.Parse(arguments, {"T"}); !status.ok())
    return FailUsage(kVerb, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  const absl::StatusOr<uint64_t> show = options.Number("show");
  if (!show.ok()) return FailUsage(kVerb, show.status(), terminal);
  const absl::StatusOr<TraceCheckReport> report = CheckTrace(options.operand(0), {.max_violations = *show});
  if (!report.ok()) return FailUnreadable(kVerb, report.status(), terminal);
  const std::string counted =
      absl::StrCat(FormatCount(report->events), " events in ", FormatCount(report->blocks), " blocks");
  if (report->ok()) {
    terminal.out << options.operand(0) << ": " << counted << ", no rule is broken\n";
    return kAsExpected;
  }
  PrintViolations(*report, terminal.out);
  terminal.out << options.operand(0) << ": " << counted << ", " << FormatCount(report->total())
               << (report->total() == 1 ? " violation\n" : " violations\n");
  if (report->cut_off) return FailUnreadable(kVerb, CutOffError(options.operand(0), report->file_bytes), terminal);
  return kExpectationNotMet;
}

int TraceCollectCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  constexpr char kVerb[] = "trace collect";
  VerbOptions options(
      kVerb, "trace collect DIR OUT",
      "Joins the spool that a recorder without a collector left in DIR into the trace OUT, and OUT.PID for "
      "each further process. Processes that still run are told to stop recording.",
      "reheap trace collect /dev/shm/spool web.trace");
  if (absl::Status status = options.Parse(arguments, {"DIR", "OUT"}); !status.ok()) {
    return FailUsage(kVerb, status, terminal);
  }
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  const absl::Status status = CollectSpool(options.operand(0), options.operand(1));
  if (!status.ok()) return FailUnreadable(kVerb, status, terminal);
  return kAsExpected;
}

int TraceImportCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  constexpr char kVerb[] = "trace import";
  VerbOptions options(
      kVerb, "trace import --from FORMAT IN OUT [options]",
      "Turns another tool's record of allocations into a trace. What the source cannot say stays unknown in "
      "the trace's header; nothing is invented. FORMAT:\n"
      "  android   bionic's record_allocs text, as memory_replay reads it (IN may be /dev/stdin)",
      "reheap trace import --from android surfaceflinger.txt surfaceflinger.trace");
  options.Group("Input");
  options.Value("from", "FORMAT", "", "android");
  options.Flag("lenient",
               "mend lines that break a trace's rules, and count them, instead of refusing the file");
  if (absl::Status status = options.Parse(arguments, {"IN", "OUT"}); !status.ok()) {
    return FailUsage(kVerb, status, terminal);
  }
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  if (!options.Given("from")) {
    return FailUsage(kVerb, absl::InvalidArgumentError("--from FORMAT is missing: android"), terminal);
  }
  const absl::StatusOr<std::string> format = options.Word("from", {"android"});
  if (!format.ok()) return FailUsage(kVerb, format.status(), terminal);
  const absl::StatusOr<AndroidImportReport> report =
      ImportAndroidTrace(options.operand(0), options.operand(1), {.lenient = options.IsSet("lenient")});
  if (!report.ok()) return FailUnreadable(kVerb, report.status(), terminal);
  PrintImport(*report, options.operand(1), terminal.err);
  return kAsExpected;
}

}  // namespace reheap
