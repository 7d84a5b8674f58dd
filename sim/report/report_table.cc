#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "sim/os/refusal_text.h"
#include "sim/report/human_units.h"
#include "sim/report/report.h"
#include "sim/report/run_text.h"
#include "sim/report/text_table.h"
#include "sim/report/verdict_matrix.h"

namespace reheap {

namespace {

using Align = TextTable::Align;

// The figure; "-" when nobody knows it; with "~" before it when it is a modelled one among measured ones.
std::string Figure(const proto::Run& run, absl::string_view metric, uint64_t value, std::string text) {
  const proto::Provenance provenance = ProvenanceOf(run, metric);
  if (value == 0 && provenance == proto::PROVENANCE_UNSPECIFIED) return "-";
  const bool marked = provenance == proto::MODELLED && GroupProvenanceText(run) == "mixed";
  return absl::StrCat(marked ? "~" : "", text);
}

std::string HeadLine(const proto::Report& report) {
  std::vector<std::string> parts;
  const std::vector<RunSubject> varying = SubjectsThatVary(report, CommonSubjects());
  for (const RunSubject& subject : CommonSubjects()) {
    const bool varies = std::any_of(varying.begin(), varying.end(), [&](const RunSubject& other) {
      return absl::string_view(other.title) == subject.title;
    });
    if (!varies) parts.push_back(absl::StrCat(subject.title, " ", subject.text(report.runs(0))));
  }
  uint64_t events = 0;
  uint64_t live_bytes = 0;
  for (const proto::Run& run : report.runs()) {
    events = std::max<uint64_t>(events, run.events());
    live_bytes = std::max<uint64_t>(live_bytes, run.peak_live_bytes());
  }
  parts.push_back(absl::StrCat(FormatCount(events), " events"));
  parts.push_back(absl::StrCat("at most ", FormatBytes(live_bytes), " alive"));
  return absl::StrCat(report.tool(), ": ", absl::StrJoin(parts, ", "), "\n");
}

const char* OutcomeColor(proto::Outcome outcome) {
  switch (outcome) {
    case proto::SURVIVED:
      return "\033[32m";  // green
    case proto::DEGRADED:
    case proto::CATCHABLE_ERROR:
      return "\033[33m";  // yellow
    default:
      return "\033[31m";  // red
  }
}

// Outcomes alone, places down and strategies across; empty unless the report is a cross of strategies and
// places. A place that a strategy met more than once (two traces, say) shows the outcome that differs from
// SURVIVED.
std::string OutcomeGrid(const proto::Report& report, TableStyle style) {
  const VerdictMatrix matrix = JoinedVerdicts(report, /*targets_too=*/false);
  if (matrix.cells.empty() || matrix.strategies.size() < 2 || matrix.places.size() < 4) return "";
  TextTable table;
  for (const char* title : {"world", "platform", "limits"}) table.AddColumn(title, Align::kLeft);
  for (const std::string& strategy : matrix.strategies) table.AddColumn(strategy, Align::kLeft);
  for (size_t place = 0; place < matrix.places.size(); ++place) {
    const VerdictPlace& at = matrix.places[place];
    std::vector<std::string> cells = {WorldText(at.world), at.platform, at.limits};
    std::vector<const char*> colors;
    for (size_t strategy = 0; strategy < matrix.strategies.size(); ++strategy) {
      const int run = DecidingRun(report, matrix.at(strategy, place));
      cells.push_back(run < 0 ? "-" : OutcomeName(report.runs(run).outcome()));
      colors.push_back(run < 0 ? nullptr : OutcomeColor(report.runs(run).outcome()));
    }
    table.AddRow(std::move(cells));
    for (size_t strategy = 0; strategy < colors.size(); ++strategy) {
      if (style.color && colors[strategy] != nullptr) table.ColorLastRow(3 + strategy, colors[strategy]);
    }
  }
  return absl::StrCat("who survives\n", table.Render(), "\n");
}

// VSIZE against the first row's: the figure that reservation strategies differ in.
std::string Ratio(const proto::Report& report, const proto::Run& run) {
  const uint64_t first = report.runs(0).peak_vsize_bytes();
  if (first == 0 || run.peak_vsize_bytes() == 0) return "-";
  const double ratio = static_cast<double>(run.peak_vsize_bytes()) / static_cast<double>(first);
  return ratio < 100 ? absl::StrFormat("%.2f", ratio) : absl::StrFormat("%.0f", ratio);
}

std::string MemoryTable(const proto::Report& report, TableStyle style) {
  const std::vector<RunSubject> varying = SubjectsThatVary(report, CommonSubjects());
  const bool ratios = report.runs_size() > 1;
  TextTable table;
  table.AddColumn("#", Align::kRight);
  for (const RunSubject& subject : varying) table.AddColumn(subject.title, Align::kLeft);
  for (const char* title : {"strategy", "world", "platform", "limits", "outcome"})
    table.AddColumn(title, Align::kLeft);
  const size_t outcome_column = varying.size() + 5;
  for (const char* title : {"RSS", "VSIZE"}) table.AddColumn(title, Align::kRight);
  if (ratios) table.AddColumn("ratio", Align::kRight);
  for (const char* title : {"commit", "VMAs"}) table.AddColumn(title, Align::kRight);
  table.AddColumn("these are", Align::kLeft);
  for (int i = 0; i < report.runs_size(); ++i) {
    const proto::Run& run = report.runs(i);
    std::vector<std::string> cells = {absl::StrCat(i + 1)};
    for (const RunSubject& subject : varying) cells.push_back(subject.text(run));
    cells.insert(cells.end(), {run.strategy(), WorldText(run.world()), run.platform(),
                               LimitsText(run.limits()), OutcomeName(run.outcome())});
    cells.push_back(Figure(run, "peak_rss_bytes", run.peak_rss_bytes(), FormatBytes(run.peak_rss_bytes())));
    cells.push_back(
        Figure(run, "peak_vsize_bytes", run.peak_vsize_bytes(), FormatBytes(run.peak_vsize_bytes())));
    if (ratios) cells.push_back(Ratio(report, run));
    cells.push_back(
        Figure(run, "peak_commit_bytes", run.peak_commit_bytes(), FormatBytes(run.peak_commit_bytes())));
    cells.push_back(Figure(run, "peak_vma_count", run.peak_vma_count(), FormatCount(run.peak_vma_count())));
    cells.push_back(GroupProvenanceText(run));
    table.AddRow(std::move(cells));
    if (style.color) table.ColorLastRow(outcome_column, OutcomeColor(run.outcome()));
    if (const std::string foreign = ForeignSentence(run); !foreign.empty()) {
      table.AddNote(absl::StrCat("      ", foreign));
    }
    if (run.has_refusal()) table.AddNote(absl::StrCat("      ", RefusalSentence(run.refusal())));
  }
  return table.Render();
}

// 1,2,3,5 -> "1-3,5"
std::string RowNumbers(const std::vector<int>& rows) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < rows.size();) {
    size_t last = i;
    while (last + 1 < rows.size() && rows[last + 1] == rows[last] + 1) ++last;
    parts.push_back(last == i ? absl::StrCat(rows[i]) : absl::StrCat(rows[i], "-", rows[last]));
    i = last + 1;
  }
  return absl::StrJoin(parts, ",");
}

std::vector<std::string> LookupCells(const proto::Run& run) {
  const proto::PageMapResult& map = run.page_map();
  const bool timed = map.lookup_ns() > 0;
  return {
      run.strategy(),
      map.kind(),
      FormatBytes(map.reserved_bytes()),
      FormatBytes(map.resident_bytes()),
      absl::StrCat(map.loads_per_lookup()),
      ProvenanceText(ProvenanceOf(run, "page_map")),
      timed ? absl::StrFormat("%.2f ns", map.lookup_ns()) : "-",
      timed ? absl::StrFormat("%.2f ns", map.baseline_ns()) : "-",
      timed ? ProvenanceText(ProvenanceOf(run, "page_map.lookup_ns")) : "-",
      FormatCount(run.os_calls()),
      run.replay_ns_per_event() > 0 ? absl::StrFormat("%.1f ns", run.replay_ns_per_event()) : "-",
  };
}

// Rows with the same figures share a line. Empty when no run got as far as a page map.
std::string LookupTable(const proto::Report& report) {
  std::vector<std::vector<std::string>> lines;
  std::vector<std::vector<int>> rows;
  for (int i = 0; i < report.runs_size(); ++i) {
    if (report.runs(i).page_map().reserved_bytes() == 0) continue;
    std::vector<std::string> cells = LookupCells(report.runs(i));
    const auto same = std::find(lines.begin(), lines.end(), cells);
    const size_t line = static_cast<size_t>(same - lines.begin());
    if (same == lines.end()) {
      lines.push_back(std::move(cells));
      rows.emplace_back();
    }
    rows[line].push_back(i + 1);
  }
  if (lines.empty()) return "";
  TextTable table;
  table.AddColumn("#", Align::kLeft);
  for (const char* title : {"strategy", "page map"}) table.AddColumn(title, Align::kLeft);
  for (const char* title : {"reserved", "resident", "loads"}) table.AddColumn(title, Align::kRight);
  table.AddColumn("these are", Align::kLeft);
  for (const char* title : {"lookup", "floor"}) table.AddColumn(title, Align::kRight);
  table.AddColumn("these are", Align::kLeft);
  for (const char* title : {"OS calls", "per event"}) table.AddColumn(title, Align::kRight);
  for (size_t i = 0; i < lines.size(); ++i) {
    lines[i].insert(lines[i].begin(), RowNumbers(rows[i]));
    table.AddRow(std::move(lines[i]));
  }
  return absl::StrCat("\nfrom a page to its span\n", table.Render());
}

std::string Legend(const proto::Report& report) {
  std::set<proto::Outcome> outcomes;
  std::map<std::string, std::set<std::string>> bases;  // by platform
  bool mixed = false;
  bool foreign = false;
  const proto::Run* bookkeeping = nullptr;
  for (const proto::Run& run : report.runs()) {
    outcomes.insert(run.outcome());
    if (!run.platform_basis().empty()) bases[run.platform()].insert(run.platform_basis());
    mixed = mixed || GroupProvenanceText(run) == "mixed";
    foreign = foreign || !ForeignSentence(run).empty();
    if (run.bookkeeping_vsize_bytes() != 0) bookkeeping = &run;
  }
  std::string text = "\n";
  for (const proto::Outcome outcome : outcomes) {
    absl::StrAppendFormat(&text, "%s: %s\n", OutcomeName(outcome), OutcomeMeaning(outcome));
  }
  absl::StrAppend(
      &text, "RSS, VSIZE, commit, VMAs: the most that the heap ", foreign ? "and the program's own mappings " : "",
      "added to its process",
      report.runs_size() > 1 ? "; ratio: VSIZE against row 1\n" : "\n",
      "measured: a clock or a kernel counter said so; modelled: the virtual OS or a count of the "
      "algorithm did; -: not known\n");
  if (mixed) absl::StrAppend(&text, "mixed: figures with ~ are modelled, the others measured\n");
  for (const auto& [platform, basis] : bases) {
    absl::StrAppendFormat(&text, "%s: %s\n", platform, absl::StrJoin(basis, "; "));
  }
  if (bookkeeping != nullptr) {
    absl::StrAppendFormat(&text, "the replayer's own memory, already subtracted: VSIZE %s, RSS %s\n",
                          FormatBytes(bookkeeping->bookkeeping_vsize_bytes()),
                          FormatBytes(bookkeeping->bookkeeping_rss_bytes()));
  }
  for (const std::string& note : report.notes()) absl::StrAppend(&text, "note: ", note, "\n");
  if (!report.rerun().empty()) absl::StrAppend(&text, "again: ", report.rerun(), "\n");
  absl::StrAppend(&text, "each column explained: sim/report/README.md\n");
  return text;
}

// Where and when, for the end of the sentence.
std::string RefusedRequest(const proto::Refusal& refusal) {
  std::string text;
  if (!refusal.operation().empty()) {
    absl::StrAppend(&text, "; at ",
                    refusal.has_event() ? absl::StrCat("event ", FormatCount(refusal.event())) : "startup",
                    ": ", refusal.operation());
    if (!refusal.purpose().empty()) absl::StrAppend(&text, " (", refusal.purpose(), ")");
  }
  if (refusal.wanted_address() != 0) absl::StrAppendFormat(&text, ", wanted 0x%x", refusal.wanted_address());
  if (refusal.obtained_address() != 0)
    absl::StrAppendFormat(&text, ", offered 0x%x", refusal.obtained_address());
  if (refusal.os_error() != 0) absl::StrAppend(&text, ", error ", refusal.os_error());
  return text;
}

}  // namespace

std::string RefusalSentence(const proto::Refusal& refusal) {
  RefusalFacts facts;
  facts.rule = refusal.rule();
  facts.asked_bytes = refusal.asked_bytes();
  facts.in_use = refusal.in_use_bytes();
  facts.allowed = refusal.allowed_bytes();
  facts.shares.measure = ShareMeasureNamed(refusal.measure());
  facts.shares.free_bytes = refusal.free_bytes();
  facts.shares.largest_gap_bytes = refusal.largest_gap_bytes();
  for (const proto::Holder& holder : refusal.holders()) {
    facts.shares.holders.push_back({holder.name(), holder.bytes(), holder.mappings(), Addr(holder.address())});
  }
  return absl::StrCat(RefusalText(facts), RefusedRequest(refusal));
}

std::string RenderTable(const proto::Report& report, TableStyle style) {
  if (report.runs().empty()) return absl::StrCat(report.tool(), ": no runs\n");
  return absl::StrCat(HeadLine(report), "\n", OutcomeGrid(report, style), MemoryTable(report, style),
                      LookupTable(report), Legend(report));
}

}  // namespace reheap
