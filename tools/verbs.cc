#include "sim/replay/replay_request.h"
#include "tools/cmd_check.h"
#include "tools/cmd_compare.h"
#include "tools/cmd_help.h"
#include "tools/cmd_os.h"
#include "tools/cmd_platform.h"
#include "tools/cmd_record.h"
#include "tools/cmd_replay.h"
#include "tools/cmd_report.h"
#include "tools/cmd_strategy.h"
#include "tools/cmd_study.h"
#include "tools/cmd_trace.h"
#include "tools/cmd_trace_edit.h"
#include "tools/command.h"

namespace reheap {
namespace {

int ReplayCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  return ReplayWith(RunReplays, arguments, terminal);
}

int CheckCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  return CheckWith(RunReplays, arguments, terminal);
}

}  // namespace

absl::Span<const Verb> Verbs() {
  static constexpr Verb kVerbs[] = {
      {"record", "runs a program and records its mallocs", RecordCommand},
      {"trace info", "what is in a trace", TraceInfoCommand},
      {"trace check", "every rule that a trace breaks, and where", TraceCheckCommand},
      {"trace collect", "joins what a recorder without a collector left", TraceCollectCommand},
      {"trace import", "another tool's record becomes a trace", TraceImportCommand},
      {"trace cut", "a part of a trace, that replays on its own", TraceCutCommand},
      {"trace filter", "the objects of some threads or sizes, with their whole lives", TraceFilterCommand},
      {"trace merge", "several traces as one process", TraceMergeCommand},
      {"trace anonymize", "a trace without names, paths and places, to be passed on", TraceAnonymizeCommand},
      {"trace synth", "a random trace from a seed", TraceSynthCommand},
      {"replay", "replays a trace on strategies, worlds, platforms and limits", ReplayCommand},
      {"study list", "names the what-if studies", StudyListCommand},
      {"study show", "one study's text", StudyShowCommand},
      {"study merge", "joins the results of a study's shards", StudyMergeCommand},
      {"study", "runs a what-if study: grid, smallest limits, usable heap, what would help", StudyCommand},
      {"check", "replays a trace against a budget, for CI", CheckCommand},
      {"compare", "two saved results side by side, with tolerances", CompareCommand},
      {"report", "a saved result as a page, Markdown, CSV, JSON or counters", ReportCommand},
      {"os", "a modelled process as a line shell: what would mmap do?", OsCommand},
      {"platform list", "names the modelled systems", PlatformListCommand},
      {"platform show", "one system's rules, with the source of each", PlatformShowCommand},
      {"strategy list", "names the reservation strategies", StrategyListCommand},
      {"strategy show", "one strategy in words, with the source of its numbers", StrategyShowCommand},
      {"strategy diff", "how two strategies differ, in words", StrategyDiffCommand},
      {"help", "this list, the man page, completion for shells", HelpCommand},
  };
  return kVerbs;
}

}  // namespace reheap
