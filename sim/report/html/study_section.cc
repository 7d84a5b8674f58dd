// What a study found: bands of limits, usable heap, what one change would do.
#include <algorithm>
#include <bit>

#include "absl/strings/str_cat.h"
#include "sim/report/html/html_text.h"
#include "sim/report/html/sections.h"
#include "sim/report/human_units.h"
#include "sim/report/report.h"
#include "sim/report/run_text.h"

namespace reheap {

namespace {

using Kind = HtmlTable::Kind;

constexpr size_t kMaxStudyRows = 5000;
constexpr size_t kMaxBands = 400;
constexpr uint64_t kLineUnits = 10000;

// log2 in 1/256, monotone, in integers: the characteristic, then the mantissa as a straight line.
uint64_t LogSteps(uint64_t bytes) {
  if (bytes == 0) return 0;
  const int digits = std::bit_width(bytes) - 1;
  const uint64_t below = bytes - (uint64_t{1} << digits);
  const uint64_t mantissa = digits >= 8 ? below >> (digits - 8) : below << (8 - digits);
  return static_cast<uint64_t>(digits) * 256 + mantissa;
}

// The limits of all searches on one logarithmic line.
struct LogLine {
  uint64_t least = UINT64_MAX;
  uint64_t most = 0;

  void Cover(uint64_t bytes) {
    least = std::min(least, bytes);
    most = std::max(most, bytes);
  }
  uint64_t At(uint64_t bytes) const {
    const uint64_t from = LogSteps(least);
    const uint64_t to = std::max(LogSteps(most), from + 1);
    const uint64_t at = std::clamp(LogSteps(bytes), from, to);
    return OnScale(at - from, to - from, kLineUnits);
  }
};

std::string BandWords(const proto::LimitBand& band) {
  std::string text = band.from_bytes() == band.to_bytes()
                         ? FormatBytes(band.from_bytes())
                         : absl::StrCat(FormatBytes(band.from_bytes()), " to ", FormatBytes(band.to_bytes()));
  absl::StrAppend(&text, ": ", OutcomeWords(band.outcome()));
  if (!band.rule().empty()) absl::StrAppend(&text, " by ", band.rule());
  if (band.has_event()) absl::StrAppend(&text, " at event ", FormatCount(band.event()));
  if (!band.mode().empty()) absl::StrAppend(&text, ", ", band.mode());
  return text;
}

std::string Tick(const LogLine& line, uint64_t bytes, const char* css_class, const std::string& label) {
  const uint64_t x = line.At(bytes);
  return absl::StrCat("<line class=\"", css_class, "\" x1=\"", x, "\" y1=\"-3\" x2=\"", x,
                      "\" y2=\"23\"><title>", HtmlText(label), "</title></line>");
}

// Bands from the first limit tried to the last; a band reaches to where the next begins.
std::string BandBar(const proto::LimitSearch& search, const LogLine& line, std::string* words) {
  std::string drawing;
  const int bands = std::min<int>(search.bands_size(), kMaxBands);
  for (int i = 0; i < bands; ++i) {
    const proto::LimitBand& band = search.bands(i);
    const uint64_t from = line.At(band.from_bytes());
    const uint64_t to = i + 1 < bands ? line.At(search.bands(i + 1).from_bytes()) : line.At(band.to_bytes());
    const std::string text = BandWords(band);
    absl::StrAppend(words, words->empty() ? "" : "; ", text);
    absl::StrAppend(&drawing, "<rect class=\"band ", OutcomeClass(band.outcome()), "\" x=\"", from,
                    "\" y=\"0\" width=\"", to > from + 40 ? to - from : 40, "\" height=\"20\"><title>",
                    HtmlText(text), "</title></rect>");
  }
  if (search.bands_size() > bands) absl::StrAppend(words, "; and ", search.bands_size() - bands, " more");
  if (search.has_smallest_bytes()) {
    absl::StrAppend(&drawing,
                    Tick(line, search.smallest_bytes(), "smallest",
                         absl::StrCat("smallest that survived ", FormatBytes(search.smallest_bytes()))));
  }
  return absl::StrCat("<svg class=\"bar\" role=\"img\" viewBox=\"0 -3 ", kLineUnits,
                      " 26\" preserveAspectRatio=\"none\" aria-label=\"", HtmlText(*words), "\">", drawing,
                      "</svg>");
}

// "address_bytes" -> "RLIMIT_AS"; a field without such a name keeps its own.
std::string LimitName(const std::string& field) {
  if (field == "address_bytes") return "RLIMIT_AS (ulimit -v)";
  if (field == "data_bytes") return "RLIMIT_DATA (ulimit -d)";
  if (field == "memory_max_bytes") return "memory.max";
  if (field == "ram_bytes") return "RAM";
  return field;
}

std::string SearchTable(const proto::Report& report) {
  if (report.limit_searches().empty()) return "";
  LogLine line;
  for (const proto::LimitSearch& search : report.limit_searches()) {
    for (const proto::LimitBand& band : search.bands()) {
      line.Cover(band.from_bytes());
      line.Cover(band.to_bytes());
    }
  }
  HtmlTable table("the smallest limit that works", "searches");
  for (const char* title : {"strategy", "system", "limit varied", "held", "trace"})
    table.Column(title, Kind::kText);
  for (const char* title : {"smallest", "safe from", "to within", "tried"})
    table.Column(title, Kind::kNumber);
  table.Column(line.most == 0 ? "bands"
                              : absl::StrCat("from ", FormatBytes(line.least), " to ", FormatBytes(line.most),
                                             ", logarithmic"),
               Kind::kBar);
  const int rows = std::min<int>(report.limit_searches_size(), kMaxStudyRows);
  for (int i = 0; i < rows; ++i) {
    const proto::LimitSearch& search = report.limit_searches(i);
    const auto found = [&](bool has, uint64_t bytes) {
      return has ? FigureHtml(FormatBytes(bytes), search.provenance()) : std::string("none");
    };
    std::string words;
    const std::string bar = BandBar(search, line, &words);
    table.Row({HtmlText(search.strategy()), HtmlText(search.platform()), HtmlText(LimitName(search.limit())),
               HtmlText(LimitsText(search.others())), HtmlText(FileName(search.trace())),
               found(search.has_smallest_bytes(), search.smallest_bytes()),
               found(search.has_safe_bytes(), search.safe_bytes()), FormatBytes(search.resolution_bytes()),
               FormatCount(search.replays()), bar});
    table.Note(HtmlText(words), "bands");
  }
  return absl::StrCat(table.Markup(),
                      LeftOutHtml(static_cast<size_t>(report.limit_searches_size() - rows), "searches"));
}

std::string UsableTable(const proto::Report& report) {
  if (report.usable_heaps().empty()) return "";
  uint64_t scale = 0;
  for (const proto::UsableHeap& heap : report.usable_heaps()) {
    scale = std::max<uint64_t>(scale, std::max<uint64_t>(heap.usable_bytes(), heap.limits().address_bytes()));
  }
  HtmlTable table("usable heap under a limit", "usable");
  for (const char* title : {"strategy", "system", "limits"}) table.Column(title, Kind::kText);
  for (const char* title : {"blocks of", "usable"}) table.Column(title, Kind::kNumber);
  table.Column("its end", Kind::kText);
  table.Column("usable, and the limit as a line", Kind::kBar);
  const int rows = std::min<int>(report.usable_heaps_size(), kMaxStudyRows);
  for (int i = 0; i < rows; ++i) {
    const proto::UsableHeap& heap = report.usable_heaps(i);
    std::optional<uint64_t> limit;
    if (heap.limits().has_address_bytes()) limit = heap.limits().address_bytes();
    table.Row(
        {HtmlText(heap.strategy()), HtmlText(heap.platform()), HtmlText(LimitsText(heap.limits())),
         FormatBytes(heap.block_bytes()), FigureHtml(FormatBytes(heap.usable_bytes()), heap.provenance()),
         absl::StrCat("<span class=\"verdict ", OutcomeClass(heap.outcome()), "\">",
                      OutcomeWords(heap.outcome()), "</span>"),
         BarHtml(
             {{heap.usable_bytes(), "frag-live", absl::StrCat("usable ", FormatBytes(heap.usable_bytes()))}},
             scale, limit, absl::StrCat("limit ", FormatLimit(limit)))});
    if (heap.has_refusal()) table.Note(HtmlText(RefusalSentence(heap.refusal())), "refusal");
  }
  return absl::StrCat("<h3>Usable heap</h3>\n", table.Markup(),
                      LeftOutHtml(static_cast<size_t>(report.usable_heaps_size() - rows), "rows"));
}

std::string SensitivityTables(const proto::Report& report) {
  std::string text;
  const int cells = std::min<int>(report.sensitivities_size(), static_cast<int>(kMaxRunDrawings));
  for (int i = 0; i < cells; ++i) {
    const proto::Sensitivity& of = report.sensitivities(i);
    HtmlTable table(absl::StrCat("changes to ", CellTitle(of.strategy(), of.platform(), of.limits()), ": ",
                                 OutcomeWords(of.outcome()), " without any"),
                    "changes");
    for (const char* title : {"what is changed", "from", "to", "then", "refusal"})
      table.Column(title, Kind::kText);
    const int changes = std::min<int>(of.changes_size(), static_cast<int>(kMaxStudyRows));
    for (int k = 0; k < changes; ++k) {
      const proto::Change& change = of.changes(k);
      table.Row({HtmlText(change.field()), HtmlText(change.from()), HtmlText(change.to()),
                 absl::StrCat("<span class=\"verdict ", OutcomeClass(change.outcome()), "\">",
                              OutcomeWords(change.outcome()), "</span>"),
                 change.has_refusal() ? HtmlText(RefusalSentence(change.refusal())) : ""});
    }
    if (!table.empty()) absl::StrAppend(&text, table.Markup());
  }
  if (text.empty()) return "";
  return absl::StrCat(
      "<h3>What would have helped</h3>\n<p class=\"lead\">One thing changed at a time, modelled.</p>\n", text,
      LeftOutHtml(static_cast<size_t>(report.sensitivities_size() - cells), "cells with changes"));
}

}  // namespace

std::string StudySection(const proto::Report& report) {
  return SectionHtml(
      "study", "How much is enough",
      "Not every strategy lives better with more: each row is what happened from the smallest limit tried "
      "to the largest. The true edge lies at most &quot;to within&quot; below the figure.",
      absl::StrCat(SearchTable(report), UsableTable(report), SensitivityTables(report)));
}

}  // namespace reheap
