// Report rendering: what replays found, as a table for people, JSON for programs, CSV for spreadsheets (row
// 11 of the walk).
//
// The report itself is proto/report.proto; nothing is computed here but ratios and sums of what stands in it.
// Beside every group of figures stands where they come from, measured or modelled. Columns explained:
// README.md.
//
// Pure functions: the same report gives the same bytes. No ownership, any thread.
#ifndef REHEAP_SIM_REPORT_REPORT_H_
#define REHEAP_SIM_REPORT_REPORT_H_

#include <string>

#include "absl/status/statusor.h"
#include "proto/report.pb.h"

namespace reheap {

struct TableStyle {
  bool color = false;  // escape sequences for a terminal
};

// Text for people, at most 140 columns wide with the names of the catalogues. Lines end in '\n'.
std::string RenderTable(const proto::Report& report, TableStyle style);

// Protobuf's own JSON mapping with the proto's field names; numbers are there even when zero. 64-bit numbers
// are JSON strings, as that mapping has it. Ends in '\n'.
absl::StatusOr<std::string> RenderJson(const proto::Report& report);

// One line per run, RFC 4180. Column names are the proto's: "limits.address_bytes"; absent fields are empty;
// provenance is one column per metric; the timeline, a table of its own, is left to JSON.
std::string RenderCsv(const proto::Report& report);

// For a pull request: who survives, who does not and why, figures folded away, how to run it again. Short: what
// does not fit a comment is counted instead. Names are code spans, so that they are neither markup nor mentions.
std::string RenderMarkdown(const proto::Report& report);

// The timelines as counters in the JSON trace event format, which Perfetto (ui.perfetto.dev) opens: a process per
// run, counters live, rss, vsize and commit in bytes, a mark at the refusal and at each peak's cause. The clock is
// events: one event of the trace is one microsecond.
std::string RenderPerfetto(const proto::Report& report);

// "RLIMIT_AS: asked 17.0 GiB, 0.03 of 4.0 GiB in use; largest: program 0.02 GiB; at startup: reserve"
// (sim/os/refusal_text.h has the wording that the line shell shares.)
std::string RefusalSentence(const proto::Refusal& refusal);

}  // namespace reheap

#endif  // REHEAP_SIM_REPORT_REPORT_H_
