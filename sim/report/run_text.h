// RunText: what the fields of a run are called, the same words in every form of the report (row 11 of the
// walk).
//
// Tables, pages and pull requests that speak of one run must not differ in its name for a limit or an
// outcome.
//
// Pure functions: no ownership, any thread.
#ifndef REHEAP_SIM_REPORT_RUN_TEXT_H_
#define REHEAP_SIM_REPORT_RUN_TEXT_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "proto/report.pb.h"

namespace reheap {

// "as 4.0 GiB overcommit 2"; "unlimited" when nothing is set.
std::string LimitsText(const proto::Limits& limits);
const char* WorldText(proto::World world);
// "measured", "modelled"; "?" when nobody said.
const char* ProvenanceText(proto::Provenance provenance);
// "SURVIVED"; "?" for a number that this version does not know.
std::string OutcomeName(proto::Outcome outcome);
// "startup abort": the same for a sentence.
std::string OutcomeWords(proto::Outcome outcome);
// What became of the program, a clause without a full stop.
const char* OutcomeMeaning(proto::Outcome outcome);

// Who says so; PROVENANCE_UNSPECIFIED when nobody does, and the figure is not known then unless it is not 0.
proto::Provenance ProvenanceOf(const proto::Run& run, absl::string_view metric);

// How the memory figures of a run came about: one word when all known ones agree, else "mixed".
std::string GroupProvenanceText(const proto::Run& run);

// "web.trace" of "/tmp/web.trace"
absl::string_view FileName(absl::string_view path);
// The strategy, or the target where no strategy has a part in it ("malloc:glibc").
std::string PlanText(const proto::Run& run);

// What a run is about besides its strategy and place.
struct RunSubject {
  const char* title;
  std::function<std::string(const proto::Run&)> text;
};
// Trace, target, order, touch.
std::vector<RunSubject> CommonSubjects();
// Those of `subjects` in which the runs differ.
std::vector<RunSubject> SubjectsThatVary(const proto::Report& report,
                                         const std::vector<RunSubject>& subjects);

// The program's own mappings beside the heap, as one sentence; empty when none were replayed.
std::string ForeignSentence(const proto::Run& run);

}  // namespace reheap

#endif  // REHEAP_SIM_REPORT_RUN_TEXT_H_
