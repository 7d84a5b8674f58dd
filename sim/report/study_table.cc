#include "sim/report/study_table.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "sim/report/human_units.h"
#include "sim/report/run_text.h"
#include "sim/report/text_table.h"

namespace reheap {
namespace {

using Align = TextTable::Align;

constexpr char kGreen[] = "\033[32m";
constexpr char kYellow[] = "\033[33m";
constexpr char kRed[] = "\033[31m";

const char* ColorOf(proto::Outcome outcome) {
  if (outcome == proto::SURVIVED) return kGreen;
  return outcome == proto::DEGRADED || outcome == proto::CATCHABLE_ERROR ? kYellow : kRed;
}

bool IsOfMappings(const std::string& limit) { return limit == "max_mappings"; }

std::string LimitFigure(const std::string& limit, uint64_t value) {
  return IsOfMappings(limit) ? FormatCount(value) : FormatBytes(value);
}

std::string Head(const proto::Report& report) {
  const proto::StudyPart& part = report.study();
  std::string text = absl::StrCat("study ", part.name(), ": ", part.summary(), "\n");
  absl::StrAppend(&text, FormatCount(part.cells()), " cells", ", all modelled");
  if (part.shard_count() > 1) absl::StrAppend(&text, "; here shard ", part.shard_index(), " of ", part.shard_count());
  return absl::StrCat(text, "; digest ", part.digest(), "\n\n");
}

// "8.0 MiB to 17.0 GiB STARTUP_ABORT (RLIMIT_AS)"
std::string BandText(const std::string& limit, const proto::LimitBand& band) {
  std::string text = LimitFigure(limit, band.from_bytes());
  if (band.to_bytes() != band.from_bytes()) absl::StrAppend(&text, " to ", LimitFigure(limit, band.to_bytes()));
  absl::StrAppend(&text, " ", OutcomeName(band.outcome()));
  if (!band.rule().empty()) absl::StrAppend(&text, " (", band.rule(), ")");
  if (!band.mode().empty()) absl::StrAppend(&text, " with ", band.mode());
  return text;
}

std::string LimitSearches(const proto::Report& report, TableStyle style) {
  if (report.limit_searches().empty()) return "";
  TextTable table;
  for (const char* title : {"limit", "strategy", "platform", "trace", "beside it"}) table.AddColumn(title, Align::kLeft);
  for (const char* title : {"smallest", "safe from", "to within", "tries"}) table.AddColumn(title, Align::kRight);
  for (const proto::LimitSearch& search : report.limit_searches()) {
    const std::string& limit = search.limit();
    const bool is_found = search.has_smallest_bytes();
    table.AddRow({limit, search.strategy(), search.platform(), std::string(FileName(search.trace())),
                  LimitsText(search.others()), is_found ? LimitFigure(limit, search.smallest_bytes()) : "none",
                  search.has_safe_bytes() ? LimitFigure(limit, search.safe_bytes()) : "none",
                  LimitFigure(limit, search.resolution_bytes()), FormatCount(search.replays())});
    if (style.color) table.ColorLastRow(5, is_found ? kGreen : kRed);
    // Two bands, died below and lives above, are what the figures say already.
    const bool is_plain = search.bands_size() == 2 && is_found && search.smallest_bytes() == search.bands(1).from_bytes();
    if (is_plain) {
      table.AddNote(absl::StrCat("      below: ", OutcomeName(search.bands(0).outcome()), " (", search.bands(0).rule(), ")"));
      continue;
    }
    for (const proto::LimitBand& band : search.bands()) table.AddNote(absl::StrCat("      ", BandText(limit, band)));
  }
  return absl::StrCat("\nsmallest limit that works (every limit tried from `safe from` up does)\n", table.Render());
}

// What is across and what is down in the tables of usable heap, and what stands where they cross.
struct UsableGrid {
  using Row = std::tuple<uint64_t, std::string, std::string>;  // block, strategy, platform
  std::vector<Row> rows;
  std::vector<std::pair<uint64_t, std::string>> limits;  // address space and words; ascending
  std::map<std::pair<Row, std::string>, std::string> figures;
};

UsableGrid UsableGridOf(const proto::Report& report) {
  UsableGrid grid;
  const auto add = [](const auto& value, auto* list) {
    if (std::find(list->begin(), list->end(), value) == list->end()) list->push_back(value);
  };
  for (const proto::UsableHeap& usable : report.usable_heaps()) {
    const UsableGrid::Row row = {usable.block_bytes(), usable.strategy(), usable.platform()};
    const std::string under = LimitsText(usable.limits());
    add(row, &grid.rows);
    const bool is_limited = usable.limits().has_address_bytes();
    add(std::pair(is_limited ? usable.limits().address_bytes() : ~uint64_t{0}, under), &grid.limits);
    const bool aborts = usable.outcome() == proto::STARTUP_ABORT || usable.outcome() == proto::LATE_ABORT;
    const bool is_endless = usable.outcome() == proto::SURVIVED;
    grid.figures[{row, under}] =
        absl::StrCat(is_endless ? ">= " : "", FormatBytes(usable.usable_bytes()), aborts ? "*" : "");
  }
  std::stable_sort(grid.limits.begin(), grid.limits.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  return grid;
}

// The limits from `first` to before `last` across; rows that have none of them are left out.
std::string OneUsableTable(const UsableGrid& grid, size_t first, size_t last) {
  TextTable table;
  table.AddColumn("block", Align::kRight);
  for (const char* title : {"strategy", "platform"}) table.AddColumn(title, Align::kLeft);
  for (size_t i = first; i < last; ++i) table.AddColumn(grid.limits[i].second, Align::kRight);
  for (const UsableGrid::Row& row : grid.rows) {
    std::vector<std::string> cells = {FormatBytes(std::get<0>(row)), std::get<1>(row), std::get<2>(row)};
    bool is_empty = true;
    for (size_t i = first; i < last; ++i) {
      const auto figure = grid.figures.find({row, grid.limits[i].second});
      is_empty &= figure == grid.figures.end();
      cells.push_back(figure == grid.figures.end() ? "-" : figure->second);
    }
    if (!is_empty) table.AddRow(std::move(cells));
  }
  return table.Render();
}

// Limits across, so many that a terminal is wide enough; a figure with * when the program was aborted and not answered
// NULL.
std::string UsableHeaps(const proto::Report& report) {
  if (report.usable_heaps().empty()) return "";
  constexpr size_t kAcross = 6;
  const UsableGrid grid = UsableGridOf(report);
  std::string text = "\nusable heap: blocks until the first is refused (*: aborted, not answered NULL)\n";
  for (size_t first = 0; first < grid.limits.size(); first += kAcross) {
    if (first > 0) text += "\n";
    text += OneUsableTable(grid, first, std::min(first + kAcross, grid.limits.size()));
  }
  return text;
}

std::string FailureTimes(const proto::Report& report, TableStyle style) {
  if (report.failure_times().empty()) return "";
  TextTable table;
  for (const char* title : {"strategy", "platform", "trace"}) table.AddColumn(title, Align::kLeft);
  table.AddColumn("limit", Align::kRight);
  table.AddColumn("outcome", Align::kLeft);
  for (const char* title : {"at event", "of the trace", "alive then"}) table.AddColumn(title, Align::kRight);
  table.AddColumn("rule", Align::kLeft);
  for (const proto::FailureTimes& times : report.failure_times()) {
    for (const proto::FailureTime& time : times.times()) {
      const double share = times.events() == 0 ? 0 : 100.0 * static_cast<double>(time.event()) / static_cast<double>(times.events());
      table.AddRow({times.strategy(), times.platform(), std::string(FileName(times.trace())),
                    LimitFigure(times.limit(), time.limit_bytes()), OutcomeName(time.outcome()),
                    time.has_event() ? FormatCount(time.event()) : "-",
                    time.has_event() ? absl::StrFormat("%.1f %%", share) : "-", FormatBytes(time.live_bytes()), time.rule()});
      if (style.color) table.ColorLastRow(4, ColorOf(time.outcome()));
    }
  }
  return absl::StrCat("\ntime to failure, by ", report.failure_times(0).limit(), "\n", table.Render());
}

std::string ChangeLine(const proto::Change& change) {
  return absl::StrCat("  ", change.field(), ": ", change.from(), " -> ", change.to());
}

std::string OneSensitivity(const proto::Sensitivity& cell, TableStyle style) {
  const auto colored = [&](const char* color, const std::string& text) {
    return style.color ? absl::StrCat(color, text, "\033[0m") : text;
  };
  std::string text =
      absl::StrCat(cell.strategy(), ", ", cell.platform(), ", ", LimitsText(cell.limits()), ", ", FileName(cell.trace()),
                   ": ", colored(ColorOf(cell.outcome()), OutcomeName(cell.outcome())), "\n");
  std::map<std::string, int> vain;
  std::string eased;
  for (const proto::Change& change : cell.changes()) {
    if (change.outcome() == proto::SURVIVED) {
      absl::StrAppend(&text, colored(kGreen, ChangeLine(change)), "\n");
    } else if (change.outcome() != cell.outcome()) {
      absl::StrAppend(&eased, ChangeLine(change), " (then ", OutcomeName(change.outcome()), ")\n");
    } else {
      ++vain[change.field()];
    }
  }
  absl::StrAppend(&text, eased);
  std::vector<std::string> fields;
  for (const auto& [field, count] : vain) fields.push_back(field);
  if (!fields.empty()) absl::StrAppend(&text, "  no help: ", absl::StrJoin(fields, ", "), "\n");
  return text;
}

std::string Sensitivities(const proto::Report& report, TableStyle style) {
  if (report.sensitivities().empty()) return "";
  std::string text = "\nwhich one change would have let it survive\n";
  int survivors = 0;
  for (const proto::Sensitivity& cell : report.sensitivities()) {
    if (cell.outcome() == proto::SURVIVED) {
      ++survivors;
    } else {
      absl::StrAppend(&text, OneSensitivity(cell, style));
    }
  }
  if (survivors == 1) text += "1 cell survives as it is\n";
  if (survivors > 1) absl::StrAppend(&text, FormatCount(survivors), " cells survive as they are\n");
  return text;
}

// What RenderTable says at its end when there are runs.
std::string Tail(const proto::Report& report) {
  std::string text = "\n";
  for (const std::string& note : report.notes()) absl::StrAppend(&text, "note: ", note, "\n");
  if (!report.rerun().empty()) absl::StrAppend(&text, "again: ", report.rerun(), "\n");
  return text;
}

}  // namespace

std::string RenderStudy(const proto::Report& report, TableStyle style) {
  std::string text = report.has_study() ? Head(report) : "";
  const bool has_runs = !report.runs().empty();
  if (has_runs) absl::StrAppend(&text, RenderTable(report, style));
  absl::StrAppend(&text, LimitSearches(report, style), UsableHeaps(report), FailureTimes(report, style),
                  Sensitivities(report, style), has_runs ? "" : Tail(report));
  return text;
}

}  // namespace reheap
