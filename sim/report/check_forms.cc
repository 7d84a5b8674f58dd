// The forms of a check's result: a table for people, JUnit for machines.
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sim/report/budget_check.h"
#include "sim/report/run_figure.h"
#include "sim/report/run_text.h"
#include "sim/report/text_table.h"

namespace reheap {
namespace {

constexpr char kGreen[] = "\x1b[32m";
constexpr char kRed[] = "\x1b[31m";

// XML 1.0 text, fit for attributes too. Characters that XML cannot have, escaped or not, become U+FFFD; the
// rest of the text is UTF-8, as every string of a message is.
std::string XmlEscaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\n':
        escaped += "&#10;";
        break;
      case '\t':
        escaped += "&#9;";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          escaped += "\xef\xbf\xbd";
        } else {
          escaped += c;
        }
    }
  }
  return escaped;
}

int Failed(const proto::CheckResult& result) {
  int failed = 0;
  for (const proto::CheckedRow& row : result.rows()) failed += !row.passed();
  return failed;
}

std::string CellOf(const proto::Run& run, const char* name) {
  const RunFigure* figure = FindRunFigure(name);
  const std::optional<double> value = figure->value(run);
  return value ? FormatFigure(*figure, *value) : "-";
}

}  // namespace

std::string RenderCheckTable(const proto::CheckResult& result, bool color) {
  static constexpr const char* kColumns[] = {"peak_rss",  "peak_vsize",    "peak_commit",
                                             "peak_vmas", "fragmentation", "loads_per_lookup"};
  static constexpr const char* kTitles[] = {"RSS", "VSIZE", "commit", "VMAs", "spans/live", "loads"};
  TextTable table;
  for (const char* title : {"row", "verdict", "outcome"}) table.AddColumn(title, TextTable::Align::kLeft);
  for (const char* title : kTitles) table.AddColumn(title, TextTable::Align::kRight);
  table.AddColumn("these are", TextTable::Align::kLeft);
  for (const proto::CheckedRow& row : result.rows()) {
    std::vector<std::string> cells = {row.name(), row.passed() ? "ok" : "FAILED",
                                      row.has_run() ? OutcomeName(row.run().outcome()) : "-"};
    for (const char* name : kColumns) cells.push_back(row.has_run() ? CellOf(row.run(), name) : "-");
    cells.push_back(row.has_run() ? GroupProvenanceText(row.run()) : "-");
    table.AddRow(std::move(cells));
    if (color) table.ColorLastRow(1, row.passed() ? kGreen : kRed);
  }
  std::string text = table.Render();
  for (const proto::CheckedRow& row : result.rows()) {
    for (const std::string& failure : row.failures())
      absl::StrAppend(&text, "\n", row.name(), ": ", failure, "\n");
  }
  const int failed = Failed(result);
  absl::StrAppend(&text, "\n", result.rows_size() - failed, " of ", result.rows_size(),
                  " rows keep the budget\n");
  return text;
}

std::string RenderJUnit(const proto::CheckResult& result, const std::string& suite) {
  const std::string name = XmlEscaped(suite);
  const std::string counts =
      absl::StrCat(" tests=\"", result.rows_size(), "\" failures=\"", Failed(result), "\" errors=\"0\"");
  std::string xml =
      absl::StrCat("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"reheap check\"", counts,
                   ">\n  <testsuite name=\"", name, "\"", counts, " skipped=\"0\">\n");
  for (const proto::CheckedRow& row : result.rows()) {
    absl::StrAppend(&xml, "    <testcase name=\"", XmlEscaped(row.name()), "\" classname=\"", name, "\"");
    if (row.passed()) {
      absl::StrAppend(&xml, "/>\n");
      continue;
    }
    const std::string first = row.failures().empty() ? "" : row.failures(0);
    absl::StrAppend(&xml, ">\n      <failure type=\"budget\" message=\"", XmlEscaped(first), "\">",
                    XmlEscaped(absl::StrJoin(row.failures(), "\n")), "</failure>\n");
    if (row.has_run())
      absl::StrAppend(&xml, "      <system-out>", XmlEscaped(RunAbout(row.run())), "</system-out>\n");
    absl::StrAppend(&xml, "    </testcase>\n");
  }
  absl::StrAppend(&xml, "  </testsuite>\n</testsuites>\n");
  return xml;
}

}  // namespace reheap
