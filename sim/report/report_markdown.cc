#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "sim/report/human_units.h"
#include "sim/report/report.h"
#include "sim/report/run_text.h"
#include "sim/report/verdict_matrix.h"

namespace reheap {

namespace {

// A comment on GitHub or GitLab holds 64 KiB at least; a row is some 150 bytes.
constexpr int kMaxRefusals = 30;
constexpr int kMaxRows = 150;
constexpr size_t kMaxMatrixCells = 600;

// A code span in a cell of a table: what it holds is neither markup nor a mention.
std::string Code(absl::string_view text) {
  std::string code = "`";
  for (const char c : text) {
    if (c == '`') {
      code += '\'';
    } else if (c == '|') {
      code += "\\|";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      code += ' ';
    } else {
      code += c;
    }
  }
  return code == "`" ? "" : code + "`";
}

std::string Verdict(const proto::Report& report, const std::vector<int>& runs) {
  const int run = DecidingRun(report, runs);
  if (run < 0) return "-";
  const proto::Outcome outcome = report.runs(run).outcome();
  return outcome == proto::SURVIVED ? OutcomeWords(outcome) : absl::StrCat("**", OutcomeWords(outcome), "**");
}

void AppendRow(const std::vector<std::string>& cells, std::string* text) {
  absl::StrAppend(text, "| ", absl::StrJoin(cells, " | "), " |\n");
}

void AppendHead(const std::vector<std::string>& titles, std::string* text) {
  AppendRow(titles, text);
  AppendRow(std::vector<std::string>(titles.size(), "---"), text);
}

std::string Matrix(const proto::Report& report, const VerdictMatrix& matrix) {
  std::string text;
  if (!matrix.subject.empty()) absl::StrAppend(&text, Code(matrix.subject), "\n\n");
  if (matrix.cells.size() > kMaxMatrixCells) {
    return absl::StrCat(text, FormatCount(matrix.cells.size()),
                        " combinations: too many for a comment, see the page.\n\n");
  }
  std::vector<std::string> titles = {"system", "limits"};
  for (const std::string& strategy : matrix.strategies) titles.push_back(Code(strategy));
  AppendHead(titles, &text);
  for (size_t place = 0; place < matrix.places.size(); ++place) {
    const VerdictPlace& at = matrix.places[place];
    std::vector<std::string> cells = {
        absl::StrCat(Code(at.platform), at.world == proto::REAL ? " (measured)" : ""), Code(at.limits)};
    for (size_t strategy = 0; strategy < matrix.strategies.size(); ++strategy) {
      cells.push_back(Verdict(report, matrix.at(strategy, place)));
    }
    AppendRow(cells, &text);
  }
  return text + "\n";
}

std::string Refusals(const proto::Report& report) {
  std::string text;
  int listed = 0;
  int refused = 0;
  for (int i = 0; i < report.runs_size(); ++i) {
    const proto::Run& run = report.runs(i);
    if (!run.has_refusal()) continue;
    if (++refused > kMaxRefusals) continue;
    ++listed;
    absl::StrAppend(&text, "- ", Code(PlanText(run)), " on ", Code(run.platform()), ", ",
                    Code(LimitsText(run.limits())), ": **", OutcomeWords(run.outcome()), "**. ",
                    Code(RefusalSentence(run.refusal())), "\n");
  }
  if (refused > listed) absl::StrAppend(&text, "- and ", refused - listed, " more\n");
  return text.empty() ? "" : absl::StrCat("### Refusals\n\n", text, "\n");
}

std::string Searches(const proto::Report& report) {
  if (report.limit_searches().empty()) return "";
  std::string text = "### Smallest limit that works\n\n";
  AppendHead({"strategy", "system", "limit", "smallest", "safe from", "to within", ""}, &text);
  int rows = 0;
  for (const proto::LimitSearch& search : report.limit_searches()) {
    if (++rows > kMaxRows) break;
    AppendRow({Code(search.strategy()), Code(search.platform()), Code(search.limit()),
               search.has_smallest_bytes() ? FormatBytes(search.smallest_bytes()) : "none",
               search.has_safe_bytes() ? FormatBytes(search.safe_bytes()) : "none",
               FormatBytes(search.resolution_bytes()), ProvenanceText(search.provenance())},
              &text);
  }
  const int more = report.limit_searches_size() - kMaxRows;
  return absl::StrCat(text, more > 0 ? absl::StrCat("\nand ", more, " more\n") : "", "\n");
}

std::string Figures(const proto::Report& report) {
  std::string text;
  AppendHead({"#", "strategy", "system", "limits", "outcome", "VSIZE", "RSS", "commit", "VMAs", "these are"},
             &text);
  const auto bytes = [](const proto::Run& run, const char* metric, uint64_t value) {
    const bool known = value != 0 || ProvenanceOf(run, metric) != proto::PROVENANCE_UNSPECIFIED;
    return known ? FormatBytes(value) : std::string("-");
  };
  for (int i = 0; i < report.runs_size() && i < kMaxRows; ++i) {
    const proto::Run& run = report.runs(i);
    AppendRow({absl::StrCat(i + 1), Code(PlanText(run)), Code(run.platform()), Code(LimitsText(run.limits())),
               OutcomeWords(run.outcome()), bytes(run, "peak_vsize_bytes", run.peak_vsize_bytes()),
               bytes(run, "peak_rss_bytes", run.peak_rss_bytes()),
               bytes(run, "peak_commit_bytes", run.peak_commit_bytes()), FormatCount(run.peak_vma_count()),
               GroupProvenanceText(run)},
              &text);
  }
  if (report.runs_size() > kMaxRows)
    absl::StrAppend(&text, "\nand ", report.runs_size() - kMaxRows, " more\n");
  return absl::StrCat("<details><summary>Figures of all ", report.runs_size(), " runs</summary>\n\n", text,
                      "\n</details>\n\n");
}

std::string CountsLine(const proto::Report& report) {
  std::map<proto::Outcome, int> counts;
  for (const proto::Run& run : report.runs()) ++counts[run.outcome()];
  return absl::StrJoin(counts, ", ", [](std::string* out, const std::pair<const proto::Outcome, int>& count) {
    absl::StrAppend(out, count.second, " ", OutcomeWords(count.first));
  });
}

// Fenced so that nothing inside ends it.
std::string Fence(absl::string_view text) {
  std::string fence = "```";
  while (text.find(fence) != absl::string_view::npos) fence += '`';
  return absl::StrCat(fence, "\n", text, "\n", fence, "\n");
}

}  // namespace

std::string RenderMarkdown(const proto::Report& report) {
  std::string text =
      absl::StrCat("## ", Code(report.tool()), ": ",
                   report.study().name().empty() ? "" : absl::StrCat(Code(report.study().name()), ", "),
                   report.runs().empty() ? "no runs" : CountsLine(report), "\n\n");
  if (report.study().shard_count() > 1) {
    absl::StrAppend(&text, "Part ", report.study().shard_index() + 1, " of ", report.study().shard_count(),
                    " only.\n\n");
  }
  int too_large = 0;
  if (!report.runs().empty()) {
    for (const VerdictMatrix& matrix : VerdictMatrices(report, &too_large))
      absl::StrAppend(&text, Matrix(report, matrix));
    if (too_large != 0)
      absl::StrAppend(&text, too_large, " traces have too many combinations for a table.\n\n");
  }
  absl::StrAppend(&text, Refusals(report), Searches(report));
  if (!report.runs().empty()) absl::StrAppend(&text, Figures(report));
  for (const std::string& note : report.notes()) absl::StrAppend(&text, "- left out: ", Code(note), "\n");
  if (!report.rerun().empty()) absl::StrAppend(&text, "Again:\n\n", Fence(report.rerun()));
  return text;
}

}  // namespace reheap
