#include "tools/cmd_replay.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "sim/os/image_catalog.h"
#include "sim/os/platform_source.h"
#include "sim/report/human_units.h"
#include "sim/report/report.h"
#include "sim/report/tool_version.h"
#include "sim/strategies/strategy_catalog.h"
#include "tools/named_platform.h"
#include "tools/nearest_name.h"
#include "tools/options.h"
#include "tools/progress.h"
#include "tools/write_output.h"

namespace reheap {

namespace {

constexpr char kVerb[] = "replay";

VerbOptions ReplayOptions() {
  VerbOptions options(kVerb, "replay T [options]",
                      "Replays the trace T: every malloc and free of the recorded program, on an allocator "
                      "that gets its address space by a strategy, from the running kernel or from a modelled "
                      "one. Lists are crossed: one row of the answer per combination. A refusal by the OS is "
                      "an answer, not a failure: the exit code is 0.",
                      "reheap replay web.trace --strategy go-2011-02-reserve17g,go-2011-02-pretend \\\n"
                      "    --platform linux-amd64,darwin-amd64 --address-limit unlimited,4GiB");
  options.Group("Heap");
  options.Value(
      "strategy", "A,B", "go-2011-02-pretend",
      "plans for the heap's address space: names (`reheap strategy list`) or paths of textproto files");
  options.Value(
      "target", "T,...", "heap",
      "what answers malloc: heap (ours, by --strategy), malloc:glibc, malloc:/path/lib.so (real world only)");
  options.Group("World");
  options.Value(
      "world", "W,...", "",
      "real (this kernel), virtual (modelled); default: virtual, but real for malloc targets alone");
  options.Value("platform", "P,Q", "linux-amd64", "modelled systems: names (`reheap platform list`), NAME@RELEASE for an older one (linux-amd64@6.1), or paths of "
                "textproto files");
  options.Value("address-limit", "S,...", "unlimited",
                "RLIMIT_AS (ulimit -v) of the process: sizes, e.g. unlimited,4GiB");
  options.Value("data-limit", "S,...", "unlimited", "RLIMIT_DATA (ulimit -d) of the process: sizes");
  options.Value("overcommit", "M,...", "",
                "vm.overcommit_memory of the virtual world: 0, 1, 2; default: the platform's own");
  options.Value("memory-max", "S,...", "",
                "memory.max of the cgroup, virtual world: what touches more is killed; sizes or unlimited");
  options.Value("max-map-count", "N,...", "", "vm.max_map_count of the virtual world; default: the platform's");
  options.Value("ram", "S,...", "", "RAM of the modelled machine; default: 16GiB");
  options.Value("stack-limit", "S,...", "",
                "RLIMIT_STACK (ulimit -s) of the virtual process at exec: sizes or unlimited; default: the platform's");
  options.Value("thp", "M,...", "",
                "transparent huge pages of the virtual world: never, madvise, always; default: madvise");
  options.Value("maps", "FILE", "",
                "start the virtual process from the mappings in FILE, a saved /proc/PID/maps; default: the "
                "trace's own");
  options.Value("image", "NAME", "",
                absl::StrCat("start the virtual process from a named image: platform (its own small one), ",
                             absl::StrJoin(NamedImageNames(), ", "), "; default: the trace's own mappings, or their "
                             "sizes in the layout of another platform"));
  options.Group("Replay");
  options.Value("order", "O", "total", "order of the threads' events: total (as recorded)");
  options.Value("touch", "T", "full",
                "which object memory is written: full (every OS page of an object) or none; what the program maps by "
                "its own calls (--foreign) stays untouched either way");
  options.Flag("cut-off",
               "replay a trace that was cut off as far as its blocks are whole, instead of refusing it");
  options.Value("squat", "ADDR+SIZE,...", "",
                "address ranges that somebody else holds before the heap starts, e.g. 0xf840100000+64KiB");
  options.Value("foreign", "F", "replay",
                "the program's own mmap, munmap, mprotect, mremap and brk calls: replay (beside the heap, where they "
                "were recorded if that place is free) or ignore; nothing is written to what they map");
  options.Value("thread-stacks", "S", "glibc",
                "with --foreign replay: glibc (a stack per recorded thread, as large as the recorded RLIMIT_STACK: "
                "modelled) or none");
  options.Flag("measure-lookup", "also time page-to-span lookups in the heap that each run leaves behind");
  options.Group("Output");
  options.Value("format", "F", "table", "table, json (report.proto), csv");
  options.Value("output", "R", "",
                "also write the result to R, binary report.proto: for `reheap report`, `reheap compare`");
  options.Value("save", "BASE", "", "also write the results to BASE.txt (the table), BASE.json and BASE.csv");
  options.Flag("quiet", "no progress on stderr");
  return options;
}

absl::Status CheckStrategyNames(const std::vector<std::string>& names) {
  const std::vector<std::string> known = StrategyNames();
  for (const std::string& name : names) {
    if (IsStrategyPath(name) || std::find(known.begin(), known.end(), name) != known.end()) continue;
    return absl::NotFoundError(UnknownName("strategy", name, known, "reheap strategy list"));
  }
  return absl::OkStatus();
}

// Files are looked at later (CheckFiles): their mistakes are not the command line's.
absl::Status CheckPlatformNames(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (IsPlatformPath(name)) continue;
    if (absl::Status status = NamedPlatform(name).status(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckTargets(const std::vector<std::string>& targets) {
  for (const std::string& target : targets) {
    if (target == "heap" || target == "malloc:glibc" || absl::StartsWith(target, "malloc:/")) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("--target: '", target, "' is not heap, malloc:glibc or malloc:/path/lib.so"));
  }
  return absl::OkStatus();
}

absl::Status ReadWorlds(const VerbOptions& options, ReplayRequest* request) {
  const bool heap =
      std::find(request->targets.begin(), request->targets.end(), "heap") != request->targets.end();
  absl::StatusOr<std::vector<std::string>> worlds = options.WordList("world", {"real", "virtual"});
  if (!worlds.ok()) return worlds.status();
  if (worlds->empty()) worlds->push_back(heap ? "virtual" : "real");
  for (const std::string& world : *worlds) (world == "real" ? request->real : request->virtual_world) = true;
  const bool malloc_only = !heap;
  if (malloc_only && request->virtual_world) {
    return Contradiction("target", "world", "a malloc of this machine runs in the real world only");
  }
  if (malloc_only && options.Given("strategy")) {
    return Contradiction("strategy", "target", "a strategy is carried out by the target heap only");
  }
  if (!request->virtual_world) {
    const char* const why = "the real world has this kernel only";
    for (const char* name : {"platform", "overcommit", "memory-max", "max-map-count", "ram", "stack-limit", "thp",
                             "maps", "image"}) {
      if (options.Given(name)) return Contradiction(name, malloc_only ? "target" : "world", why);
    }
  }
  return absl::OkStatus();
}

absl::Status ReadLists(const VerbOptions& options, ReplayRequest* request) {
  const auto strategies = options.List("strategy");
  const auto platforms = options.List("platform");
  const auto targets = options.List("target");
  const auto address_limits = options.LimitList("address-limit");
  const auto data_limits = options.LimitList("data-limit");
  const auto overcommit_modes = options.WordList("overcommit", {"0", "1", "2"});
  for (const absl::Status& status :
       {strategies.status(), platforms.status(), targets.status(), address_limits.status(),
        data_limits.status(), overcommit_modes.status()}) {
    if (!status.ok()) return status;
  }
  request->strategies = *strategies;
  request->platforms = *platforms;
  request->targets = *targets;
  request->address_limits = *address_limits;
  request->data_limits = *data_limits;
  for (const std::string& mode : *overcommit_modes) request->overcommit_modes.push_back(mode[0] - '0');
  return CheckTargets(request->targets);
}

absl::Status NotASize(const std::string& name, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("--", name, ": '", what, "' is not a size here"));
}

// A list of sizes of which none is unlimited or 0.
absl::Status ReadSizes(const VerbOptions& options, const std::string& name, std::vector<uint64_t>* sizes) {
  if (!options.Given(name)) return absl::OkStatus();
  const auto limits = options.LimitList(name);
  if (!limits.ok()) return limits.status();
  for (const std::optional<uint64_t>& limit : *limits) {
    if (!limit.has_value()) return NotASize(name, "unlimited");
    if (*limit == 0) return NotASize(name, "0");
    sizes->push_back(*limit);
  }
  return absl::OkStatus();
}

absl::Status ReadMachine(const VerbOptions& options, ReplayRequest* request) {
  if (absl::Status status = ReadSizes(options, "ram", &request->ram_bytes); !status.ok()) return status;
  using Limits = std::vector<std::optional<uint64_t>>;
  for (const auto& [name, list] : {std::pair<const char*, Limits*>{"memory-max", &request->memory_limits},
                                   {"stack-limit", &request->stack_limits}}) {
    if (!options.Given(name)) continue;
    const auto limits = options.LimitList(name);
    if (!limits.ok()) return limits.status();
    *list = *limits;
  }
  const auto thp = options.WordList("thp", {"never", "madvise", "always"});
  if (!thp.ok()) return thp.status();
  request->thp = *thp;
  const auto counts = options.List("max-map-count");
  if (!counts.ok()) return counts.status();
  for (const std::string& word : *counts) {
    uint64_t count = 0;
    if (!absl::SimpleAtoi(word, &count) || count == 0) {
      return absl::InvalidArgumentError(absl::StrCat("--max-map-count: '", word, "' is not a number of mappings"));
    }
    request->max_mappings.push_back(count);
  }
  return absl::OkStatus();
}

absl::Status ReadSquatters(const VerbOptions& options, ReplayRequest* request) {
  const absl::StatusOr<std::vector<std::string>> words = options.List("squat");
  if (!words.ok()) return words.status();
  for (const std::string& word : *words) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(word, absl::MaxSplits('+', 1));
    uint64_t address = 0;
    const absl::StatusOr<uint64_t> bytes = ParseBytes(parts.second);
    if (!absl::SimpleHexAtoi(parts.first, &address) || !bytes.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--squat: '", word, "' is not an address and a size, like 0xf840100000+64KiB"));
    }
    request->squatters.push_back(AddrRange{Addr(address), *bytes});
  }
  return absl::OkStatus();
}

absl::Status ReadImage(const VerbOptions& options, ReplayRequest* request) {
  if (!options.Given("image")) return absl::OkStatus();
  if (options.Given("maps")) return Contradiction("image", "maps", "a process starts from one of them");
  std::vector<std::string> known = NamedImageNames();
  known.push_back("platform");
  request->image = options.Get("image");
  if (std::find(known.begin(), known.end(), request->image) != known.end()) return absl::OkStatus();
  return absl::NotFoundError(UnknownName("image", request->image, known, "reheap replay --help"));
}

absl::StatusOr<ReplayRequest> ReadRequest(const VerbOptions& options) {
  ReplayRequest request;
  request.trace_path = options.operand(0);
  if (absl::Status status = ReadLists(options, &request); !status.ok()) return status;
  if (absl::Status status = ReadMachine(options, &request); !status.ok()) return status;
  if (absl::Status status = ReadWorlds(options, &request); !status.ok()) return status;
  if (absl::Status status = CheckStrategyNames(request.strategies); !status.ok()) return status;
  if (absl::Status status = CheckPlatformNames(request.platforms); !status.ok()) return status;
  const absl::StatusOr<std::string> order = options.Word("order", {"total"});
  if (!order.ok()) return order.status();
  const absl::StatusOr<std::string> touch = options.Word("touch", {"full", "none"});
  if (!touch.ok()) return touch.status();
  const absl::StatusOr<std::string> foreign = options.Word("foreign", {"replay", "ignore"});
  if (!foreign.ok()) return foreign.status();
  const absl::StatusOr<std::string> stacks = options.Word("thread-stacks", {"glibc", "none"});
  if (!stacks.ok()) return stacks.status();
  if (*foreign == "ignore" && options.Given("thread-stacks")) {
    return Contradiction("foreign", "thread-stacks", "thread stacks are part of what --foreign ignore leaves out");
  }
  request.foreign = *foreign;
  request.thread_stacks = *stacks;
  request.order = *order;
  request.touch = *touch;
  request.maps_path = options.Get("maps");
  if (absl::Status status = ReadImage(options, &request); !status.ok()) return status;
  request.allow_cut_off = options.IsSet("cut-off");
  if (absl::Status status = ReadSquatters(options, &request); !status.ok()) return status;
  request.measure_lookup = options.IsSet("measure-lookup");
  return request;
}

// Files of the user's own are read here already: their mistakes are the answer, before any replay.
absl::Status CheckFiles(const ReplayRequest& request) {
  for (const std::string& strategy : request.strategies) {
    if (!IsStrategyPath(strategy)) continue;
    if (absl::Status status = LoadStrategy(strategy).status(); !status.ok()) return status;
  }
  for (const std::string& platform : request.platforms) {
    if (!IsPlatformPath(platform)) continue;
    if (absl::Status status = NamedPlatform(platform).status(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// A combination that cannot be replayed is a matter of the command line; what a file has wrong opens with its
// name.
bool IsAboutWords(const absl::Status& status, const ReplayRequest& request) {
  if (status.code() != absl::StatusCode::kInvalidArgument) return false;
  const bool about_maps = !request.maps_path.empty() && absl::StartsWith(status.message(), request.maps_path);
  return !about_maps && !absl::StartsWith(status.message(), request.trace_path);
}

absl::StatusOr<std::string> Render(const proto::Report& report, const std::string& format, TableStyle style) {
  if (format == "json") return RenderJson(report);
  return format == "csv" ? RenderCsv(report) : RenderTable(report, style);
}

absl::Status Save(const proto::Report& report, const std::string& base) {
  const std::pair<const char*, const char*> forms[] = {{"table", ".txt"}, {"json", ".json"}, {"csv", ".csv"}};
  for (const auto& [format, suffix] : forms) {
    const absl::StatusOr<std::string> text = Render(report, format, {.color = false});
    if (!text.ok()) return text.status();
    if (absl::Status status = WriteOutput(absl::StrCat(base, suffix), *text); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

int ReplayWith(ReplayFunction replay, const std::vector<std::string>& arguments, Terminal& terminal) {
  VerbOptions options = ReplayOptions();
  if (absl::Status status = options.Parse(arguments, {"T"}); !status.ok())
    return FailUsage(kVerb, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  const absl::StatusOr<std::string> format = options.Word("format", {"table", "json", "csv"});
  if (!format.ok()) return FailUsage(kVerb, format.status(), terminal);
  const absl::StatusOr<ReplayRequest> request = ReadRequest(options);
  if (!request.ok()) return FailUsage(kVerb, request.status(), terminal);
  if (absl::Status status = CheckFiles(*request); !status.ok())
    return FailUnreadable(kVerb, status, terminal);

  absl::StatusOr<proto::Report> report;
  {
    ProgressBar progress(terminal.err, terminal.err_is_terminal, options.IsSet("quiet"));
    report = replay(*request, &progress);
  }
  if (!report.ok()) {
    return IsAboutWords(report.status(), *request) ? FailUsage(kVerb, report.status(), terminal)
                                                   : FailUnreadable(kVerb, report.status(), terminal);
  }
  report->set_tool(kToolVersion);
  report->set_rerun(terminal.command_line);
  for (proto::Run& run : *report->mutable_runs()) {
    if (run.has_refusal()) run.mutable_refusal()->set_message(RefusalSentence(run.refusal()));
  }
  const absl::StatusOr<std::string> text = Render(*report, *format, {.color = WantsColor(terminal)});
  if (!text.ok()) return FailUnreadable(kVerb, text.status(), terminal);
  terminal.out << *text;
  absl::Status saved;
  if (options.Given("output")) saved = WriteOutput(options.Get("output"), report->SerializeAsString());
  if (saved.ok() && options.Given("save")) saved = Save(*report, options.Get("save"));
  return saved.ok() ? kAsExpected : FailUnreadable(kVerb, saved, terminal);
}

}  // namespace reheap
