#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "sim/report/html/html_text.h"
#include "sim/report/html/sections.h"
#include "sim/report/human_units.h"
#include "sim/report/run_text.h"

namespace reheap {

namespace {

using Kind = HtmlTable::Kind;

uint64_t Beyond(uint64_t whole, uint64_t part) { return whole > part ? whole - part : 0; }

// The allocator counts these itself, in both worlds, unless the run says otherwise.
proto::Provenance CountProvenance(const proto::Run& run, absl::string_view metric) {
  const proto::Provenance said = ProvenanceOf(run, metric);
  return said == proto::PROVENANCE_UNSPECIFIED ? proto::MODELLED : said;
}

// The layers between what was asked for and what the heap holds, as one bar.
void AddFragmentation(const proto::Report& report, int index, uint64_t scale, HtmlTable* table) {
  const proto::Run& run = report.runs(index);
  const proto::Fragmentation& of = run.fragmentation();
  const uint64_t rounding = Beyond(of.rounded_bytes(), of.live_bytes());
  const uint64_t free_objects = Beyond(of.span_bytes(), of.rounded_bytes());
  const uint64_t free_spans = Beyond(of.heap_bytes(), of.span_bytes());
  const uint64_t whole = std::max<uint64_t>(of.heap_bytes(), of.span_bytes()) + of.table_bytes();
  const auto part = [](const char* name, uint64_t bytes) {
    return absl::StrCat(name, " ", FormatBytes(bytes));
  };
  const std::vector<BarPart> parts = {
      {of.live_bytes(), "frag-live", part("asked for", of.live_bytes())},
      {rounding, "frag-rounding", part("rounded up to size classes", rounding)},
      {free_objects, "frag-objects", part("free objects in spans and caches", free_objects)},
      {free_spans, "frag-spans", part("free spans", free_spans)},
      {of.table_bytes(), "frag-tables", part("the allocator's own", of.table_bytes())},
  };
  const proto::Provenance provenance = CountProvenance(run, "fragmentation");
  table->Row({absl::StrCat("<a href=\"#run-", index + 1, "\">", HtmlText(RunTitle(report, index)), "</a>"),
              BarHtml(parts, scale, std::nullopt, ""), FigureHtml(FormatBytes(of.live_bytes()), provenance),
              FigureHtml(FormatBytes(rounding), provenance),
              FigureHtml(FormatBytes(free_objects), provenance),
              FigureHtml(FormatBytes(free_spans), provenance),
              FigureHtml(FormatBytes(of.table_bytes()), provenance), PercentText(of.live_bytes(), whole)});
}

std::string FragmentationTable(const proto::Report& report) {
  size_t left_out = 0;
  const std::vector<int> runs = ChooseRuns(
      report, [](const proto::Run& run) { return run.has_fragmentation(); }, kMaxRunDrawings, &left_out);
  if (runs.empty()) return "";
  uint64_t scale = 0;
  for (const int run : runs) {
    const proto::Fragmentation& of = report.runs(run).fragmentation();
    scale =
        std::max<uint64_t>(scale, std::max<uint64_t>(of.heap_bytes(), of.span_bytes()) + of.table_bytes());
  }
  HtmlTable table("the heap when the most bytes of objects were alive", "fragmentation");
  table.Column("run", Kind::kText);
  table.Column("in the order of the columns, one scale", Kind::kBar);
  for (const char* title :
       {"asked for", "rounding", "free objects", "free spans", "its own", "of all, asked for"}) {
    table.Column(title, Kind::kNumber);
  }
  for (const int run : runs) AddFragmentation(report, run, scale, &table);
  return absl::StrCat(table.Markup(), LeftOutHtml(left_out, "runs"));
}

std::string ClassName(const proto::SizeClassUse& use) {
  return use.object_bytes() == 0 ? "large" : FormatCount(use.object_bytes()) + " B";
}

std::string ClassTable(const proto::Run& run) {
  std::vector<const proto::SizeClassUse*> classes;
  uint64_t scale = 0;
  for (const proto::SizeClassUse& use : run.size_classes()) {
    classes.push_back(&use);
    scale = std::max<uint64_t>(scale, std::max<uint64_t>(use.span_bytes(), use.requested_bytes()));
  }
  // By size, large ones last.
  std::stable_sort(classes.begin(), classes.end(),
                   [](const proto::SizeClassUse* a, const proto::SizeClassUse* b) {
                     return a->object_bytes() - 1 < b->object_bytes() - 1;
                   });
  HtmlTable table("size classes when the most bytes of objects were alive", "classes");
  table.Column("class", Kind::kNumber);
  for (const char* title : {"allocations", "alive", "asked for", "spans", "unused"}) {
    table.Column(title, Kind::kNumber);
  }
  table.Column("asked for, and the rest of the spans", Kind::kBar);
  const proto::Provenance provenance = CountProvenance(run, "size_classes");
  for (const proto::SizeClassUse* use : classes) {
    const uint64_t unused = Beyond(use->span_bytes(), use->requested_bytes());
    table.Row(
        {ClassName(*use), use->has_allocations() ? FormatCount(use->allocations()) : "-",
         FormatCount(use->live_objects()), FigureHtml(FormatBytes(use->requested_bytes()), provenance),
         FigureHtml(FormatBytes(use->span_bytes()), provenance), PercentText(unused, use->span_bytes()),
         BarHtml({{use->requested_bytes(), "frag-live",
                   absl::StrCat("asked for ", FormatBytes(use->requested_bytes()))},
                  {unused, "frag-objects", absl::StrCat("rounding and free objects ", FormatBytes(unused))}},
                 scale, std::nullopt, "")});
  }
  return table.Markup();
}

// Size classes are the strategy's and the trace's: runs on other systems mostly have the very same. One table
// for all of those.
std::string ClassTables(const proto::Report& report) {
  std::map<std::string, size_t> seen;
  std::vector<std::vector<int>> groups;
  for (int i = 0; i < report.runs_size(); ++i) {
    const proto::Run& run = report.runs(i);
    if (run.size_classes().empty()) continue;
    std::string key = ProvenanceText(CountProvenance(run, "size_classes"));
    for (const proto::SizeClassUse& use : run.size_classes())
      absl::StrAppend(&key, " ", use.ShortDebugString());
    const auto [group, inserted] = seen.emplace(std::move(key), groups.size());
    if (inserted) groups.emplace_back();
    groups[group->second].push_back(i);
  }
  if (groups.empty()) return "";
  std::string text = "<h3>Size classes</h3>\n";
  for (size_t i = 0; i < std::min(groups.size(), kMaxRunDrawings); ++i) {
    const int first = groups[i].front();
    absl::StrAppend(&text, "<details><summary>run ", HtmlText(RunTitle(report, first)));
    if (groups[i].size() > 1) absl::StrAppend(&text, ", and ", groups[i].size() - 1, " with the same");
    absl::StrAppend(&text, "</summary>\n", ClassTable(report.runs(first)), "</details>\n");
  }
  const size_t left_out = groups.size() > kMaxRunDrawings ? groups.size() - kMaxRunDrawings : 0;
  return absl::StrCat(text, LeftOutHtml(left_out, "tables of size classes"));
}

}  // namespace

std::string SizeClassSection(const proto::Report& report) {
  return SectionHtml(
      "classes", "Where the bytes go",
      "From what the program asked for to what the heap holds: rounding up to size classes, free objects in "
      "spans that are in use, free spans, and the allocator&#39;s own tables.",
      absl::StrCat(FragmentationTable(report), ClassTables(report)));
}

}  // namespace reheap
