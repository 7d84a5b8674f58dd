#include <google/protobuf/util/json_util.h>
#include <google/protobuf/wrappers.pb.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "sim/report/report.h"
#include "sim/report/run_figure.h"
#include "sim/report/run_text.h"

namespace reheap {

namespace {

// A JSON string with its quotes; a string of a report is UTF-8 (protobuf refuses others).
std::string Quoted(const std::string& text) {
  google::protobuf::StringValue value;
  value.set_value(text);
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(value, &json).ok()) return "\"?\"";
  return json;
}

class TraceEvents {
 public:
  // One event; `rest` is its further members: "\"ts\":7".
  void Add(const char* phase, int process, const std::string& name, const std::string& rest) {
    absl::StrAppend(&text_, text_.empty() ? "\n" : ",\n", "{\"ph\":\"", phase, "\",\"pid\":", process,
                    ",\"tid\":", process, ",\"name\":", Quoted(name), rest.empty() ? "" : ",", rest, "}");
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string At(uint64_t event) { return absl::StrCat("\"ts\":", event); }

void AddCounters(const proto::Run& run, int process, TraceEvents* events) {
  // What nobody knows is no curve at zero.
  const bool knows_commit = ProvenanceOf(run, "peak_commit_bytes") != proto::PROVENANCE_UNSPECIFIED;
  for (const proto::TimelinePoint& point : run.timeline()) {
    const auto add = [&](const char* counter, uint64_t bytes) {
      events->Add("C", process, counter,
                  absl::StrCat(At(point.event()), ",\"args\":{\"bytes\":", bytes, "}"));
    };
    add("live", point.live_bytes());
    add("rss", point.rss_bytes());
    add("vsize", point.vsize_bytes());
    if (knows_commit) add("commit", point.commit_bytes());
  }
}

void AddRun(const proto::Run& run, int process, TraceEvents* events) {
  const std::string name =
      absl::StrCat(process, ": ", PlanText(run), " on ", run.platform(), " (", WorldText(run.world()), "), ",
                   LimitsText(run.limits()), ", ", OutcomeWords(run.outcome()), ", ",
                   ProvenanceText(ProvenanceOf(run, "peak_vsize_bytes")));
  events->Add("M", process, "process_name", absl::StrCat("\"args\":{\"name\":", Quoted(name), "}"));
  events->Add("M", process, "process_sort_index", absl::StrCat("\"args\":{\"sort_index\":", process, "}"));
  AddCounters(run, process, events);
  const auto mark = [&](const std::string& what, uint64_t event) {
    events->Add("i", process, what, absl::StrCat(At(event), ",\"s\":\"p\""));
  };
  if (run.has_refusal()) {
    mark(absl::StrCat(OutcomeWords(run.outcome()), ": ", RefusalSentence(run.refusal())),
         run.refusal().event());
  }
  for (const proto::PeakCause& cause : run.peak_causes()) {
    mark(absl::StrCat(cause.metric(), " ", PeakCauseText(run, cause.metric())), cause.event());
  }
}

}  // namespace

std::string RenderPerfetto(const proto::Report& report) {
  TraceEvents events;
  for (int i = 0; i < report.runs_size(); ++i) AddRun(report.runs(i), i + 1, &events);
  return absl::StrCat("{\"displayTimeUnit\":\"ns\",\n\"otherData\":{\"tool\":", Quoted(report.tool()),
                      ",\"clock\":\"one event of the trace is one microsecond\",\"rerun\":",
                      Quoted(report.rerun()), "},\n\"traceEvents\":[", events.text(), "\n]}\n");
}

}  // namespace reheap
