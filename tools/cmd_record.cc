#include "tools/cmd_record.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "sim/report/human_units.h"
#include "tools/options.h"
#include "traces/record_session.h"

namespace reheap {

namespace {

constexpr char kVerb[] = "record";

// What a shell answers for a program that it cannot start (POSIX, 2.8.2 Exit Status for Commands).
constexpr int kCannotExecute = 126;
constexpr int kNotFound = 127;

VerbOptions DeclareOptions() {
  VerbOptions options(kVerb, "record [options] -- PROG ARGS...",
                      "Runs PROG and writes down every malloc, free and mapping of it and of the processes "
                      "that it starts: T for "
                      "PROG itself, T.PID for each other process. PROG keeps its input, output and signals, "
                      "and its exit status "
                      "is this command's: 128 + N when signal N ended it, 127 when there is no such program, "
                      "126 when it cannot "
                      "be run.",
                      "reheap record --output web.trace -- ./web_server --port 8080");
  options.Group("Trace");
  options.Value("output", "T", "",
                "the trace of PROG; default: the name of PROG with .trace, in this directory");
  options.Value("compression", "LEVEL", "1", "zstd level of the trace, 1 to 19");
  options.Group("Recorder");
  options.Value("pool", "S", "64MiB", "room for events not yet collected, per process: a size");
  options.Value("spool-dir", "DIR", "", "where that room is; default: $TMPDIR, /dev/shm or /tmp");
  options.Value("linger", "MS", "2000", "milliseconds to go on for processes that PROG leaves behind");
  options.Group("Output");
  options.Flag("quiet", "say nothing unless events are missing");
  return options;
}

// "path/to/prog" -> "prog.trace"
std::string DefaultOutput(const std::string& program) {
  return absl::StrCat(program.substr(program.rfind('/') + 1), ".trace");
}

absl::StatusOr<RecordOptions> ReadRequest(const VerbOptions& options, std::vector<std::string> command) {
  RecordOptions request;
  const absl::StatusOr<uint64_t> level = options.Number("compression");
  if (!level.ok()) return level.status();
  if (*level < 1 || *level > 19) {
    return absl::InvalidArgumentError(absl::StrCat("--compression: ", *level, " is not from 1 to 19"));
  }
  const absl::StatusOr<uint64_t> pool_bytes = ParseBytes(options.Get("pool"));
  if (!pool_bytes.ok())
    return absl::InvalidArgumentError(absl::StrCat("--pool: ", pool_bytes.status().message()));
  const absl::StatusOr<uint64_t> linger_ms = options.Number("linger");
  if (!linger_ms.ok()) return linger_ms.status();
  constexpr uint64_t kDayMs = 24 * 60 * 60 * 1000;
  if (*linger_ms > kDayMs) return absl::InvalidArgumentError("--linger: more than a day");
  request.output = options.Given("output") ? options.Get("output") : DefaultOutput(command[0]);
  request.command = std::move(command);
  request.zstd_level = static_cast<int>(*level);
  request.pool_bytes = *pool_bytes;
  request.spool_parent = options.Get("spool-dir");
  request.linger_ms = static_cast<uint32_t>(*linger_ms);
  return request;
}

// Whether a file can be made where the trace is to be: known before the program runs.
absl::Status CheckOutput(const std::string& output) {
  const size_t slash = output.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : output.substr(0, slash + 1);
  if (access(folder.c_str(), W_OK | X_OK) == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--output: ", output, ": no file can be made there: ", strerror(errno)));
}

int FailToStart(const absl::Status& status, Terminal& terminal) {
  terminal.err << "reheap record: " << status.message() << "\n";
  if (status.code() == absl::StatusCode::kNotFound) return kNotFound;
  return status.code() == absl::StatusCode::kPermissionDenied ? kCannotExecute : kUnreadableInput;
}

void PrintProcesses(const RecordResult& result, bool quiet, std::ostream& err) {
  for (const RecordedProcess& process : result.processes) {
    if (quiet && process.dropped_events == 0) continue;
    err << "reheap record: " << process.path << ": " << FormatCount(process.events) << " events, "
        << FormatCount(process.dropped_events) << " dropped (" << process.program << ", pid " << process.pid
        << ")\n";
  }
  if (!result.not_recorded_reason.empty()) {
    err << "reheap record: the program itself left no trace: " << result.not_recorded_reason << "\n";
  }
}

}  // namespace

int RecordCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  // What stands behind "--" is the program's, whatever it looks like.
  const auto separator = std::find(arguments.begin(), arguments.end(), "--");
  VerbOptions options = DeclareOptions();
  if (absl::Status status = options.Parse({arguments.begin(), separator}, {}); !status.ok()) {
    return FailUsage(kVerb, status, terminal);
  }
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  if (separator == arguments.end() || separator + 1 == arguments.end()) {
    return FailUsage(kVerb, absl::InvalidArgumentError("-- PROG ARGS... is missing"), terminal);
  }
  const absl::StatusOr<RecordOptions> request = ReadRequest(options, {separator + 1, arguments.end()});
  if (!request.ok()) return FailUsage(kVerb, request.status(), terminal);
  if (absl::Status status = CheckOutput(request->output); !status.ok()) return FailUsage(kVerb, status, terminal);
  const absl::StatusOr<RecordResult> result = RecordProgram(*request);
  if (!result.ok()) return FailToStart(result.status(), terminal);
  PrintProcesses(*result, options.IsSet("quiet"), terminal.err);
  return WIFSIGNALED(result->wait_status) ? 128 + WTERMSIG(result->wait_status)
                                          : WEXITSTATUS(result->wait_status);
}

}  // namespace reheap
