// Sections: the parts of the page, each a function from a report to markup (row 11 of the walk).
//
// A section that has nothing to show answers an empty string. All words and figures are in the markup:
// without scripts the page loses the curves and the comfort, nothing else. Order of the page: html_page.cc.
//
// Pure functions: no ownership, any thread. Limits: the constants below; what they cut off, the page says.
#ifndef REHEAP_SIM_REPORT_HTML_SECTIONS_H_
#define REHEAP_SIM_REPORT_HTML_SECTIONS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "proto/report.pb.h"

namespace reheap {

// Rows of figures: 10,000 of them are a page of 15 MB, about what a browser still scrolls.
inline constexpr size_t kMaxRunRows = 10000;
// Drawings that belong to one run: who sits where, size classes.
inline constexpr size_t kMaxRunDrawings = 60;
// Curves, and the points of all of them together.
inline constexpr size_t kMaxCurves = 240;
inline constexpr size_t kMaxCurvePoints = 120000;

// "7: go-2011-02-pretend on linux-amd64 (virtual), as 4.0 GiB", text.
std::string RunTitle(const proto::Report& report, int run);
// At most `most` of the runs that `has` something to show, in the order of the report; those that did not
// survive have the precedence. `*left_out` counts the others.
std::vector<int> ChooseRuns(const proto::Report& report, const std::function<bool(const proto::Run&)>& has,
                            size_t most, size_t* left_out);
// "12 more are in the saved result." as a paragraph; empty for 0.
std::string LeftOutHtml(size_t left_out, const char* what);
// Css class of an outcome: "survived", "startup-abort", ..., "unknown".
std::string OutcomeClass(proto::Outcome outcome);
// Css class of who holds memory: "hold-heap"; files of the image, which have names of their own, share one.
const char* HolderClass(absl::string_view holder);
// The refusal's sentence and, where it is known, what the program called just then; text.
std::string RefusalWords(const proto::Refusal& refusal);
// "strategy on platform, limits" of what a study asked, text.
std::string CellTitle(const std::string& strategy, const std::string& platform, const proto::Limits& limits);

std::string SummarySection(const proto::Report& report);     // what happened, in three lines
std::string VerdictSection(const proto::Report& report);     // the matrix
std::string StudySection(const proto::Report& report);       // limit searches, usable heap, sensitivity
std::string RunsSection(const proto::Report& report);        // every figure of every run
std::string LimitSection(const proto::Report& report);       // how much of the limit, by whom
std::string TimelineSection(const proto::Report& report);    // curves: controls, and the data for page.js
std::string SpaceSection(const proto::Report& report);       // who sits where
std::string SizeClassSection(const proto::Report& report);   // size classes, fragmentation
std::string LookupSection(const proto::Report& report);      // from a page to its span
std::string ProvenanceSection(const proto::Report& report);  // what the words mean, how to run it again

}  // namespace reheap

#endif  // REHEAP_SIM_REPORT_HTML_SECTIONS_H_
