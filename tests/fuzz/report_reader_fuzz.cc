// No saved result breaks its reader, nor any form in which it is shown: libFuzzer's entry, and the input that
// both it and the plain test feed.
//
//   ./tools/bazel build --config=fuzz //tests/fuzz:report_reader_fuzz
//   bazel-bin/tests/fuzz/report_reader_fuzz NEW_FOLDER tests/fuzz/report_corpus
//
// Whatever can be read is shown in every form, and what it says is no markup: the page has the elements that
// it has of any report.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "alloc/check.h"
#include "sim/report/html/html_page.h"
#include "sim/report/report.h"
#include "sim/report/report_reader.h"

namespace reheap {
namespace {

size_t Occurrences(absl::string_view text, absl::string_view of) {
  size_t count = 0;
  for (size_t at = text.find(of); at != absl::string_view::npos; at = text.find(of, at + of.size())) ++count;
  return count;
}

void ShowInEveryForm(const proto::Report& report) {
  static const proto::Report kNothing;
  static const size_t frames = Occurrences(RenderHtml(kNothing), "<script");
  const std::string page = RenderHtml(report);
  // The data of the curves is one more, when there are any.
  REHEAP_CHECK(Occurrences(page, "<script") - frames <= 1);
  REHEAP_CHECK(Occurrences(page, "<h1>") == 1);
  REHEAP_CHECK(absl::EndsWith(page, "</html>\n"));
  REHEAP_CHECK(!RenderTable(report, {.color = true}).empty());
  REHEAP_CHECK(!RenderCsv(report).empty());
  REHEAP_CHECK(!RenderMarkdown(report).empty());
  REHEAP_CHECK(absl::EndsWith(RenderPerfetto(report), "]}\n"));
  // JSON comes back as the same report, as far as this version knows its fields.
  const absl::StatusOr<std::string> json = RenderJson(report);
  if (!json.ok()) return;
  const absl::StatusOr<proto::Report> again = ParseReport(*json, "again");
  REHEAP_CHECK(again.ok() && again->runs_size() == report.runs_size() && again->tool() == report.tool());
}

}  // namespace
}  // namespace reheap

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::StatusOr<reheap::proto::Report> report =
      reheap::ParseReport(absl::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
  if (report.ok()) reheap::ShowInEveryForm(*report);
  return 0;
}
