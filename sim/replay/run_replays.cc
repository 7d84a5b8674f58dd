#include <sys/resource.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "alloc/check.h"
#include "sim/os/share_report.h"
#include "sim/replay/event_words.h"
#include "sim/replay/op_stream.h"
#include "sim/replay/replay_child.h"
#include "sim/replay/replay_grid.h"
#include "sim/replay/replay_request.h"
#include "sim/replay/row_strategy.h"
#include "sim/replay/run_result.h"
#include "sim/replay/target_factory.h"
#include "sim/replay/trace_setup.h"
#include "sim/replay/virtual_run.h"

namespace reheap {
namespace {

uint64_t Room(uint64_t limit, uint64_t in_use) { return limit > in_use ? limit - in_use : 0; }

// A real row cannot have more than this process may have.
void NoteHardLimit(int resource, const char* name, proto::Report* report) {
  rlimit limit;
  if (getrlimit(resource, &limit) != 0 || limit.rlim_max == RLIM_INFINITY) return;
  report->add_notes(absl::StrCat("real rows, \"unlimited\" ones too, ran below this process's own ", name, " of ",
                                 limit.rlim_max, " bytes"));
}

// Strategies whose plan was not carried out, because it wants to know the time.
void NoteMissingTimes(const ReplayGrid& grid, proto::Report* report) {
  std::vector<std::string> names;
  for (const ReplayRow& row : grid.rows) {
    if (row.strategy == nullptr || !row.strategy->release.is_timed()) continue;
    if (std::find(names.begin(), names.end(), row.strategy->name) == names.end()) names.push_back(row.strategy->name);
  }
  if (names.empty()) return;
  report->add_notes(absl::StrCat("the trace has no times: ", absl::StrJoin(names, ", "),
                                 ", whose free memory goes back by time, gave none back"));
}

// One call of RunReplays.
class Session {
 public:
  Session(const ReplayRequest& request, ReplayGrid grid, ProgressSink* progress)
      : request_(request), grid_(std::move(grid)), progress_(progress) {}

  absl::StatusOr<proto::Report> Run();

 private:
  absl::Status RunRow(const ReplayRow& row, proto::Run* run);
  absl::Status RunReal(const ReplayRow& row, OpStream* stream, proto::Run* run);
  absl::Status RunVirtual(const ReplayRow& row, OpStream* stream, proto::Run* run);
  bool IsPairedWithReal(const ReplayRow& row) const;
  std::function<void(uint64_t)> ProgressOfRow() const;

  const ReplayRequest& request_;
  ReplayGrid grid_;
  ProgressSink* progress_;
  TraceSetup setup_;
  int row_number_ = 0;
  int real_rows_ = 0;
  // The newest real row of the heap and what its child held at the baseline.
  const ReplayRow* real_row_ = nullptr;
  ChildReport real_child_;
};

// What the kernel lets a process know: how much is mapped. The baseline is the replayer's own.
ShareReport SharesOfChild(const ChildReport& child) {
  ShareReport shares;
  if (!child.result.refused) return shares;
  shares.measure = ShareMeasure::kMappedBytes;
  const ForeignStats& foreign = child.refusal_foreign;
  const uint64_t stacks_bytes = foreign.stacks_bytes;
  const uint64_t others_bytes = child.baseline.vsize_bytes + foreign.mapped_bytes;
  const auto add = [&shares](const char* name, uint64_t bytes) {
    if (bytes != 0) shares.holders.push_back({name, bytes, 0, Addr()});
  };
  add("heap", Room(child.refusal_vsize_bytes, others_bytes));
  add("mapped by the program", foreign.mapped_bytes - stacks_bytes);
  add("thread stacks", stacks_bytes);
  add("the replayer", child.baseline.vsize_bytes);
  std::stable_sort(shares.holders.begin(), shares.holders.end(),
                   [](const Holder& a, const Holder& b) { return a.bytes > b.bytes; });
  return shares;
}

absl::StatusOr<proto::Report> Session::Run() {
  absl::StatusOr<TraceSetup> setup = ReadTraceSetup(request_);
  if (!setup.ok()) return setup.status();
  setup_ = *std::move(setup);
  proto::Report report;
  for (const ReplayRow& row : grid_.rows) {
    if (absl::Status status = RunRow(row, report.add_runs()); !status.ok()) return status;
    ++row_number_;
  }
  const std::vector<proto::Run*> runs(report.mutable_runs()->pointer_begin(), report.mutable_runs()->pointer_end());
  if (absl::Status status = FillCalls(request_.trace_path, runs); !status.ok()) return status;
  for (const std::string& note : grid_.notes) report.add_notes(note);
  if (!setup_.facts.has_times) NoteMissingTimes(grid_, &report);
  if (real_rows_ > 0) {
    NoteHardLimit(RLIMIT_AS, "RLIMIT_AS (ulimit -Hv)", &report);
    NoteHardLimit(RLIMIT_DATA, "RLIMIT_DATA (ulimit -Hd)", &report);
  }
  return report;
}

absl::Status Session::RunRow(const ReplayRow& row, proto::Run* run) {
  absl::StatusOr<std::unique_ptr<OpStream>> stream = OpStream::Open(request_.trace_path, request_.allow_cut_off);
  if (!stream.ok()) return stream.status();
  return row.world == proto::REAL ? RunReal(row, stream->get(), run) : RunVirtual(row, stream->get(), run);
}

std::function<void(uint64_t)> Session::ProgressOfRow() const {
  if (progress_ == nullptr) return nullptr;
  const ReplayRow& row = grid_.rows[static_cast<size_t>(row_number_)];
  std::string doing = absl::StrCat(row.strategy != nullptr ? row.strategy->name : row.target, ", ",
                                   row.platform != nullptr ? row.platform->name : "this kernel");
  const uint64_t before = static_cast<uint64_t>(row_number_) * setup_.facts.event_count;
  const uint64_t total = grid_.rows.size() * setup_.facts.event_count;
  return [this, doing = std::move(doing), before, total](uint64_t events) {
    progress_->Progress(doing, before + events, total);
  };
}

absl::Status Session::RunReal(const ReplayRow& row, OpStream* stream, proto::Run* run) {
  ++real_rows_;
  ChildPlan plan;
  plan.measure_lookup = request_.measure_lookup && row.strategy != nullptr;
  if (row.address_limit) plan.address_room_bytes = Room(*row.address_limit, setup_.image.vsize_bytes);
  if (row.data_limit) plan.data_room_bytes = Room(*row.data_limit, setup_.image.data_bytes);
  DirectMemory memory;
  ReservationStrategy strategy;
  if (row.strategy != nullptr) {
    absl::StatusOr<ReservationStrategy> resolved = StrategyOfRealRow(row, setup_.image);
    if (absl::IsInvalidArgument(resolved.status())) {
      DescribeRow(request_, row, run);
      run->set_platform("this kernel");
      FillNoPlan(resolved.status(), run);
      return absl::OkStatus();
    }
    if (!resolved.ok()) return resolved.status();
    strategy = *std::move(resolved);
    plan.squatters = request_.squatters;
    plan.make_target = [this, &strategy, &memory](Os* os) {
      return MakeHeapTarget(*os, memory, strategy, TargetOptions(request_, setup_));
    };
  } else {
    plan.exec_worker = true;
    plan.slot_count = setup_.facts.slot_count;
    plan.touch_objects = request_.touch == "full";
    const absl::string_view library = absl::StripPrefix(row.target, "malloc:");
    if (library != "glibc") plan.preload = std::string(library);
  }
  plan.foreign = setup_.foreign;
  absl::StatusOr<ChildReport> child = RunInChild(plan, stream, ProgressOfRow());
  if (!child.ok()) return child.status();
  DescribeRow(request_, row, run);
  run->set_platform("this kernel");
  run->set_platform_basis("the running kernel");
  run->set_image(setup_.image.origin);
  run->set_image_vsize_bytes(setup_.image.vsize_bytes);
  run->set_bookkeeping_vsize_bytes(child->baseline.vsize_bytes);
  run->set_bookkeeping_rss_bytes(child->baseline.rss_anonymous_bytes);
  run->set_peak_vma_count(child->added_mappings);
  TargetResult result = child->result;
  const ShareReport shares = SharesOfChild(*child);
  const SpacePicture picture = child->picture;
  // With touching, the CPU time would be mostly page faults of the objects: not the allocator's.
  if (request_.touch != "none") result.cpu_ns = 0;
  if (row.strategy != nullptr) {
    real_row_ = &row;
    real_child_ = *std::move(child);
  }
  REHEAP_CHECK_EQ(result.rejected_frees, 0);  // OpStream let only frees of live objects through
  FillRun(result, run);
  FillHeapPicture(result.picture, setup_.demand, run);
  FillAddressSpace(picture, run);
  FillHolders(shares, proto::MEASURED, run);
  if (setup_.replays_foreign()) FillForeign(result.foreign, request_, run);
  return absl::OkStatus();
}

bool Session::IsPairedWithReal(const ReplayRow& row) const {
  return real_row_ != nullptr && real_row_->strategy == row.strategy && real_row_->address_limit == row.address_limit &&
         real_row_->data_limit == row.data_limit && row.settings == VirtualSettings() && request_.maps_path.empty() && request_.image.empty() &&
         row.platform->basis == Basis::kComparableWithRunningKernel;
}

absl::Status Session::RunVirtual(const ReplayRow& row, OpStream* stream, proto::Run* run) {
  absl::StatusOr<std::unique_ptr<VirtualRun>> running =
      VirtualRun::Create(request_, setup_, row, IsPairedWithReal(row) ? &real_child_ : nullptr);
  if (!running.ok()) return running.status();
  const std::function<void(uint64_t)> progress = ProgressOfRow();
  std::vector<ReplayOp> ops(kOpsPerBatch);
  std::vector<ForeignOp> foreign_ops(setup_.replays_foreign() ? kOpsPerBatch : 0);
  ForeignOp* const foreign = setup_.replays_foreign() ? foreign_ops.data() : nullptr;
  const auto times = std::make_unique<BatchTimes>();
  for (uint64_t fed = 0; (*running)->alive();) {
    absl::StatusOr<size_t> n = stream->Next(ops.data(), ops.size(), foreign, times.get());
    if (!n.ok()) return n.status();
    if (*n == 0) break;
    (*running)->Apply(ops.data(), *n, foreign, *times);
    fed += *n;
    if (progress) progress(fed);
  }
  (*running)->Finish(run);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<proto::Report> RunReplays(const ReplayRequest& request, ProgressSink* progress) {
  absl::StatusOr<ReplayGrid> grid = ResolveGrid(request);
  if (!grid.ok()) return grid.status();
  return Session(request, *std::move(grid), progress).Run();
}

}  // namespace reheap
