#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "sim/report/html/html_text.h"
#include "sim/report/html/sections.h"
#include "sim/report/human_units.h"
#include "sim/report/run_text.h"

namespace reheap {

namespace {

using Kind = HtmlTable::Kind;

// Times in thousandths of a nanosecond, so that a bar is drawn in integers. Forged and silly ones are 0.
uint64_t Picoseconds(double ns) { return ns > 0 && ns < 1e9 ? static_cast<uint64_t>(ns * 1000 + 0.5) : 0; }

// One line of the table: runs that agree in all of it share it.
std::vector<std::string> Cells(const proto::Run& run, uint64_t most_loads, uint64_t most_ps) {
  const proto::PageMapResult& map = run.page_map();
  const proto::Provenance counted = ProvenanceOf(run, "page_map");
  const proto::Provenance timed = ProvenanceOf(run, "page_map.lookup_ns");
  const uint64_t lookup_ps = Picoseconds(map.lookup_ns());
  const uint64_t floor_ps = Picoseconds(map.baseline_ns());
  const std::string lookup =
      lookup_ps == 0 ? "-" : FigureHtml(absl::StrFormat("%.2f ns", map.lookup_ns()), timed);
  const std::string floor =
      floor_ps == 0 ? "-" : FigureHtml(absl::StrFormat("%.2f ns", map.baseline_ns()), timed);
  const uint64_t above = lookup_ps > floor_ps ? lookup_ps - floor_ps : 0;
  return {
      HtmlText(PlanText(run)),
      HtmlText(map.kind()),
      FigureHtml(FormatBytes(map.reserved_bytes()), counted),
      FigureHtml(FormatBytes(map.resident_bytes()), counted),
      FigureHtml(absl::StrCat(map.loads_per_lookup()), counted),
      BarHtml({{map.loads_per_lookup(), "cost-loads", absl::StrCat(map.loads_per_lookup(), " loads")}},
              most_loads, std::nullopt, ""),
      lookup,
      floor,
      lookup_ps == 0 ? ""
                     : BarHtml({{std::min(floor_ps, lookup_ps), "cost-floor",
                                 absl::StrFormat("floor of this machine %.2f ns", map.baseline_ns())},
                                {above, "cost-lookup",
                                 absl::StrFormat("above it %d.%02d ns", above / 1000, above % 1000 / 10)}},
                               most_ps, std::nullopt, ""),
  };
}

}  // namespace

std::string LookupSection(const proto::Report& report) {
  uint64_t most_loads = 1;
  uint64_t most_ps = 1;
  for (const proto::Run& run : report.runs()) {
    most_loads = std::max<uint64_t>(most_loads, run.page_map().loads_per_lookup());
    most_ps = std::max(most_ps, Picoseconds(run.page_map().lookup_ns()));
  }
  HtmlTable table("cost of finding a page's span", "lookup");
  for (const char* title : {"strategy", "page map"}) table.Column(title, Kind::kText);
  for (const char* title : {"reserved", "resident", "loads"}) table.Column(title, Kind::kNumber);
  table.Column("dependent loads", Kind::kBar);
  for (const char* title : {"lookup", "floor"}) table.Column(title, Kind::kNumber);
  table.Column("time of one lookup", Kind::kBar);
  table.Column("runs", Kind::kNumber);
  // In the order in which a line first comes, with the number of its runs.
  std::map<std::vector<std::string>, size_t> lines;
  std::vector<std::pair<std::vector<std::string>, int>> ordered;
  for (const proto::Run& run : report.runs()) {
    if (run.page_map().reserved_bytes() == 0) continue;
    std::vector<std::string> cells = Cells(run, most_loads, most_ps);
    const auto [line, inserted] = lines.emplace(cells, ordered.size());
    if (inserted) ordered.emplace_back(std::move(cells), 0);
    ++ordered[line->second].second;
  }
  for (auto& [cells, runs] : ordered) {
    cells.push_back(absl::StrCat(runs));
    table.Row(cells);
  }
  if (table.empty()) return "";
  return SectionHtml(
      "lookup", "From a page to its span",
      "What a free() pays to find out what it frees: dependent loads, counted; and, where it was measured, "
      "the time of one lookup in a chain, beside the same chain that reads 8 bytes instead.",
      table.Markup());
}

}  // namespace reheap
