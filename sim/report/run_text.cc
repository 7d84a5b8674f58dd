#include "sim/report/run_text.h"

#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "sim/report/human_units.h"

namespace reheap {

namespace {

// Bytes, commit charge and mappings of one run, and who says so.
constexpr absl::string_view kMemoryMetrics[] = {"peak_rss_bytes", "peak_vsize_bytes", "peak_commit_bytes",
                                                "peak_vma_count"};

}  // namespace

std::string LimitsText(const proto::Limits& limits) {
  std::vector<std::string> parts;
  if (limits.has_address_bytes()) parts.push_back(absl::StrCat("as ", FormatBytes(limits.address_bytes())));
  if (limits.has_data_bytes()) parts.push_back(absl::StrCat("data ", FormatBytes(limits.data_bytes())));
  if (limits.has_overcommit_mode()) parts.push_back(absl::StrCat("overcommit ", limits.overcommit_mode()));
  if (limits.has_memory_max_bytes()) {
    parts.push_back(absl::StrCat("memory ", FormatBytes(limits.memory_max_bytes())));
  }
  if (limits.has_max_mappings()) parts.push_back(absl::StrCat("maps ", FormatCount(limits.max_mappings())));
  if (limits.has_ram_bytes()) parts.push_back(absl::StrCat("ram ", FormatBytes(limits.ram_bytes())));
  if (limits.has_swap_bytes()) parts.push_back(absl::StrCat("swap ", FormatBytes(limits.swap_bytes())));
  if (limits.has_job_commit_bytes()) parts.push_back(absl::StrCat("job ", FormatBytes(limits.job_commit_bytes())));
  if (limits.has_stack_bytes()) parts.push_back(absl::StrCat("stack ", FormatBytes(limits.stack_bytes())));
  if (limits.stack_unlimited()) parts.push_back("stack unlimited");
  if (!limits.thp().empty()) parts.push_back(absl::StrCat("thp ", limits.thp()));
  return parts.empty() ? "unlimited" : absl::StrJoin(parts, " ");
}

const char* WorldText(proto::World world) {
  switch (world) {
    case proto::REAL:
      return "real";
    case proto::VIRTUAL:
      return "virtual";
    default:
      return "?";
  }
}

const char* ProvenanceText(proto::Provenance provenance) {
  switch (provenance) {
    case proto::MEASURED:
      return "measured";
    case proto::MODELLED:
      return "modelled";
    default:
      return "?";
  }
}

std::string OutcomeName(proto::Outcome outcome) {
  if (outcome == proto::OUTCOME_UNSPECIFIED || !proto::Outcome_IsValid(outcome)) return "?";
  return proto::Outcome_Name(outcome);
}

std::string OutcomeWords(proto::Outcome outcome) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(OutcomeName(outcome)), {{"_", " "}});
}

const char* OutcomeMeaning(proto::Outcome outcome) {
  switch (outcome) {
    case proto::SURVIVED:
      return "every event was replayed, nothing was refused for good";
    case proto::STARTUP_ABORT:
      return "refused before the program's first call: it never starts";
    case proto::LATE_ABORT:
      return "refused at an event, and the strategy gives up: the program dies there";
    case proto::CATCHABLE_ERROR:
      return "refused at an event; malloc answered NULL and the program went on";
    case proto::DEGRADED:
      return "went on in a poorer mode";
    default:
      return "not known";
  }
}

proto::Provenance ProvenanceOf(const proto::Run& run, absl::string_view metric) {
  for (const proto::MetricProvenance& entry : run.provenance()) {
    if (entry.metric() == metric) return entry.provenance();
  }
  return proto::PROVENANCE_UNSPECIFIED;
}

std::string GroupProvenanceText(const proto::Run& run) {
  std::set<proto::Provenance> seen;
  for (absl::string_view metric : kMemoryMetrics) {
    const proto::Provenance provenance = ProvenanceOf(run, metric);
    if (provenance != proto::PROVENANCE_UNSPECIFIED) seen.insert(provenance);
  }
  if (seen.size() > 1) return "mixed";
  return seen.empty() ? "?" : ProvenanceText(*seen.begin());
}

absl::string_view FileName(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

std::string PlanText(const proto::Run& run) { return run.strategy().empty() ? run.target() : run.strategy(); }

std::vector<RunSubject> CommonSubjects() {
  return {
      {"trace", [](const proto::Run& run) { return std::string(FileName(run.trace())); }},
      {"target", [](const proto::Run& run) { return run.target(); }},
      {"order", [](const proto::Run& run) { return run.order(); }},
      {"touch", [](const proto::Run& run) { return run.touch(); }},
  };
}

std::vector<RunSubject> SubjectsThatVary(const proto::Report& report,
                                         const std::vector<RunSubject>& subjects) {
  std::vector<RunSubject> varying;
  for (const RunSubject& subject : subjects) {
    std::set<std::string> texts;
    for (const proto::Run& run : report.runs()) texts.insert(subject.text(run));
    if (texts.size() > 1) varying.push_back(subject);
  }
  return varying;
}

std::string ForeignSentence(const proto::Run& run) {
  const proto::Foreign& foreign = run.foreign();
  if (foreign.calls() == 0 && foreign.stacks() == 0) return "";
  std::string text =
      absl::StrCat("the program's own: ", FormatCount(foreign.calls()), " calls, ",
                   FormatCount(foreign.mapped()), " mappings, ", FormatCount(foreign.moved()), " moved, ",
                   FormatCount(foreign.refused()), " refused, ", FormatCount(foreign.outside()), " left out");
  if (foreign.stacks() != 0) {
    absl::StrAppend(&text, "; ", FormatCount(foreign.stacks()), " thread stacks, modelled");
  }
  return absl::StrCat(text, "; at most ", FormatBytes(foreign.peak_bytes()));
}

}  // namespace reheap
