#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sim/report/html/html_text.h"
#include "sim/report/html/sections.h"
#include "sim/report/human_units.h"
#include "sim/report/run_text.h"

namespace reheap {

namespace {

// A definition list of texts.
std::string Terms(const std::map<std::string, std::set<std::string>>& terms) {
  std::string text = "<dl class=\"terms\">\n";
  for (const auto& [term, meanings] : terms) {
    absl::StrAppend(&text, "<div><dt>", HtmlText(term), "</dt><dd>", HtmlText(absl::StrJoin(meanings, "; ")),
                    "</dd></div>\n");
  }
  return text + "</dl>\n";
}

std::string Conditions(const proto::Report& report) {
  std::map<std::string, std::set<std::string>> terms;
  for (const proto::Run& run : report.runs()) {
    for (const RunSubject& subject : CommonSubjects()) {
      if (const std::string text = subject.text(run); !text.empty()) terms[subject.title].insert(text);
    }
    if (!run.image().empty()) terms["process image"].insert(run.image());
    if (run.has_foreign()) terms["the program's own mappings"].insert(run.foreign().mode());
  }
  return terms.empty() ? "" : absl::StrCat("<h3>What was replayed, and how</h3>\n", Terms(terms));
}

std::string Systems(const proto::Report& report) {
  std::map<std::string, std::set<std::string>> bases;
  for (const proto::Run& run : report.runs()) {
    if (!run.platform_basis().empty()) bases[run.platform()].insert(run.platform_basis());
  }
  return bases.empty() ? "" : absl::StrCat("<h3>Whose rules, and how they are known</h3>\n", Terms(bases));
}

std::string Notes(const proto::Report& report) {
  if (report.notes().empty()) return "";
  std::string text = "<h3>Left out</h3>\n<ul class=\"notes\">\n";
  for (const std::string& note : report.notes()) absl::StrAppend(&text, "<li>", HtmlText(note), "</li>\n");
  return text + "</ul>\n";
}

std::string Again(const proto::Report& report) {
  if (report.rerun().empty()) return "";
  std::string text = absl::StrCat(
      "<h3>How to run it again</h3>\n<pre id=\"rerun\" tabindex=\"0\"><code>", HtmlText(report.rerun()),
      "</code></pre>\n<button type=\"button\" id=\"copy-rerun\" class=\"needs-script\" "
      "hidden>copy the command</button>\n");
  absl::StrAppend(&text, "<p>", HtmlText(report.tool()));
  if (!report.study().digest().empty()) {
    absl::StrAppend(&text, ", digest of study and traces <code>", HtmlText(report.study().digest()),
                    "</code>");
  }
  return text + "</p>\n";
}

constexpr char kWords[] = R"html(<h3>Measured or modelled</h3>
<dl class="terms">
<div><dt><small class="source measured">measured</small></dt><dd>A clock or a counter of the running kernel said so.</dd></div>
<div><dt><small class="source modelled">modelled</small></dt><dd>The virtual OS said so, or a count of the algorithm. A modelled run has no times.</dd></div>
<div><dt>-</dt><dd>Nobody knows this figure. It is not zero.</dd></div>
</dl>
<p>Every word and column is explained in <code>sim/report/README.md</code>. 1 KiB is 1,024 B.</p>
)html";

}  // namespace

std::string ProvenanceSection(const proto::Report& report) {
  return SectionHtml("again", "Where this comes from", "",
                     absl::StrCat(Again(report), Conditions(report), kWords, Systems(report), Notes(report)));
}

}  // namespace reheap
