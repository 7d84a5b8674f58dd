#include "sim/studies/study_checks.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sim/os/image_catalog.h"
#include "sim/os/platform_catalog.h"
#include "sim/report/human_units.h"
#include "sim/textproto/nearest_name.h"
#include "sim/strategies/strategy_catalog.h"
#include "sim/studies/limit_axis.h"
#include "sim/studies/strategy_changes.h"
#include "sim/studies/study_catalog.h"

namespace reheap {
namespace {

template <class List>
std::string At(const std::string& field, const List&, int i) {
  return absl::StrCat(field, "[", i, "]");
}

class Checks {
 public:
  Checks(const proto::Study& study, const std::string& folder, TextPlaces* places)
      : study_(study), folder_(folder), places_(*places) {}

  void Run();

 private:
  void CheckTraces();
  void CheckSynthetic(const proto::StudySyntheticTrace& synthetic, const std::string& path);
  void CheckStart();
  void CheckLimits(const proto::StudyLimits& limits, const std::string& path);
  void CheckQuestion(const proto::StudyQuestion& question, const std::string& path);
  void CheckRange(const std::string& path, const std::string& limit, const std::string& from, const std::string& to,
                  const std::string& resolution);
  void CheckSensitivity(const proto::StudySensitivity& sensitivity, const std::string& path);
  template <class List>
  void CheckStrategies(const List& list, const std::string& field);
  template <class List>
  void CheckPlatforms(const List& list, const std::string& field);
  template <class List>
  void CheckSizes(const List& list, const std::string& field, bool may_be_unlimited);
  void CheckSize(const std::string& word, const std::string& path);
  // One of `known`, or empty.
  void CheckWord(const std::string& word, const std::string& path, const std::vector<std::string>& known);
  void CheckReadable(const std::string& file, const std::string& path);
  void Require(bool holds, absl::string_view path, absl::string_view complaint) {
    places_.Require(holds, path, complaint);
  }

  const proto::Study& study_;
  const std::string& folder_;
  TextPlaces& places_;
};

std::string NotKnown(absl::string_view word, const std::vector<std::string>& known, absl::string_view where) {
  return absl::StrCat("'", word, "' is not known; the nearest is '", NearestName(word, known), "'", where);
}

bool IsPattern(absl::string_view word) { return absl::StrContains(word, '*'); }

void Checks::Run() {
  Require(!study_.name().empty(), "name", "is missing");
  Require(!study_.summary().empty(), "summary", "is missing");
  bool sourced = study_.source_size() > 0;
  for (const std::string& source : study_.source()) sourced = sourced && !source.empty();
  Require(sourced, "source", "is missing or empty: say where the question comes from (report, document, measurement)");
  CheckTraces();
  CheckStrategies(study_.strategy(), "strategy");
  CheckPlatforms(study_.platform(), "platform");
  CheckLimits(study_.limits(), "limits");
  CheckStart();
  Require(study_.question_size() > 0, "question", "is missing: nothing is asked");
  for (int i = 0; i < study_.question_size(); ++i) {
    CheckQuestion(study_.question(i), At("question", study_.question(), i));
  }
}

void Checks::CheckTraces() {
  for (int i = 0; i < study_.trace_size(); ++i) {
    const proto::StudyTrace& trace = study_.trace(i);
    const std::string path = At("trace", study_.trace(), i);
    Require(trace.path().empty() != !trace.has_synthetic(), path, "needs a path or a synthetic stream, one of them");
    if (!trace.path().empty()) CheckReadable(trace.path(), path + ".path");
    if (trace.has_synthetic()) CheckSynthetic(trace.synthetic(), path + ".synthetic");
  }
}

void Checks::CheckSynthetic(const proto::StudySyntheticTrace& synthetic, const std::string& path) {
  Require(synthetic.seed() != 0, path + ".seed", "is missing: the same seed gives the same stream");
  Require(synthetic.events() != 0, path + ".events", "is missing");
  if (!synthetic.live_target().empty()) CheckSize(synthetic.live_target(), path + ".live_target");
  if (!synthetic.max_size().empty()) CheckSize(synthetic.max_size(), path + ".max_size");
}

void Checks::CheckStart() {
  std::vector<std::string> images = NamedImageNames();
  images.push_back("platform");
  CheckWord(study_.image(), "image", images);
  Require(study_.image().empty() || study_.maps().empty(), "maps", "contradicts image: a process starts from one of them");
  if (!study_.maps().empty()) CheckReadable(study_.maps(), "maps");
  CheckWord(study_.touch(), "touch", {"full", "none"});
  CheckWord(study_.foreign(), "foreign", {"replay", "ignore"});
  CheckWord(study_.thread_stacks(), "thread_stacks", {"glibc", "none"});
}

void Checks::CheckLimits(const proto::StudyLimits& limits, const std::string& path) {
  CheckSizes(limits.address(), path + ".address", true);
  CheckSizes(limits.data(), path + ".data", true);
  CheckSizes(limits.memory_max(), path + ".memory_max", true);
  CheckSizes(limits.stack(), path + ".stack", true);
  CheckSizes(limits.ram(), path + ".ram", false);
  CheckSizes(limits.swap(), path + ".swap", false);
  CheckSizes(limits.commit(), path + ".commit", true);
  for (int i = 0; i < limits.overcommit_size(); ++i) {
    Require(limits.overcommit(i) <= 2, At(path + ".overcommit", limits.overcommit(), i),
            absl::StrCat(limits.overcommit(i), " is not known: 0, 1 or 2"));
  }
  for (int i = 0; i < limits.max_map_count_size(); ++i) {
    Require(limits.max_map_count(i) > 0, At(path + ".max_map_count", limits.max_map_count(), i), "0 is no limit");
  }
  for (int i = 0; i < limits.thp_size(); ++i) {
    CheckWord(limits.thp(i), At(path + ".thp", limits.thp(), i), {"never", "madvise", "always"});
  }
}

void Checks::CheckQuestion(const proto::StudyQuestion& question, const std::string& path) {
  CheckStrategies(question.strategy(), path + ".strategy");
  CheckPlatforms(question.platform(), path + ".platform");
  CheckLimits(question.limits(), path + ".limits");
  Require(study_.strategy_size() + question.strategy_size() > 0, "strategy", "is missing (`reheap strategy list`)");
  Require(study_.platform_size() + question.platform_size() > 0, "platform", "is missing (`reheap platform list`)");
  if (!question.has_usable_heap()) {
    Require(study_.trace_size() > 0, "trace", "is missing; only usable_heap asks nothing of traces");
  }
  switch (question.kind_case()) {
    case proto::StudyQuestion::kGrid: break;
    case proto::StudyQuestion::kMinimalLimit: {
      const proto::StudyMinimalLimit& minimal = question.minimal_limit();
      CheckRange(path + ".minimal_limit", minimal.limit(), minimal.from(), minimal.to(), minimal.resolution());
      break;
    }
    case proto::StudyQuestion::kTimeToFailure: {
      const proto::StudyTimeToFailure& failure = question.time_to_failure();
      CheckRange(path + ".time_to_failure", failure.limit(), failure.from(), failure.to(), "");
      break;
    }
    case proto::StudyQuestion::kUsableHeap: {
      const proto::StudyUsableHeap& usable = question.usable_heap();
      if (!usable.block().empty()) CheckSize(usable.block(), path + ".usable_heap.block");
      if (!usable.up_to().empty()) CheckSize(usable.up_to(), path + ".usable_heap.up_to");
      break;
    }
    case proto::StudyQuestion::kSensitivity: CheckSensitivity(question.sensitivity(), path + ".sensitivity"); break;
    case proto::StudyQuestion::KIND_NOT_SET:
      Require(false, path,
              "asks nothing: grid {}, minimal_limit {}, usable_heap {}, time_to_failure {} or sensitivity {}");
  }
}

void Checks::CheckRange(const std::string& path, const std::string& limit, const std::string& from,
                        const std::string& to, const std::string& resolution) {
  const LimitAxis* axis = FindLimitAxis(limit);
  Require(axis != nullptr, path + ".limit", NotKnown(limit, LimitAxisNames(), ""));
  if (axis == nullptr) return;
  const absl::StatusOr<uint64_t> low = ParseAxisValue(*axis, from);
  const absl::StatusOr<uint64_t> high = ParseAxisValue(*axis, to);
  Require(low.ok(), path + ".from", low.status().message());
  Require(high.ok(), path + ".to", high.status().message());
  if (low.ok() && high.ok()) {
    Require(*low > 0, path + ".from", "must be more than 0: the scan multiplies it");
    Require(*low < *high, path + ".to", absl::StrCat(to, " is not above from, ", from));
  }
  if (resolution.empty()) return;
  const absl::StatusOr<uint64_t> step = ParseAxisValue(*axis, resolution);
  Require(step.ok(), path + ".resolution", step.status().message());
  if (step.ok()) Require(*step > 0, path + ".resolution", "must be more than 0");
}

void Checks::CheckSensitivity(const proto::StudySensitivity& sensitivity, const std::string& path) {
  std::vector<std::string> known = ChangeableStrategyFields();
  known.push_back("limits");
  for (int i = 0; i < sensitivity.field_size(); ++i) {
    CheckWord(sensitivity.field(i), At(path + ".field", sensitivity.field(), i), known);
  }
}

template <class List>
void Checks::CheckStrategies(const List& list, const std::string& field) {
  for (int i = 0; i < list.size(); ++i) {
    const std::string path = At(field, list, i);
    if (IsStrategyPath(list[i])) {
      const absl::StatusOr<CatalogStrategy> loaded = LoadStrategy(PathFrom(folder_, list[i]));
      Require(loaded.ok(), path, loaded.status().message());
    } else if (IsPattern(list[i])) {
      Require(!NamesLike(list[i], StrategyNames()).empty(), path,
              absl::StrCat("no strategy is like '", list[i], "' (`reheap strategy list`)"));
    } else {
      const std::vector<std::string> known = StrategyNames();
      Require(std::find(known.begin(), known.end(), list[i]) != known.end(), path,
              NotKnown(list[i], known, " (`reheap strategy list`)"));
    }
  }
}

template <class List>
void Checks::CheckPlatforms(const List& list, const std::string& field) {
  for (int i = 0; i < list.size(); ++i) {
    const std::string path = At(field, list, i);
    if (IsStudyPath(list[i])) {
      const absl::StatusOr<const Platform*> found = FindPlatform(PathFrom(folder_, list[i]));
      Require(found.ok(), path, found.status().message());
    } else if (IsPattern(list[i])) {
      Require(!NamesLike(list[i], Platforms().Names()).empty(), path,
              absl::StrCat("no platform is like '", list[i], "' (`reheap platform list`)"));
    } else {
      Require(Platforms().Find(list[i]) != nullptr, path,
              NotKnown(list[i], Platforms().Names(), " (`reheap platform list`)"));
    }
  }
}

template <class List>
void Checks::CheckSizes(const List& list, const std::string& field, bool may_be_unlimited) {
  for (int i = 0; i < list.size(); ++i) {
    if (may_be_unlimited && list[i] == "unlimited") continue;
    CheckSize(list[i], At(field, list, i));
  }
}

void Checks::CheckSize(const std::string& word, const std::string& path) {
  const absl::StatusOr<uint64_t> bytes = ParseBytes(word);
  Require(bytes.ok(), path, bytes.status().message());
  if (bytes.ok()) Require(*bytes > 0, path, "must be more than 0");
}

void Checks::CheckWord(const std::string& word, const std::string& path, const std::vector<std::string>& known) {
  if (word.empty() || std::find(known.begin(), known.end(), word) != known.end()) return;
  Require(false, path, absl::StrCat(NotKnown(word, known, ""), "; expected ", absl::StrJoin(known, ", ")));
}

void Checks::CheckReadable(const std::string& file, const std::string& path) {
  const std::string whole = PathFrom(folder_, file);
  Require(std::ifstream(whole).good(), path, absl::StrCat("cannot read ", whole));
}

}  // namespace

void CheckStudy(const proto::Study& study, const std::string& folder, TextPlaces* places) {
  Checks(study, folder, places).Run();
}

}  // namespace reheap
