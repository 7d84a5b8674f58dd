#include "tools/cmd_trace_edit.h"

#include <filesystem>
#include <optional>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "sim/report/human_units.h"
#include "tools/options.h"
#include "traces/synthetic_trace.h"
#include "traces/trace_anonymizer.h"
#include "traces/trace_cutter.h"
#include "traces/trace_filter.h"
#include "traces/trace_merger.h"

namespace reheap {

namespace {

// An editor's error as an exit code: it keeps FailedPrecondition for requests that the trace cannot fulfil.
int Fail(const char* verb, const absl::Status& status, Terminal& terminal) {
  return absl::IsFailedPrecondition(status) ? FailUsage(verb, status, terminal)
                                            : FailUnreadable(verb, status, terminal);
}

absl::Status CheckOut(const std::string& in, const std::string& out) {
  std::error_code error;
  if (!std::filesystem::equivalent(in, out, error) || error) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(out, " is ", in, " itself; OUT must be another file"));
}

// "reheap trace cut --from-event 5": what of the command line made the result, for the header; no file names.
std::string How(const std::string& verb, const VerbOptions& options, const std::vector<std::string>& names) {
  std::string how = absl::StrCat("reheap ", verb);
  for (const std::string& name : names) {
    if (options.Given(name)) absl::StrAppend(&how, " --", name, " ", options.Get(name));
  }
  return how;
}

// Puts the option's number at `to` when it is given.
absl::Status TakeNumber(const VerbOptions& options, const std::string& name, uint64_t* to) {
  if (!options.Given(name)) return absl::OkStatus();
  const absl::StatusOr<uint64_t> number = options.Number(name);
  if (number.ok()) *to = *number;
  return number.status();
}

absl::Status TakeBytes(const VerbOptions& options, const std::string& name, uint64_t* to) {
  if (options.Get(name).empty()) return absl::OkStatus();
  const absl::StatusOr<uint64_t> bytes = ParseBytes(options.Get(name));
  if (!bytes.ok())
    return absl::InvalidArgumentError(absl::StrCat("--", name, ": ", bytes.status().message()));
  *to = *bytes;
  return absl::OkStatus();
}

// "1500", "20ms", "1.5 s": nanoseconds.
absl::Status TakeTime(const VerbOptions& options, const std::string& name, uint64_t* to) {
  if (!options.Given(name) || absl::SimpleAtoi(options.Get(name), to)) return absl::OkStatus();
  constexpr struct {
    const char* name;
    double ns;
  } kUnits[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"min", 60e9}, {"s", 1e9}};
  const std::string text = options.Get(name);
  for (const auto& unit : kUnits) {
    absl::string_view number = text;
    double value = 0;
    if (!absl::ConsumeSuffix(&number, unit.name)) continue;
    // Up to half of what fits: 292 years.
    if (!absl::SimpleAtod(number, &value) || !(value >= 0 && value * unit.ns < 9.2e18)) break;
    *to = static_cast<uint64_t>(value * unit.ns);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--", name, ": '", text, "' is not a time: 20ms, 1.5s, 2min, bare = nanoseconds"));
}

absl::StatusOr<TraceCutOptions> CutOptions(const VerbOptions& options) {
  constexpr char kOneStart[] = "a cut begins at an event or at a time";
  constexpr char kOneEnd[] = "a cut ends at an event or at a time";
  if (options.Given("from-event") && options.Given("from-time"))
    return Contradiction("from-event", "from-time", kOneStart);
  if (options.Given("to-event") && options.Given("to-time"))
    return Contradiction("to-event", "to-time", kOneEnd);
  TraceCutOptions cut;
  for (const absl::Status& status :
       {TakeNumber(options, "from-event", &cut.from_event), TakeNumber(options, "to-event", &cut.to_event),
        TakeTime(options, "from-time", &cut.from_time_ns), TakeTime(options, "to-time", &cut.to_time_ns)}) {
    if (!status.ok()) return status;
  }
  constexpr char kEmpty[] = "nothing lies between";
  if (cut.from_event >= cut.to_event) return Contradiction("from-event", "to-event", kEmpty);
  if (cut.from_time_ns >= cut.to_time_ns) return Contradiction("from-time", "to-time", kEmpty);
  const std::vector<std::string> names = {"from-event", "from-time", "to-event", "to-time"};
  cut.how = How("trace cut", options, names);
  for (const std::string& name : names) {
    if (options.Given(name)) return cut;
  }
  return absl::InvalidArgumentError(
      "nowhere to cut: --from-event, --from-time, --to-event or --to-time is missing");
}

absl::StatusOr<TraceFilterOptions> FilterOptions(const VerbOptions& options) {
  TraceFilterOptions filter;
  const absl::StatusOr<std::vector<std::string>> threads = options.List("threads");
  if (!threads.ok()) return threads.status();
  for (const std::string& text : *threads) {
    uint32_t thread = 0;
    if (!absl::SimpleAtoi(text, &thread)) {
      return absl::InvalidArgumentError(absl::StrCat("--threads: '", text, "' is not a thread's number"));
    }
    filter.threads.push_back(thread);
  }
  absl::Status taken = TakeBytes(options, "min-size", &filter.min_size_bytes);
  if (taken.ok()) taken = TakeBytes(options, "max-size", &filter.max_size_bytes);
  if (!taken.ok()) return taken;
  if (filter.min_size_bytes > filter.max_size_bytes)
    return Contradiction("min-size", "max-size", "no size lies between");
  filter.mappings = !options.IsSet("no-mappings");
  if (filter.mappings && !options.Given("threads") && !options.Given("min-size") &&
      !options.Given("max-size")) {
    return absl::InvalidArgumentError(
        "nothing to filter by: --threads, --min-size, --max-size or --no-mappings is missing");
  }
  filter.how = How("trace filter", options, {"threads", "min-size", "max-size"});
  if (!filter.mappings) filter.how += " --no-mappings";
  return filter;
}

struct Synth {
  SyntheticTraceOptions trace;
  uint64_t events = 0;
};

absl::StatusOr<Synth> SynthOptions(const VerbOptions& options) {
  // Sizes and what is alive are added up in 64 bits; a replay takes so many threads at once.
  constexpr uint64_t kMaxSize = uint64_t{1} << 40;
  constexpr uint64_t kMaxThreads = 65536;
  for (const char* name : {"seed", "events"}) {
    if (!options.Given(name)) return absl::InvalidArgumentError(absl::StrCat("--", name, " N is missing"));
  }
  Synth synth;
  const absl::StatusOr<uint64_t> threads = options.Number("threads");
  for (const absl::Status& status :
       {TakeNumber(options, "seed", &synth.trace.seed), TakeNumber(options, "events", &synth.events),
        threads.status(), TakeBytes(options, "live-target", &synth.trace.live_target_bytes),
        TakeBytes(options, "max-size", &synth.trace.max_size_bytes)}) {
    if (!status.ok()) return status;
  }
  if (*threads < 1 || *threads > kMaxThreads) {
    return absl::InvalidArgumentError(absl::StrCat("--threads: ", *threads, " is not 1 to ", kMaxThreads));
  }
  if (synth.trace.max_size_bytes < 1 || synth.trace.max_size_bytes > kMaxSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("--max-size: ", options.Get("max-size"), " is not 1 to 1 TiB"));
  }
  synth.trace.threads = static_cast<uint32_t>(*threads);
  return synth;
}

void PrintCut(const TraceCutReport& report, const std::string& out, std::ostream& err) {
  err << out << ": " << FormatCount(report.kept_events) << " events";
  if (report.prologue_events != 0) {
    err << " behind " << FormatCount(report.prologue_events)
        << " that make anew what was alive: " << FormatCount(report.objects) << " objects of "
        << FormatBytes(report.object_bytes) << ", " << FormatCount(report.threads) << " threads, "
        << FormatCount(report.mapping_calls) << " address-space calls";
  }
  err << "\n";
}

void PrintFilter(const TraceFilterReport& report, const std::string& out, std::ostream& err) {
  err << out << ": " << FormatCount(report.kept_events) << " of " << FormatCount(report.read_events)
      << " events, " << FormatCount(report.kept_objects) << " of " << FormatCount(report.objects)
      << " objects\n";
  const std::pair<const char*, uint64_t> notes[] = {
      {"of the frees are by threads that were not asked for", report.kept_frees_by_others},
      {"resizes cross a size bound; the size at allocation decided", report.crossing_resizes},
  };
  for (const auto& [what, count] : notes) {
    if (count != 0) err << "  " << FormatCount(count) << " " << what << "\n";
  }
}

}  // namespace

int TraceCutCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  constexpr char kVerb[] = "trace cut";
  VerbOptions options(kVerb, "trace cut T OUT [options]",
                      "Writes a part of the trace T to OUT, so that it replays on its own: threads, objects "
                      "and mappings that are alive "
                      "where the part begins are made anew in front of it, at time 0, in the order in which "
                      "they came to be, with the "
                      "sizes they have by then; they count as events. Frees of them are kept. Times count "
                      "from the part's first event. "
                      "Event numbers and times are those of `reheap trace check`.",
                      "reheap trace cut web.trace start.trace --to-time 1.5s");
  options.Group("Part");
  options.Value("from-event", "N", "", "the first event kept, counted from 0 (default: 0)");
  options.Value("to-event", "N", "", "the first event no longer kept (default: the end)");
  options.Value("from-time", "TIME", "",
                "keep events from this time on, since the trace's start: 20ms, 1.5s, 2min, bare = ns");
  options.Value("to-time", "TIME", "", "keep events before this time");
  if (absl::Status status = options.Parse(arguments, {"T", "OUT"}); !status.ok())
    return FailUsage(kVerb, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  const absl::StatusOr<TraceCutOptions> cut = CutOptions(options);
  if (!cut.ok()) return FailUsage(kVerb, cut.status(), terminal);
  if (absl::Status other = CheckOut(options.operand(0), options.operand(1)); !other.ok()) {
    return FailUsage(kVerb, other, terminal);
  }
  const absl::StatusOr<TraceCutReport> report = CutTrace(options.operand(0), options.operand(1), *cut);
  if (!report.ok()) return Fail(kVerb, report.status(), terminal);
  PrintCut(*report, options.operand(1), terminal.err);
  return kAsExpected;
}

int TraceFilterCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  constexpr char kVerb[] = "trace filter";
  VerbOptions options(
      kVerb, "trace filter T OUT [options]",
      "Writes the objects of T that match to OUT, with their whole lives. An object's allocation decides: "
      "the thread "
      "that allocates it and the size asked for. Its resizes and its free go with it, whoever makes them, "
      "and whatever "
      "size it gets; the thread that frees it then occurs in OUT, too. Several options must all match. "
      "free(NULL) has "
      "no size: it goes when sizes are asked for. Address-space calls are the process's and all kept, unless "
      "--no-mappings; memory samples go, because they are of all objects.",
      "reheap trace filter web.trace large.trace --min-size 32KiB");
  options.Group("Objects");
  options.Value("threads", "N,...", "",
                "allocated by these threads, as `reheap trace check` numbers them, from 0 (default: all)");
  options.Value("min-size", "S", "", "of at least this size when allocated (default: 0)");
  options.Value("max-size", "S", "", "of at most this size when allocated (default: unlimited)");
  options.Flag("no-mappings", "leave out mmap, munmap, brk ... and the mappings in the header");
  if (absl::Status status = options.Parse(arguments, {"T", "OUT"}); !status.ok())
    return FailUsage(kVerb, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  const absl::StatusOr<TraceFilterOptions> filter = FilterOptions(options);
  if (!filter.ok()) return FailUsage(kVerb, filter.status(), terminal);
  if (absl::Status other = CheckOut(options.operand(0), options.operand(1)); !other.ok()) {
    return FailUsage(kVerb, other, terminal);
  }
  const absl::StatusOr<TraceFilterReport> report =
      FilterTrace(options.operand(0), options.operand(1), *filter);
  if (!report.ok()) return Fail(kVerb, report.status(), terminal);
  PrintFilter(*report, options.operand(1), terminal.err);
  return kAsExpected;
}

int TraceMergeCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  constexpr char kVerb[] = "trace merge";
  VerbOptions options(kVerb, "trace merge A B... OUT [options]",
                      "Makes one process's trace OUT of the traces A, B, ...: events by time, equal times in "
                      "the order in which the "
                      "traces are named; threads and objects of all. Host, limits and the process image are "
                      "A's; the program is unknown. "
                      "The address-space calls of the n-th further trace are moved up by n * 2^56, where no "
                      "process has addresses: "
                      "mappings cannot clash, and a replay puts these where its OS likes. Memory samples go.",
                      "reheap trace merge web.trace batch.trace both.trace --align start");
  options.Group("Time");
  options.Value("align", "CLOCK", "start",
                "start: all begin together; wall: as they were recorded, by the start times in their "
                "headers; position: by "
                "the part of its events that each has done, for traces without times (OUT has none then)");
  if (absl::Status status = options.Parse(arguments, {"A", "B", "OUT..."}); !status.ok()) {
    return FailUsage(kVerb, status, terminal);
  }
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  const absl::StatusOr<std::string> clock = options.Word("align", {"start", "wall", "position"});
  if (!clock.ok()) return FailUsage(kVerb, clock.status(), terminal);
  TraceMergeOptions merge;
  merge.clock = *clock == "start"  ? MergeClock::kStart
                : *clock == "wall" ? MergeClock::kWall
                                   : MergeClock::kPosition;
  merge.how = absl::StrCat("reheap trace merge --align ", *clock);
  const std::string& out = options.operands().back();
  const std::vector<std::string> in(options.operands().begin(), options.operands().end() - 1);
  for (const std::string& path : in) {
    if (absl::Status other = CheckOut(path, out); !other.ok()) return FailUsage(kVerb, other, terminal);
  }
  const absl::StatusOr<TraceMergeReport> report = MergeTraces(in, out, merge);
  if (!report.ok()) return Fail(kVerb, report.status(), terminal);
  terminal.err << out << ": " << FormatCount(report->events) << " events of " << in.size() << " traces, "
               << FormatCount(report->threads) << " threads, " << FormatNanoseconds(report->end_time_ns)
               << "\n";
  if (report->dropped_samples != 0) {
    terminal.err << "  " << FormatCount(report->dropped_samples)
                 << " memory samples left out: each is of one process\n";
  }
  return kAsExpected;
}

int TraceAnonymizeCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  constexpr char kVerb[] = "trace anonymize";
  VerbOptions options(
      kVerb, "trace anonymize T OUT",
      "Writes T without who and where to OUT, to be passed on.\n"
      "  kept  all events in order, with sizes, alignments, times since the start, threads and objects as "
      "numbers; "
      "protections, advice, memory samples; word size, resource limits, OS page size, overcommit and THP "
      "mode, mappings "
      "allowed; of mappings their sizes, permissions, file offsets, and names that the kernel gives ([heap], "
      "[stack])\n"
      "  less  the kernel is its version's numbers (6.1.0), the machine one of the known kinds, RAM and swap "
      "are whole "
      "GiB; paths are /file-1, /file-2, ..., thread ids 1, 2, ...; addresses keep their order, their place "
      "within 2 MiB, "
      "their distances where less than 4 GiB apart and the TiB that they lie in, and lose bits 21 to 39 of "
      "where their area "
      "began\n"
      "  gone  program, arguments, process ids, wall clock, host, thread names, paths, who wrote T before, "
      "and fields "
      "that this version does not know\n"
      "Sizes, times and their order stay as they are: who knows a program well may know it by them.",
      "reheap trace anonymize web.trace public.trace");
  if (absl::Status status = options.Parse(arguments, {"T", "OUT"}); !status.ok())
    return FailUsage(kVerb, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  if (absl::Status other = CheckOut(options.operand(0), options.operand(1)); !other.ok()) {
    return FailUsage(kVerb, other, terminal);
  }
  const absl::StatusOr<TraceAnonymizeReport> report = AnonymizeTrace(options.operand(0), options.operand(1));
  if (!report.ok()) return Fail(kVerb, report.status(), terminal);
  terminal.err << options.operand(1) << ": " << FormatCount(report->events) << " events, "
               << FormatCount(report->moved_addresses) << " addresses moved, "
               << FormatCount(report->named_files) << " paths replaced\n";
  return kAsExpected;
}

int TraceSynthCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  constexpr char kVerb[] = "trace synth";
  VerbOptions options(
      kVerb, "trace synth OUT --seed N --events N [options]",
      "Makes a trace of random events: it fills up to a number of live bytes and then holds it; most objects "
      "die young, "
      "60 % of sizes are one of 64, the others log-uniform; 1 % of allocations are aligned, 3 % of events "
      "resize, 2 % of "
      "frees are by another thread. The same options give the same bytes, on every machine.",
      "reheap trace synth big.trace --seed 1 --events 5000000 --live-target 256MiB --threads 4");
  options.Group("Trace");
  options.Value("seed", "N", "", "what all choices are drawn from (to be given)");
  options.Value("events", "N", "", "how many (to be given)");
  options.Value("live-target", "S", "16MiB", "bytes alive that it fills up to");
  options.Value("threads", "N", "1", "threads, 1 to 65536");
  options.Value("max-size", "S", "64KiB", "largest size of an object, 1 to 1TiB");
  if (absl::Status status = options.Parse(arguments, {"OUT"}); !status.ok())
    return FailUsage(kVerb, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  const absl::StatusOr<Synth> synth = SynthOptions(options);
  if (!synth.ok()) return FailUsage(kVerb, synth.status(), terminal);
  const std::string& out = options.operand(0);
  if (absl::Status written = WriteSyntheticTrace(out, synth->trace, synth->events); !written.ok()) {
    return FailUsage(kVerb, written, terminal);
  }
  terminal.err << out << ": " << FormatCount(synth->events) << " events, seed " << synth->trace.seed << "\n";
  return kAsExpected;
}

}  // namespace reheap
