#include "sim/studies/study_plan.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "alloc/check.h"
#include "sim/os/platform_catalog.h"
#include "sim/report/human_units.h"
#include "sim/strategies/strategy_catalog.h"
#include "sim/studies/content_digest.h"
#include "traces/synthetic_trace.h"

namespace reheap {
namespace {

constexpr uint64_t kMostCellsInFull = 1000;
constexpr uint64_t kUsualBlockBytes = 64 * kKiB;
constexpr uint64_t kUsualUpToBytes = 16 * kGiB;

// CheckStudy has seen each size.
uint64_t Bytes(const std::string& word, uint64_t if_empty) { return word.empty() ? if_empty : *ParseBytes(word); }

template <class List>
std::vector<std::optional<uint64_t>> Limits(const List& words) {
  std::vector<std::optional<uint64_t>> limits;
  for (const std::string& word : words) limits.push_back(*ParseLimit(word));
  return limits;
}

template <class List>
std::vector<uint64_t> Sizes(const List& words) {
  std::vector<uint64_t> sizes;
  for (const std::string& word : words) sizes.push_back(*ParseBytes(word));
  return sizes;
}

class Planner {
 public:
  explicit Planner(StudyText study) : plan_(std::make_unique<StudyPlan>()) { plan_->study = std::move(study); }

  absl::StatusOr<std::unique_ptr<StudyPlan>> Plan();

 private:
  const proto::Study& study() const { return plan_->study.study; }
  absl::Status AddTrace(const proto::StudyTrace& text);
  absl::Status WriteSynthetic(const proto::StudySyntheticTrace& text, PlannedTrace* trace);
  absl::Status AddQuestion(const proto::StudyQuestion& text);
  absl::Status Digest();
  void TidyNotes();
  // What every probe of the study has in common.
  ReplayRequest CommonRequest() const;
  ReplayRequest GridRequest(const proto::StudyQuestion& text, const PlannedQuestion& question) const;
  template <class List>
  std::vector<std::string> Strategies(const List& words) const;
  template <class List>
  std::vector<std::string> PlatformNames(const List& words) const;
  void AddCells(const PlannedQuestion& question, const PlannedTrace* trace);

  std::unique_ptr<StudyPlan> plan_;
};

ReplayRequest Planner::CommonRequest() const {
  ReplayRequest request;
  request.virtual_world = true;
  request.image = study().image();
  if (!study().maps().empty()) request.maps_path = PathFrom(plan_->study.folder, study().maps());
  request.touch = study().touch().empty() ? "full" : study().touch();
  if (!study().foreign().empty()) request.foreign = study().foreign();
  if (!study().thread_stacks().empty()) request.thread_stacks = study().thread_stacks();
  request.measure_lookup = false;
  return request;
}

absl::Status Planner::WriteSynthetic(const proto::StudySyntheticTrace& text, PlannedTrace* trace) {
  SyntheticTraceOptions options;
  options.seed = text.seed();
  options.live_target_bytes = Bytes(text.live_target(), options.live_target_bytes);
  options.max_size_bytes = Bytes(text.max_size(), options.max_size_bytes);
  if (text.threads() != 0) options.threads = text.threads();
  // A folder of its own: processes in containers share folders and have each other's numbers.
  std::error_code error;
  std::string folder = (std::filesystem::temp_directory_path(error) / "reheap-study-XXXXXX").string();
  if (error || mkdtemp(folder.data()) == nullptr) {
    return absl::UnavailableError(absl::StrCat(folder, ": no folder for temporary files: ",
                                               error ? error.message() : std::strerror(errno)));
  }
  trace->path = absl::StrCat(folder, "/synthetic.trace");
  trace->is_temporary = true;
  if (trace->name.empty()) trace->name = absl::StrCat("synthetic ", text.seed(), ", ", text.events(), " events");
  return WriteSyntheticTrace(trace->path, options, text.events());
}

absl::Status Planner::AddTrace(const proto::StudyTrace& text) {
  PlannedTrace& trace = plan_->traces.emplace_back();
  trace.name = text.name().empty() ? text.path() : text.name();
  if (text.has_synthetic()) {
    if (absl::Status status = WriteSynthetic(text.synthetic(), &trace); !status.ok()) return status;
  } else {
    trace.path = PathFrom(plan_->study.folder, text.path());
  }
  trace.request = CommonRequest();
  trace.request.trace_path = trace.path;
  absl::StatusOr<TraceSetup> setup = ReadTraceSetup(trace.request);
  if (!setup.ok()) return setup.status();
  trace.setup = *std::move(setup);
  trace.source = MakeTraceSource(&trace.request, &trace.setup);
  return absl::OkStatus();
}

template <class List>
std::vector<std::string> Planner::Strategies(const List& words) const {
  std::vector<std::string> names;
  for (const std::string& word : words) {
    if (IsStrategyPath(word)) {
      names.push_back(PathFrom(plan_->study.folder, word));
      continue;
    }
    for (std::string& name : NamesLike(word, StrategyNames())) names.push_back(std::move(name));
  }
  return names;
}

// NamesLike knows no releases ("linux-amd64@6.1"): a name without '*' stands for itself.
template <class List>
std::vector<std::string> Planner::PlatformNames(const List& words) const {
  std::vector<std::string> names;
  for (const std::string& word : words) {
    if (IsStudyPath(word)) {
      names.push_back(PathFrom(plan_->study.folder, word));
      continue;
    }
    if (!absl::StrContains(word, '*')) {
      names.push_back(word);
      continue;
    }
    for (std::string& name : NamesLike(word, Platforms().Names())) names.push_back(std::move(name));
  }
  return names;
}

ReplayRequest Planner::GridRequest(const proto::StudyQuestion& text, const PlannedQuestion& question) const {
  ReplayRequest request = CommonRequest();
  request.strategies = Strategies(text.strategy_size() > 0 ? text.strategy() : study().strategy());
  request.platforms = PlatformNames(text.platform_size() > 0 ? text.platform() : study().platform());
  const proto::StudyLimits& limits = text.has_limits() ? text.limits() : study().limits();
  request.address_limits = Limits(limits.address());
  request.data_limits = Limits(limits.data());
  request.memory_limits = Limits(limits.memory_max());
  request.stack_limits = Limits(limits.stack());
  request.job_commits = Limits(limits.commit());
  request.ram_bytes = Sizes(limits.ram());
  request.swap_bytes = Sizes(limits.swap());
  for (uint32_t mode : limits.overcommit()) request.overcommit_modes.push_back(static_cast<int>(mode));
  request.max_mappings.assign(limits.max_map_count().begin(), limits.max_map_count().end());
  request.thp.assign(limits.thp().begin(), limits.thp().end());
  // The varied limit is no axis of the grid; its place is taken by one value.
  if (question.axis != nullptr) question.axis->mention(question.axis->unit(), &request);
  return request;
}

absl::Status Planner::AddQuestion(const proto::StudyQuestion& text) {
  PlannedQuestion& question = plan_->questions.emplace_back();
  question.text = &text;
  if (text.has_minimal_limit()) question.axis = FindLimitAxis(text.minimal_limit().limit());
  if (text.has_time_to_failure()) question.axis = FindLimitAxis(text.time_to_failure().limit());
  const ReplayRequest request = GridRequest(text, question);
  absl::StatusOr<ReplayGrid> grid = ResolveGrid(request);
  if (!grid.ok()) return absl::Status(grid.status().code(), absl::StrCat(plan_->study.file, ": ", grid.status().message()));
  question.grid = *std::move(grid);
  REHEAP_CHECK_EQ(question.grid.texts.size(), question.grid.strategies.size());
  plan_->notes.insert(plan_->notes.end(), question.grid.notes.begin(), question.grid.notes.end());
  if (text.has_usable_heap()) {
    question.block_request = std::make_unique<ReplayRequest>(CommonRequest());
    question.block_request->touch = "none";
    const proto::StudyUsableHeap& usable = text.usable_heap();
    absl::StatusOr<std::unique_ptr<ProbeSource>> blocks =
        MakeBlockSource(question.block_request.get(), Bytes(usable.block(), kUsualBlockBytes),
                        Bytes(usable.up_to(), kUsualUpToBytes));
    if (!blocks.ok()) return blocks.status();
    question.blocks = *std::move(blocks);
    AddCells(question, nullptr);
    return absl::OkStatus();
  }
  for (const PlannedTrace& trace : plan_->traces) AddCells(question, &trace);
  return absl::OkStatus();
}

void Planner::AddCells(const PlannedQuestion& question, const PlannedTrace* trace) {
  for (const ReplayRow& row : question.grid.rows) {
    PlannedCell cell;
    cell.number = plan_->cells.size();
    cell.question = &question;
    cell.trace = trace;
    cell.row = &row;
    plan_->cells.push_back(cell);
  }
}

absl::Status Planner::Digest() {
  ContentDigest digest;
  digest.Add(plan_->study.text);
  for (const PlannedTrace& trace : plan_->traces) {
    if (absl::Status status = digest.AddFile(trace.path); !status.ok()) return status;
  }
  if (!study().maps().empty()) {
    const absl::Status status = digest.AddFile(PathFrom(plan_->study.folder, study().maps()));
    if (!status.ok()) return status;
  }
  for (const std::string& platform : study().platform()) {
    if (!IsStudyPath(platform)) continue;
    if (absl::Status status = digest.AddFile(PathFrom(plan_->study.folder, platform)); !status.ok()) return status;
  }
  for (const PlannedQuestion& question : plan_->questions) {
    for (const CatalogStrategy& strategy : question.grid.texts) digest.Add(strategy.text.SerializeAsString());
  }
  plan_->digest = digest.Text();
  return absl::OkStatus();
}

// Each once. With patterns for names nobody wants to read of every 32-bit plan that it does not run on 64 bits.
void Planner::TidyNotes() {
  std::vector<std::string>& notes = plan_->notes;
  std::sort(notes.begin(), notes.end());
  notes.erase(std::unique(notes.begin(), notes.end()), notes.end());
  const size_t all = notes.size();
  std::erase_if(notes, [](const std::string& note) { return absl::StrContains(note, "-bit strategy, "); });
  if (notes.size() == all) return;
  notes.push_back(absl::StrCat(all - notes.size(),
                               " combinations of a strategy and a platform of another word size: left out"));
}

absl::StatusOr<std::unique_ptr<StudyPlan>> Planner::Plan() {
  for (const proto::StudyTrace& trace : study().trace()) {
    if (absl::Status status = AddTrace(trace); !status.ok()) return status;
  }
  for (const proto::StudyQuestion& question : study().question()) {
    if (absl::Status status = AddQuestion(question); !status.ok()) return status;
  }
  const bool full = study().detail() == proto::FULL ||
                    (study().detail() == proto::DETAIL_UNSPECIFIED && plan_->cells.size() <= kMostCellsInFull);
  for (PlannedCell& cell : plan_->cells) cell.full_detail = full;
  TidyNotes();
  if (absl::Status status = Digest(); !status.ok()) return status;
  return std::move(plan_);
}

}  // namespace

PlannedTrace::~PlannedTrace() {
  if (!is_temporary) return;
  unlink(path.c_str());
  rmdir(path.substr(0, path.rfind('/')).c_str());
}

absl::StatusOr<std::unique_ptr<StudyPlan>> PlanStudy(StudyText study) { return Planner(std::move(study)).Plan(); }

}  // namespace reheap
