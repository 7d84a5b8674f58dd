#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sim/report/html/html_text.h"
#include "sim/report/html/sections.h"
#include "sim/report/human_units.h"
#include "sim/report/run_text.h"
#include "sim/report/verdict_matrix.h"

namespace reheap {

namespace {

// What hovering over a cell says.
std::string Why(const proto::Run& run) {
  if (run.has_refusal()) return RefusalWords(run.refusal());
  std::string text = absl::StrCat(
      OutcomeMeaning(run.outcome()), "; VSIZE ", FormatBytes(run.peak_vsize_bytes()), ", RSS ",
      FormatBytes(run.peak_rss_bytes()), ", ", ProvenanceText(ProvenanceOf(run, "peak_vsize_bytes")));
  if (!run.degraded_mode().empty()) absl::StrAppend(&text, "; ", run.degraded_mode());
  return text;
}

std::string VerdictCell(const proto::Report& report, const std::vector<int>& runs) {
  const int index = DecidingRun(report, runs);
  if (index < 0) return "<td class=\"verdict none\">not asked</td>";
  const proto::Run& run = report.runs(index);
  std::string why = Why(run);
  if (runs.size() > 1) absl::StrAppend(&why, " (the worst of ", runs.size(), " runs)");
  const std::string rule =
      run.has_refusal() ? absl::StrCat("<small>", HtmlText(run.refusal().rule()), "</small>") : "";
  return absl::StrCat("<td class=\"verdict ", OutcomeClass(run.outcome()), "\"><a href=\"#run-", index + 1,
                      "\" title=\"", HtmlText(why), "\">", OutcomeWords(run.outcome()), rule, "</a></td>");
}

std::string Head(absl::string_view scope, absl::string_view text, size_t columns, size_t rows) {
  return absl::StrCat("<th scope=\"", scope, "\"",
                      columns > 1 ? absl::StrCat(" colspan=\"", columns, "\"") : "",
                      rows > 1 ? absl::StrCat(" rowspan=\"", rows, "\"") : "", ">", HtmlText(text), "</th>");
}

std::string SystemText(const VerdictPlace& place) {
  return place.world == proto::REAL ? absl::StrCat(place.platform, " (real)") : place.platform;
}

// For how many places from `first` on the system stays the same.
size_t SameSystem(const std::vector<VerdictPlace>& places, size_t first) {
  size_t last = first;
  while (last + 1 < places.size() && SystemText(places[last + 1]) == SystemText(places[first])) ++last;
  return last + 1 - first;
}

// Places down, strategies across: as the terminal has it.
std::string PlacesDown(const proto::Report& report, const VerdictMatrix& matrix) {
  std::string text = "<thead><tr><th scope=\"col\">system</th><th scope=\"col\">limits</th>";
  for (const std::string& strategy : matrix.strategies) absl::StrAppend(&text, Head("col", strategy, 1, 1));
  text += "</tr></thead>\n<tbody>\n";
  size_t group_left = 0;
  for (size_t place = 0; place < matrix.places.size(); ++place) {
    text += "<tr>";
    if (group_left == 0) {
      group_left = SameSystem(matrix.places, place);
      absl::StrAppend(&text, Head("rowgroup", SystemText(matrix.places[place]), 1, group_left));
    }
    --group_left;
    absl::StrAppend(&text, Head("row", matrix.places[place].limits, 1, 1));
    for (size_t strategy = 0; strategy < matrix.strategies.size(); ++strategy) {
      absl::StrAppend(&text, VerdictCell(report, matrix.at(strategy, place)));
    }
    text += "</tr>\n";
  }
  return text + "</tbody>";
}

// Strategies down, places across: for long lists of strategies.
std::string StrategiesDown(const proto::Report& report, const VerdictMatrix& matrix) {
  std::string text = "<thead><tr><th scope=\"col\" rowspan=\"2\">strategy</th>";
  for (size_t place = 0; place < matrix.places.size();) {
    const size_t columns = SameSystem(matrix.places, place);
    absl::StrAppend(&text, Head("colgroup", SystemText(matrix.places[place]), columns, 1));
    place += columns;
  }
  text += "</tr>\n<tr>";
  for (const VerdictPlace& place : matrix.places) absl::StrAppend(&text, Head("col", place.limits, 1, 1));
  text += "</tr></thead>\n<tbody>\n";
  for (size_t strategy = 0; strategy < matrix.strategies.size(); ++strategy) {
    absl::StrAppend(&text, "<tr>", Head("row", matrix.strategies[strategy], 1, 1));
    for (size_t place = 0; place < matrix.places.size(); ++place) {
      absl::StrAppend(&text, VerdictCell(report, matrix.at(strategy, place)));
    }
    text += "</tr>\n";
  }
  return text + "</tbody>";
}

std::string Matrix(const proto::Report& report, const VerdictMatrix& matrix) {
  const std::string caption = absl::StrCat("outcome by strategy, system and limits",
                                           matrix.subject.empty() ? "" : ": ", matrix.subject);
  return absl::StrCat("<div class=\"scroll\"><table class=\"verdicts\"><caption>", HtmlText(caption),
                      "</caption>\n",
                      matrix.places.size() > matrix.strategies.size() ? PlacesDown(report, matrix)
                                                                      : StrategiesDown(report, matrix),
                      "</table></div>\n");
}

// A world's systems of one name lie apart when limits vary fastest elsewhere: brings them together, keeping
// the order in which each system and each limit first came.
VerdictMatrix Grouped(const VerdictMatrix& matrix) {
  std::map<std::string, size_t> first;
  for (size_t i = 0; i < matrix.places.size(); ++i) first.emplace(SystemText(matrix.places[i]), i);
  std::vector<size_t> order(matrix.places.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return first[SystemText(matrix.places[a])] < first[SystemText(matrix.places[b])];
  });
  VerdictMatrix grouped = matrix;
  for (size_t to = 0; to < order.size(); ++to) {
    grouped.places[to] = matrix.places[order[to]];
    for (size_t strategy = 0; strategy < matrix.strategies.size(); ++strategy) {
      grouped.cells[strategy * order.size() + to] = matrix.at(strategy, order[to]);
    }
  }
  return grouped;
}

std::string Legend(const proto::Report& report) {
  std::set<proto::Outcome> outcomes;
  for (const proto::Run& run : report.runs()) outcomes.insert(run.outcome());
  std::string text = "<dl class=\"legend\">";
  for (const proto::Outcome outcome : outcomes) {
    absl::StrAppend(&text, "<div><dt class=\"verdict ", OutcomeClass(outcome), "\">", OutcomeWords(outcome),
                    "</dt><dd>", OutcomeMeaning(outcome), "</dd></div>");
  }
  return text + "</dl>\n";
}

}  // namespace

std::string SummarySection(const proto::Report& report) {
  std::map<proto::Outcome, int> counts;
  std::map<std::string, int> rules;
  uint64_t events = 0;
  uint64_t live_bytes = 0;
  for (const proto::Run& run : report.runs()) {
    ++counts[run.outcome()];
    if (run.has_refusal()) ++rules[run.refusal().rule()];
    events = std::max<uint64_t>(events, run.events());
    live_bytes = std::max<uint64_t>(live_bytes, run.peak_live_bytes());
  }
  std::string text;
  if (report.has_study()) {
    const proto::StudyPart& study = report.study();
    absl::StrAppend(&text, "<p class=\"study\">Study <b>", HtmlText(study.name()), "</b>",
                    study.summary().empty() ? "" : ": ", HtmlText(study.summary()));
    if (study.shard_count() > 1) {
      absl::StrAppend(&text, " <strong>Part ", study.shard_index() + 1, " of ", study.shard_count(),
                      " only, ", report.runs_size(), " of ", study.cells(), " cells.</strong>");
    }
    text += "</p>\n";
  }
  if (report.runs_size() != 0) {
    absl::StrAppend(&text, "<ul class=\"counts\">");
    for (const auto& [outcome, count] : counts) {
      absl::StrAppend(&text, "<li class=\"verdict ", OutcomeClass(outcome), "\"><b>", FormatCount(count),
                      "</b> ", OutcomeWords(outcome), "</li>");
    }
    absl::StrAppend(&text, "</ul>\n<p>", FormatCount(report.runs_size()),
                    report.runs_size() == 1 ? " run" : " runs", " of at most ", FormatCount(events),
                    " events, at most ", FormatBytes(live_bytes), " of objects alive.");
    if (!rules.empty()) {
      absl::StrAppend(&text, " Refused by: ",
                      absl::StrJoin(rules, ", ",
                                    [](std::string* out, const std::pair<const std::string, int>& rule) {
                                      absl::StrAppend(out, HtmlText(rule.first), " (", rule.second, ")");
                                    }),
                      ".");
    }
    text += "</p>\n";
  }
  return text;
}

std::string VerdictSection(const proto::Report& report) {
  if (report.runs().empty()) return "";
  int too_large = 0;
  std::string body;
  for (const VerdictMatrix& matrix : VerdictMatrices(report, &too_large)) {
    absl::StrAppend(&body, Matrix(report, Grouped(matrix)));
  }
  if (too_large != 0) {
    absl::StrAppend(
        &body, "<p class=\"left-out\">The runs of ", too_large,
        " traces name so many strategies and places that a matrix of them would be all gaps; their "
        "outcomes are in the next table.</p>\n");
  }
  return SectionHtml(
      "verdicts", "Who survives",
      "Each cell is a run. Hover over it, or go through the cells with the arrow keys, for the "
      "refusal in one sentence; follow it for its figures.",
      absl::StrCat(body, Legend(report)));
}

}  // namespace reheap
