// HtmlPage: a report as one page that opens anywhere (row 11 of the walk).
//
//   page.html    the frame, with {{names}} where things go
//   page.css     light, dark, print
//   page.js      comfort: tooltips, arrow keys, curves; the page reads without it
//   dygraphs     the curves, Debian's libjs-dygraphs
//
// All of it is embedded in the program and written into the page: no network, no other file. The page forbids
// itself everything else by a content security policy that names the digests of those four (BUILD.bazel
// computes them), so that a forged report cannot make it run or fetch anything even if an escape were
// forgotten.
//
// Pure function: the same report gives the same bytes. No ownership, any thread.
#ifndef REHEAP_SIM_REPORT_HTML_HTML_PAGE_H_
#define REHEAP_SIM_REPORT_HTML_HTML_PAGE_H_

#include <string>

#include "proto/report.pb.h"

namespace reheap {

std::string RenderHtml(const proto::Report& report);

}  // namespace reheap

#endif  // REHEAP_SIM_REPORT_HTML_HTML_PAGE_H_
