// RunFigure: the figures of a run that budgets, tolerances and comparisons speak of, each under one name (row
// 11 of the walk).
//
// Every one of them is better when it is smaller. A figure that a run does not know is absent, never 0.
//
// Plain data and pure functions: no ownership, any thread.
#ifndef REHEAP_SIM_REPORT_RUN_FIGURE_H_
#define REHEAP_SIM_REPORT_RUN_FIGURE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "proto/report.pb.h"

namespace reheap {

struct RunFigure {
  enum class Unit { kBytes, kCount, kRatio, kNanoseconds };

  const char* name;   // in files and options: "peak_rss"
  const char* title;  // in sentences: "peak RSS"
  Unit unit;
  const char* metric;  // field of Run: for its provenance and PeakCause.metric
  std::optional<double> (*value)(const proto::Run& run);
};

// In the order of the table's columns. Numbers up to 2^53 are exact.
absl::Span<const RunFigure> RunFigures();
std::vector<std::string> RunFigureNames();
// Null when there is none of that name.
const RunFigure* FindRunFigure(absl::string_view name);

// "32.0 MiB", "12", "1.27", "3.4 ns"
std::string FormatFigure(const RunFigure& figure, double value);

// What made the peak, a clause to follow a sentence about it: "reached at event 12,345 (malloc of 1.0 MiB by
// thread 3), with 30.1 MiB of objects alive, called from main (web.c:17)"; empty when nobody knows.
std::string PeakCauseText(const proto::Run& run, absl::string_view metric);

// What a run is about, in words: "web.trace go-1.11-sparse linux-amd64 as 4.0 GiB".
std::string RunAbout(const proto::Run& run);
// What two runs must have in common to be compared: trace (its file's name), target, strategy, world,
// platform, limits to the byte, order, touch. For machines.
std::string RunKey(const proto::Run& run);

}  // namespace reheap

#endif  // REHEAP_SIM_REPORT_RUN_FIGURE_H_
