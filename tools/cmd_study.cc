#include "tools/cmd_study.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "proto/report.pb.h"
#include "sim/report/report.h"
#include "sim/report/report_reader.h"
#include "sim/report/study_table.h"
#include "sim/report/tool_version.h"
#include "sim/studies/cell_store.h"
#include "sim/studies/study_catalog.h"
#include "sim/studies/study_plan.h"
#include "sim/studies/study_report.h"
#include "sim/studies/study_runner.h"
#include "tools/interrupt.h"
#include "tools/nearest_name.h"
#include "tools/options.h"
#include "tools/progress.h"
#include "tools/shard_option.h"
#include "tools/write_output.h"

namespace reheap {
namespace {

constexpr char kVerb[] = "study";
constexpr uint64_t kMostThreads = 1024;

VerbOptions StudyOptions() {
  VerbOptions options(kVerb, "study FILE|NAME [options]",
                      "Runs a what-if study: traces x strategies x platforms x limits on the virtual OS, and what the study asks of "
                      "them (who survives, the smallest limit that works, usable heap, time to failure, what would have "
                      "helped). FILE is a study.proto as text (with a / in it or ending in .textproto), NAME one of `reheap study list`. "
                      "A cell that dies is an answer, not a failure: the exit code is 0.",
                      "reheap study mmap-fiasco --output fiasco.result\n"
                      "  reheap study big.textproto --shard 3/8 --output part-3.result --resume");
  options.Group("Work");
  options.Value("shard", "I/N", "", "only this share of the cells, I from 0; auto: from a Slurm job array's or a Bazel test's variables, else all");
  options.Value("threads", "N", "", "threads; default: one per core that this process may use");
  options.Flag("resume", "keep the cells of an interrupted run with the same --output and run the rest");
  options.Group("Output");
  options.Value("output", "R", "", "write the result to R: report.proto, binary, or JSON when R ends in .json");
  options.Value("format", "F", "table", "what stdout gets: table, json, csv (of the grid's runs), none");
  options.Flag("quiet", "no progress on stderr");
  return options;
}

// What the command line says, beyond the study.
struct StudyJob {
  Shard shard;
  int threads = 1;
  std::string output;
  std::string format;
  bool resume = false;
};

absl::StatusOr<StudyJob> ReadJob(const VerbOptions& options) {
  StudyJob job;
  const absl::StatusOr<std::string> format = options.Word("format", {"table", "json", "csv", "none"});
  if (!format.ok()) return format.status();
  job.format = *format;
  const absl::StatusOr<Shard> shard =
      ParseShard(options.Get("shard"), [](const char* name) -> const char* { return std::getenv(name); });
  if (!shard.ok()) return shard.status();
  job.shard = *shard;
  job.threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  if (options.Given("threads")) {
    const absl::StatusOr<uint64_t> threads = options.Number("threads");
    if (!threads.ok()) return threads.status();
    if (*threads == 0 || *threads > kMostThreads) {
      return absl::InvalidArgumentError(absl::StrCat("--threads: expected 1 to ", kMostThreads, ", found ", *threads));
    }
    job.threads = static_cast<int>(*threads);
  }
  job.output = options.Get("output");
  job.resume = options.IsSet("resume");
  if (job.resume && job.output.empty()) {
    return absl::InvalidArgumentError("--resume needs --output: finished cells are kept beside it");
  }
  return job;
}

// 64-bit numbers of JSON are strings; the binary form has them as they are.
absl::StatusOr<std::string> BytesOf(const proto::Report& report, const std::string& path) {
  if (absl::EndsWith(path, ".json")) return RenderJson(report);
  return report.SerializeAsString();
}

// To --output and to stdout.
int Deliver(const char* verb, const proto::Report& report, const std::string& output, const std::string& format,
            Terminal& terminal) {
  if (!output.empty()) {
    const absl::StatusOr<std::string> bytes = BytesOf(report, output);
    const absl::Status written = bytes.ok() ? WriteOutput(output, *bytes) : bytes.status();
    if (!written.ok()) return FailUnreadable(verb, written, terminal);
  }
  if (format == "table") terminal.out << RenderStudy(report, {.color = terminal.out_is_terminal});
  if (format == "csv") terminal.out << RenderCsv(report);
  if (format != "json") return kAsExpected;
  const absl::StatusOr<std::string> json = RenderJson(report);
  if (!json.ok()) return FailUnreadable(verb, json.status(), terminal);
  terminal.out << *json;
  return kAsExpected;
}

void AddMessages(proto::Report* report) {
  for (proto::Run& run : *report->mutable_runs()) {
    if (run.has_refusal()) run.mutable_refusal()->set_message(RefusalSentence(run.refusal()));
  }
}

// One run of a study, from its plan to its result.
class StudyRun {
 public:
  StudyRun(const StudyPlan& plan, StudyJob job, bool quiet, Terminal& terminal)
      : plan_(plan),
        job_(std::move(job)),
        quiet_(quiet),
        terminal_(terminal),
        head_(ReportHead(plan, job_.shard, kToolVersion)) {}

  int Run();

 private:
  absl::Status OpenStore();
  absl::Status RunRest();
  int Interrupted(int signal, size_t all);

  const StudyPlan& plan_;
  const StudyJob job_;
  const bool quiet_;
  Terminal& terminal_;
  const proto::Report head_;
  std::unique_ptr<CellStore> store_;                // null without --output
  std::map<uint64_t, proto::Report> answers_;
};

// A result that goes to a pipe or a device has nothing beside it.
bool CanKeepBeside(const std::string& output) { return !output.empty() && !absl::StartsWith(output, "/dev/"); }

absl::Status StudyRun::OpenStore() {
  if (!CanKeepBeside(job_.output)) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<CellStore>> store = CellStore::Open(job_.output + ".partial", head_, job_.resume);
  if (!store.ok()) return store.status();
  store_ = *std::move(store);
  answers_ = store_->TakeAnswers();
  return absl::OkStatus();
}

absl::Status StudyRun::RunRest() {
  std::vector<uint64_t> rest;
  for (uint64_t cell : CellsOf(plan_, job_.shard)) {
    if (answers_.count(cell) == 0) rest.push_back(cell);
  }
  ProgressBar progress(terminal_.err, terminal_.err_is_terminal, quiet_);
  StudyRunOptions options;
  options.threads = job_.threads;
  options.stop = [] { return Interrupt::Noted() != 0; };
  options.progress = &progress;
  options.finished = [this](uint64_t cell, const proto::Report& answer) {
    proto::Report told = answer;
    AddMessages(&told);
    if (store_ != nullptr) {
      if (absl::Status status = store_->Add(cell, told); !status.ok()) return status;
    }
    answers_[cell] = std::move(told);
    return absl::OkStatus();
  };
  return RunCells(plan_, rest, options);
}

int StudyRun::Interrupted(int signal, size_t all) {
  terminal_.err << "reheap study: interrupted with " << answers_.size() << " of " << all << " cells done";
  if (store_ != nullptr) terminal_.err << "; they are kept in " << job_.output << ".partial, --resume goes on";
  terminal_.err << std::endl;
  terminal_.out.flush();
  store_.reset();
  raise(signal);
  return kExpectationNotMet;  // when somebody catches or ignores it
}

int StudyRun::Run() {
  absl::Status status = OpenStore();
  if (absl::IsFailedPrecondition(status)) return FailUsage(kVerb, status, terminal_);
  int signal = 0;
  if (status.ok()) {
    const Interrupt interrupt;
    status = RunRest();
    signal = Interrupt::Noted();
  }
  if (absl::IsCancelled(status)) return Interrupted(signal, CellsOf(plan_, job_.shard).size());
  if (!status.ok()) return FailUnreadable(kVerb, status, terminal_);
  const int exit_code = Deliver(kVerb, WholeReport(head_, answers_), job_.output, job_.format, terminal_);
  if (exit_code == kAsExpected && store_ != nullptr) store_->Remove();
  return exit_code;
}

// Exit code of a study that could not be loaded.
int FailLoad(const char* verb, const std::string& name, const absl::Status& status, Terminal& terminal) {
  if (IsStudyPath(name)) return FailUnreadable(verb, status, terminal);
  return FailUsage(verb, absl::NotFoundError(UnknownName("study", name, StudyNames(), "reheap study list")), terminal);
}

}  // namespace

int StudyCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  VerbOptions options = StudyOptions();
  if (absl::Status status = options.Parse(arguments, {"FILE|NAME"}); !status.ok())
    return FailUsage(kVerb, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  const absl::StatusOr<StudyJob> job = ReadJob(options);
  if (!job.ok()) return FailUsage(kVerb, job.status(), terminal);
  absl::StatusOr<StudyText> study = LoadStudy(options.operand(0));
  if (!study.ok()) return FailLoad(kVerb, options.operand(0), study.status(), terminal);
  const absl::StatusOr<std::unique_ptr<StudyPlan>> plan = PlanStudy(*std::move(study));
  if (!plan.ok()) return FailUnreadable(kVerb, plan.status(), terminal);
  return StudyRun(**plan, *job, options.IsSet("quiet"), terminal).Run();
}

int StudyMergeCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  constexpr char kMerge[] = "study merge";
  VerbOptions options(kMerge, "study merge R... [options]",
                      "Joins the results of a study's shards. The same bytes come out as from one machine; parts of other "
                      "studies, cells that are doubled and cells that are missing are refused by name.",
                      "reheap study merge part-*.result --output whole.result");
  options.Group("Output");
  options.Value("output", "M", "", "write the whole result to M: binary, or JSON when M ends in .json");
  options.Value("format", "F", "table", "what stdout gets: table, json, csv (of the grid's runs), none");
  if (absl::Status status = options.Parse(arguments, {"R..."}); !status.ok())
    return FailUsage(kMerge, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  const absl::StatusOr<std::string> format = options.Word("format", {"table", "json", "csv", "none"});
  if (!format.ok()) return FailUsage(kMerge, format.status(), terminal);
  std::vector<std::pair<std::string, proto::Report>> parts;
  for (const std::string& path : options.operands()) {
    absl::StatusOr<proto::Report> part = ReadReport(path);
    if (!part.ok()) return FailUnreadable(kMerge, part.status(), terminal);
    parts.emplace_back(path, *std::move(part));
  }
  const absl::StatusOr<proto::Report> whole = MergeReports(parts);
  if (!whole.ok()) return FailUnreadable(kMerge, whole.status(), terminal);
  return Deliver(kMerge, *whole, options.Get("output"), *format, terminal);
}

int StudyListCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  constexpr char kList[] = "study list";
  VerbOptions options(kList, kList, "Names the what-if studies that are part of reheap.", "reheap study list");
  if (absl::Status status = options.Parse(arguments, {}); !status.ok()) return FailUsage(kList, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  for (const std::string& name : StudyNames()) {
    const absl::StatusOr<StudyText> study = LoadStudy(name);
    if (!study.ok()) return FailUnreadable(kList, study.status(), terminal);
    terminal.out << absl::StrFormat("%-22s %s\n", name, study->study.summary());
  }
  return kAsExpected;
}

int StudyShowCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  constexpr char kShow[] = "study show";
  VerbOptions options(kShow, "study show NAME",
                      "Prints a study's text, to read or to start one's own from. NAME is one of `reheap study list` or the "
                      "path of a file, which is checked.",
                      "reheap study show mmap-fiasco");
  if (absl::Status status = options.Parse(arguments, {"NAME"}); !status.ok()) return FailUsage(kShow, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  const absl::StatusOr<StudyText> study = LoadStudy(options.operand(0));
  if (!study.ok()) return FailLoad(kShow, options.operand(0), study.status(), terminal);
  terminal.out << study->text;
  return kAsExpected;
}

}  // namespace reheap
