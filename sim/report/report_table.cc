#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
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
#include "sim/report/text_table.h"

namespace reheap {

namespace {

using Align = TextTable::Align;

// Bytes, commit charge and mappings of one run, and who says so.
constexpr absl::string_view kMemoryMetrics[] = {"peak_rss_bytes", "peak_vsize_bytes", "peak_commit_bytes",
                                                "peak_vma_count"};

proto::Provenance ProvenanceOf(const proto::Run& run, absl::string_view metric) {
  for (const proto::MetricProvenance& entry : run.provenance()) {
    if (entry.metric() == metric) return entry.provenance();
  }
  return proto::PROVENANCE_UNSPECIFIED;
}

const char* Word(proto::Provenance provenance) {
  switch (provenance) {
    case proto::MEASURED:
      return "measured";
    case proto::MODELLED:
      return "modelled";
    default:
      return "?";
  }
}

// How a group of figures came about: one word when all known ones agree, else "mixed".
std::string GroupProvenance(const proto::Run& run) {
  std::set<proto::Provenance> seen;
  for (absl::string_view metric : kMemoryMetrics) {
    const proto::Provenance provenance = ProvenanceOf(run, metric);
    if (provenance != proto::PROVENANCE_UNSPECIFIED) seen.insert(provenance);
  }
  if (seen.size() > 1) return "mixed";
  return seen.empty() ? "?" : Word(*seen.begin());
}

// The figure; "-" when nobody knows it; with "~" before it when it is a modelled one among measured ones.
std::string Figure(const proto::Run& run, absl::string_view metric, uint64_t value, std::string text) {
  const proto::Provenance provenance = ProvenanceOf(run, metric);
  if (value == 0 && provenance == proto::PROVENANCE_UNSPECIFIED) return "-";
  const bool marked = provenance == proto::MODELLED && GroupProvenance(run) == "mixed";
  return absl::StrCat(marked ? "~" : "", text);
}

std::string LimitsText(const proto::Limits& limits) {
  std::vector<std::string> parts;
  if (limits.has_address_bytes()) parts.push_back(absl::StrCat("as ", FormatBytes(limits.address_bytes())));
  if (limits.has_data_bytes()) parts.push_back(absl::StrCat("data ", FormatBytes(limits.data_bytes())));
  if (limits.has_overcommit_mode()) parts.push_back(absl::StrCat("overcommit ", limits.overcommit_mode()));
  if (limits.has_memory_max_bytes()) parts.push_back(absl::StrCat("memory ", FormatBytes(limits.memory_max_bytes())));
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

absl::string_view Basename(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

// What a row is about, where it differs between rows.
struct Subject {
  const char* title;
  std::function<std::string(const proto::Run&)> text;
};

std::vector<Subject> SubjectsThatVary(const proto::Report& report, const std::vector<Subject>& subjects) {
  std::vector<Subject> varying;
  for (const Subject& subject : subjects) {
    std::set<std::string> texts;
    for (const proto::Run& run : report.runs()) texts.insert(subject.text(run));
    if (texts.size() > 1) varying.push_back(subject);
  }
  return varying;
}

std::vector<Subject> CommonSubjects() {
  return {
      {"trace", [](const proto::Run& run) { return std::string(Basename(run.trace())); }},
      {"target", [](const proto::Run& run) { return run.target(); }},
      {"order", [](const proto::Run& run) { return run.order(); }},
      {"touch", [](const proto::Run& run) { return run.touch(); }},
  };
}

std::string HeadLine(const proto::Report& report) {
  std::vector<std::string> parts;
  const std::vector<Subject> varying = SubjectsThatVary(report, CommonSubjects());
  for (const Subject& subject : CommonSubjects()) {
    const bool varies = std::any_of(varying.begin(), varying.end(), [&](const Subject& other) {
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

// What a strategy is replayed on.
using Place = std::tuple<proto::World, std::string, std::string>;  // world, platform, limits

Place PlaceOf(const proto::Run& run) { return {run.world(), run.platform(), LimitsText(run.limits())}; }

template <class Value>
size_t IndexOf(const Value& value, std::vector<Value>* values) {
  const auto found = std::find(values->begin(), values->end(), value);
  if (found != values->end()) return static_cast<size_t>(found - values->begin());
  values->push_back(value);
  return values->size() - 1;
}

// Outcomes alone, places down and strategies across; empty unless the report is a cross of strategies and
// places. A place that a strategy met more than once (two traces, say) shows the outcome that differs from
// SURVIVED.
std::string OutcomeGrid(const proto::Report& report, TableStyle style) {
  std::vector<std::string> strategies;
  std::vector<Place> places;
  std::map<std::pair<size_t, size_t>, proto::Outcome> outcomes;
  for (const proto::Run& run : report.runs()) {
    if (run.strategy().empty()) continue;
    const size_t strategy = IndexOf(run.strategy(), &strategies);
    const auto key = std::make_pair(IndexOf(PlaceOf(run), &places), strategy);
    const auto inserted = outcomes.emplace(key, run.outcome());
    if (inserted.first->second == proto::SURVIVED) inserted.first->second = run.outcome();
  }
  if (strategies.size() < 2 || places.size() < 4) return "";
  TextTable table;
  for (const char* title : {"world", "platform", "limits"}) table.AddColumn(title, Align::kLeft);
  for (const std::string& strategy : strategies) table.AddColumn(strategy, Align::kLeft);
  for (size_t place = 0; place < places.size(); ++place) {
    const auto& [world, platform, limits] = places[place];
    std::vector<std::string> cells = {WorldText(world), platform, limits};
    for (size_t strategy = 0; strategy < strategies.size(); ++strategy) {
      const auto outcome = outcomes.find({place, strategy});
      cells.push_back(outcome == outcomes.end() ? "-" : proto::Outcome_Name(outcome->second));
    }
    table.AddRow(std::move(cells));
    if (!style.color) continue;
    for (size_t strategy = 0; strategy < strategies.size(); ++strategy) {
      const auto outcome = outcomes.find({place, strategy});
      if (outcome != outcomes.end()) table.ColorLastRow(3 + strategy, OutcomeColor(outcome->second));
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

// The program's own mappings beside the heap; empty when none were replayed.
std::string ForeignText(const proto::Run& run) {
  const proto::Foreign& foreign = run.foreign();
  if (foreign.calls() == 0 && foreign.stacks() == 0) return "";
  std::string text = absl::StrCat("      the program's own: ", FormatCount(foreign.calls()), " calls, ",
                                  FormatCount(foreign.mapped()), " mappings, ", FormatCount(foreign.moved()),
                                  " moved, ", FormatCount(foreign.refused()), " refused, ",
                                  FormatCount(foreign.outside()), " left out");
  if (foreign.stacks() != 0) absl::StrAppend(&text, "; ", FormatCount(foreign.stacks()), " thread stacks, modelled");
  return absl::StrCat(text, "; at most ", FormatBytes(foreign.peak_bytes()));
}

std::string MemoryTable(const proto::Report& report, TableStyle style) {
  const std::vector<Subject> varying = SubjectsThatVary(report, CommonSubjects());
  const bool ratios = report.runs_size() > 1;
  TextTable table;
  table.AddColumn("#", Align::kRight);
  for (const Subject& subject : varying) table.AddColumn(subject.title, Align::kLeft);
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
    for (const Subject& subject : varying) cells.push_back(subject.text(run));
    cells.insert(cells.end(), {run.strategy(), WorldText(run.world()), run.platform(),
                               LimitsText(run.limits()), proto::Outcome_Name(run.outcome())});
    cells.push_back(Figure(run, "peak_rss_bytes", run.peak_rss_bytes(), FormatBytes(run.peak_rss_bytes())));
    cells.push_back(
        Figure(run, "peak_vsize_bytes", run.peak_vsize_bytes(), FormatBytes(run.peak_vsize_bytes())));
    if (ratios) cells.push_back(Ratio(report, run));
    cells.push_back(
        Figure(run, "peak_commit_bytes", run.peak_commit_bytes(), FormatBytes(run.peak_commit_bytes())));
    cells.push_back(Figure(run, "peak_vma_count", run.peak_vma_count(), FormatCount(run.peak_vma_count())));
    cells.push_back(GroupProvenance(run));
    table.AddRow(std::move(cells));
    if (style.color) table.ColorLastRow(outcome_column, OutcomeColor(run.outcome()));
    if (const std::string foreign = ForeignText(run); !foreign.empty()) table.AddNote(foreign);
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
      Word(ProvenanceOf(run, "page_map")),
      timed ? absl::StrFormat("%.2f ns", map.lookup_ns()) : "-",
      timed ? absl::StrFormat("%.2f ns", map.baseline_ns()) : "-",
      timed ? Word(ProvenanceOf(run, "page_map.lookup_ns")) : "-",
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

std::string Legend(const proto::Report& report) {
  std::set<proto::Outcome> outcomes;
  std::map<std::string, std::set<std::string>> bases;  // by platform
  bool mixed = false;
  bool foreign = false;
  const proto::Run* bookkeeping = nullptr;
  for (const proto::Run& run : report.runs()) {
    outcomes.insert(run.outcome());
    if (!run.platform_basis().empty()) bases[run.platform()].insert(run.platform_basis());
    mixed = mixed || GroupProvenance(run) == "mixed";
    foreign = foreign || !ForeignText(run).empty();
    if (run.bookkeeping_vsize_bytes() != 0) bookkeeping = &run;
  }
  std::string text = "\n";
  for (const proto::Outcome outcome : outcomes) {
    absl::StrAppendFormat(&text, "%s: %s\n", proto::Outcome_Name(outcome), OutcomeMeaning(outcome));
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
