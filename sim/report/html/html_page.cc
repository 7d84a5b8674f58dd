#include "sim/report/html/html_page.h"

#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "alloc/check.h"
#include "sim/report/html/html_text.h"
#include "sim/report/html/page_files.h"
#include "sim/report/html/sections.h"
#include "sim/report/run_text.h"

namespace reheap {

namespace {

absl::string_view PageFile(absl::string_view name) {
  for (const EmbeddedFile& file : PageFiles()) {
    if (name == absl::string_view(file.name.data(), file.name.size())) {
      return {file.contents.data(), file.contents.size()};
    }
  }
  REHEAP_CHECK(false && "a file of the page is not embedded");
  return {};
}

// "web.trace": the study's name, else the traces.
std::string TitleOf(const proto::Report& report) {
  if (!report.study().name().empty()) return report.study().name();
  std::set<std::string> traces;
  for (const proto::Run& run : report.runs()) traces.emplace(FileName(run.trace()));
  if (traces.size() > 3) return absl::StrCat(traces.size(), " traces");
  return traces.empty() ? "nothing was run" : absl::StrJoin(traces, ", ");
}

struct Section {
  const char* id;
  const char* name;  // in the list of contents
  std::string (*render)(const proto::Report&);
};

constexpr Section kSections[] = {
    {"verdicts", "who survives", VerdictSection},
    {"study", "how much is enough", StudySection},
    {"limits", "how close", LimitSection},
    {"runs", "every run", RunsSection},
    {"timelines", "over the run", TimelineSection},
    {"space", "who sits where", SpaceSection},
    {"classes", "where the bytes go", SizeClassSection},
    {"lookup", "page to span", LookupSection},
    {"again", "where this comes from", ProvenanceSection},
};

}  // namespace

std::string RenderHtml(const proto::Report& report) {
  std::string contents;
  std::string sections;
  for (const Section& section : kSections) {
    const std::string markup = section.render(report);
    if (markup.empty()) continue;
    absl::StrAppend(&contents, "<li><a href=\"#", section.id, "\">", section.name, "</a></li>\n");
    absl::StrAppend(&sections, markup);
  }
  // One pass: what a report says is not looked at for names again.
  return absl::StrReplaceAll(PageFile("page.html"), {
                                                        {"{{policy}}", PageFile("page_policy.txt")},
                                                        {"{{title}}", HtmlText(TitleOf(report))},
                                                        {"{{tool}}", HtmlText(report.tool())},
                                                        {"{{dygraph.css}}", PageFile("dygraph.css")},
                                                        {"{{page.css}}", PageFile("page.css")},
                                                        {"{{summary}}", SummarySection(report)},
                                                        {"{{contents}}", contents},
                                                        {"{{sections}}", sections},
                                                        {"{{dygraph.js}}", PageFile("dygraph.js")},
                                                        {"{{page.js}}", PageFile("page.js")},
                                                    });
}

}  // namespace reheap
