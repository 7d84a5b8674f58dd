#include <algorithm>

#include "absl/strings/str_cat.h"
#include "sim/report/html/html_text.h"
#include "sim/report/html/sections.h"
#include "sim/report/human_units.h"
#include "sim/report/run_figure.h"
#include "sim/report/run_text.h"

namespace reheap {

namespace {

using Kind = HtmlTable::Kind;

std::string Known(const proto::Run& run, absl::string_view metric, uint64_t value, const std::string& text) {
  const proto::Provenance provenance = ProvenanceOf(run, metric);
  if (value == 0 && provenance == proto::PROVENANCE_UNSPECIFIED) return "-";
  return FigureHtml(text, provenance);
}

std::string Bytes(const proto::Run& run, absl::string_view metric, uint64_t value) {
  return Known(run, metric, value, FormatBytes(value));
}

// "peak VSIZE reached at event 12 (malloc of 1.0 MiB by thread 3), with 30.1 MiB of objects alive; ..."
std::string CausesText(const proto::Run& run) {
  std::string text;
  for (const RunFigure& figure : RunFigures()) {
    const std::string cause = PeakCauseText(run, figure.metric);
    if (!cause.empty()) absl::StrAppend(&text, text.empty() ? "" : "; ", figure.title, " ", cause);
  }
  return text;
}

void AddRun(const proto::Report& report, int index, const std::vector<RunSubject>& varying,
            HtmlTable* table) {
  const proto::Run& run = report.runs(index);
  std::vector<std::string> cells = {absl::StrCat(index + 1)};
  for (const RunSubject& subject : varying) cells.push_back(HtmlText(subject.text(run)));
  cells.insert(cells.end(),
               {HtmlText(PlanText(run)), HtmlText(run.platform()), WorldText(run.world()),
                HtmlText(LimitsText(run.limits())),
                absl::StrCat("<span class=\"verdict ", OutcomeClass(run.outcome()), "\">",
                             OutcomeWords(run.outcome()), "</span>"),
                Bytes(run, "peak_vsize_bytes", run.peak_vsize_bytes()),
                Bytes(run, "peak_rss_bytes", run.peak_rss_bytes()),
                Bytes(run, "peak_commit_bytes", run.peak_commit_bytes()),
                Known(run, "peak_vma_count", run.peak_vma_count(), FormatCount(run.peak_vma_count())),
                FormatCount(run.events()), FormatCount(run.os_calls())});
  table->Row(cells, absl::StrCat("id=\"run-", index + 1, "\" tabindex=\"-1\""));
  if (run.has_refusal()) {
    table->Note(
        absl::StrCat("<b>", OutcomeWords(run.outcome()), "</b>: ", HtmlText(RefusalWords(run.refusal()))),
        "refusal");
  }
  if (!run.degraded_mode().empty()) {
    table->Note(absl::StrCat("fell back to: ", HtmlText(run.degraded_mode())), "mode");
  }
  if (const std::string causes = CausesText(run); !causes.empty()) {
    table->Note(HtmlText(causes), "causes");
  }
  if (const std::string foreign = ForeignSentence(run); !foreign.empty())
    table->Note(HtmlText(foreign), "foreign");
}

// What fills a limit, and the limit.
struct LimitUse {
  std::vector<BarPart> parts;
  uint64_t used_bytes = 0;
  uint64_t allowed_bytes = 0;
};

bool CountsBytes(const proto::Refusal& refusal) {
  return refusal.measure() != "mappings" && refusal.measure() != "place" &&
         refusal.measure() != "one request" && refusal.measure() != "free bytes";
}

// A process has some fifty holders: files of the image, most of them a few pages. So many are named, the rest
// is one piece; else their least widths would push the limit out of its place.
constexpr int kMaxHolders = 5;

LimitUse AtRefusal(const proto::Refusal& refusal) {
  LimitUse use;
  uint64_t left = refusal.in_use_bytes();
  const int named = std::min(kMaxHolders, refusal.holders_size());
  for (int i = 0; i < named; ++i) {
    const proto::Holder& holder = refusal.holders(i);
    const uint64_t bytes = std::min<uint64_t>(holder.bytes(), left);
    use.parts.push_back(
        {bytes, HolderClass(holder.name()), absl::StrCat(holder.name(), " ", FormatBytes(holder.bytes()))});
    left -= bytes;
  }
  use.parts.push_back(
      {left, "hold-image", absl::StrCat(refusal.holders_size() - named, " others ", FormatBytes(left))});
  use.parts.push_back({refusal.asked_bytes(), "hold-asked",
                       absl::StrCat("asked for and refused ", FormatBytes(refusal.asked_bytes()))});
  use.used_bytes = refusal.in_use_bytes();
  use.allowed_bytes = refusal.allowed_bytes();
  return use;
}

LimitUse AtPeak(const proto::Run& run) {
  LimitUse use;
  use.parts = {{run.image_vsize_bytes(), "hold-image",
                absl::StrCat("the process before the heap ", FormatBytes(run.image_vsize_bytes()))},
               {run.peak_vsize_bytes(), "hold-heap",
                absl::StrCat("the heap and the program's mappings ", FormatBytes(run.peak_vsize_bytes()))}};
  use.used_bytes = run.image_vsize_bytes() + run.peak_vsize_bytes();
  use.allowed_bytes = run.limits().address_bytes();
  return use;
}

bool HasLimitUse(const proto::Run& run) {
  if (run.has_refusal()) return run.refusal().allowed_bytes() != 0 && CountsBytes(run.refusal());
  return run.limits().has_address_bytes();
}

std::string PartsText(const LimitUse& use) {
  std::string text;
  for (const BarPart& part : use.parts) {
    if (part.amount != 0) absl::StrAppend(&text, text.empty() ? "" : ", ", part.label);
  }
  return text;
}

void AddLimitUse(const proto::Report& report, int index, HtmlTable* table) {
  const proto::Run& run = report.runs(index);
  const LimitUse use = run.has_refusal() ? AtRefusal(run.refusal()) : AtPeak(run);
  uint64_t sum = 0;
  for (const BarPart& part : use.parts) sum = part.amount > UINT64_MAX - sum ? UINT64_MAX : sum + part.amount;
  const uint64_t largest = std::max(sum, use.allowed_bytes);
  const uint64_t scale = largest > UINT64_MAX - largest / 20 ? UINT64_MAX : largest + largest / 20;
  const bool beyond = !run.has_refusal() && use.used_bytes > use.allowed_bytes;
  const std::string rule = run.has_refusal() ? run.refusal().rule() : "RLIMIT_AS";
  const proto::Provenance provenance = run.has_refusal() && run.refusal().holders_provenance() != 0
                                           ? run.refusal().holders_provenance()
                                           : ProvenanceOf(run, "peak_vsize_bytes");
  table->Row(
      {absl::StrCat("<a href=\"#run-", index + 1, "\">", HtmlText(RunTitle(report, index)), "</a>"),
       absl::StrCat(HtmlText(rule), " ", FormatBytes(use.allowed_bytes)),
       FigureHtml(FormatBytes(use.used_bytes), provenance), PercentText(use.used_bytes, use.allowed_bytes),
       BarHtml(use.parts, scale, use.allowed_bytes, absl::StrCat("limit ", FormatBytes(use.allowed_bytes)))});
  table->Note(
      absl::StrCat(HtmlText(PartsText(use)),
                   beyond ? "; <strong>beyond the limit, which this system does not enforce</strong>" : ""),
      "parts");
}

}  // namespace

std::string RunsSection(const proto::Report& report) {
  if (report.runs().empty()) return "";
  const std::vector<RunSubject> varying = SubjectsThatVary(report, CommonSubjects());
  HtmlTable table("figures of every run", "runs");
  table.Column("#", Kind::kNumber);
  for (const RunSubject& subject : varying) table.Column(subject.title, Kind::kText);
  for (const char* title : {"strategy", "system", "world", "limits", "outcome"})
    table.Column(title, Kind::kText);
  for (const char* title : {"VSIZE", "RSS", "commit", "VMAs", "events", "OS calls"}) {
    table.Column(title, Kind::kNumber);
  }
  size_t left_out = 0;
  for (const int run : ChooseRuns(
           report, [](const proto::Run&) { return true; }, kMaxRunRows, &left_out)) {
    AddRun(report, run, varying, &table);
  }
  return SectionHtml(
      "runs", "Every run",
      "The most that the heap (and, where they were replayed, the program&#39;s own mappings) added to "
      "its process; a dash is a figure that nobody knows. Events and OS calls are counted.",
      absl::StrCat(table.Markup(), LeftOutHtml(left_out, "runs")));
}

std::string LimitSection(const proto::Report& report) {
  size_t left_out = 0;
  HtmlTable table("how much of the limit, and by whom", "limits");
  table.Column("run", Kind::kText);
  table.Column("limit", Kind::kNumber);
  table.Column("in use", Kind::kNumber);
  table.Column("of the limit", Kind::kNumber);
  table.Column("the limit is the upright line", Kind::kBar);
  for (const int run : ChooseRuns(report, HasLimitUse, kMaxRunDrawings, &left_out)) {
    AddLimitUse(report, run, &table);
  }
  if (table.empty()) return "";
  return SectionHtml(
      "limits", "How close to the limit",
      "At the refusal where there was one: who held what the rule counts, and what was asked for on top. "
      "Else at the peak of address space.",
      absl::StrCat(table.Markup(), LeftOutHtml(left_out, "runs under a limit")));
}

}  // namespace reheap
