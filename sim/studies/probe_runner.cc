#include "sim/studies/probe_runner.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "sim/replay/virtual_run.h"

namespace reheap {
namespace {

// 256 KiB of ops: they stay in a second-level cache while the runs take turns.
constexpr size_t kOpsPerTurn = 2 * kOpsPerBatch;

}  // namespace

ProbeRunner::ProbeRunner(std::function<bool()> stop, std::function<void(uint64_t)> progress)
    : stop_(std::move(stop)), progress_(std::move(progress)), ops_(kOpsPerTurn), times_(std::make_unique<BatchTimes>()) {
  static_assert(kOpsPerTurn <= BatchTimes::kMostOps);
}

absl::Status ProbeRunner::Run(const ProbeSource& source, const std::vector<Probe>& probes,
                              std::vector<proto::Run>* runs) {
  runs->clear();
  runs->resize(probes.size());
  for (size_t first = 0; first < probes.size(); first += kRunsAtOnce) {
    const size_t count = std::min(kRunsAtOnce, probes.size() - first);
    const absl::Status status = RunSome(source, probes.data() + first, count, runs->data() + first);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ProbeRunner::RunSome(const ProbeSource& source, const Probe* probes, size_t count, proto::Run* runs) {
  const uint64_t events = source.setup().facts.event_count;
  std::vector<std::unique_ptr<VirtualRun>> alive(count);
  size_t alive_count = count;
  uint64_t fed = 0;
  const auto end = [&](size_t i) {
    alive[i]->Finish(&runs[i]);
    alive[i].reset();
    --alive_count;
    progress_(events > fed ? events - fed : 0);
  };
  for (size_t i = 0; i < count; ++i) {
    absl::StatusOr<std::unique_ptr<VirtualRun>> run =
        VirtualRun::Create(source.request(), source.setup(), probes[i].row, /*paired=*/nullptr);
    // A changed plan may be none on this machine: its row has no outcome then.
    const bool is_no_plan =
        probes[i].own_plan != nullptr && (absl::IsInvalidArgument(run.status()) || (run.ok() && !(*run)->has_plan()));
    if (is_no_plan) --alive_count;
    if (is_no_plan) continue;
    if (!run.ok()) return run.status();
    alive[i] = *std::move(run);
    if (!alive[i]->alive()) end(i);
  }
  absl::StatusOr<std::unique_ptr<OpFeed>> feed = source.Open();
  if (!feed.ok()) return feed.status();
  if (source.setup().replays_foreign()) foreign_ops_.resize(kOpsPerTurn);
  ForeignOp* const foreign = source.setup().replays_foreign() ? foreign_ops_.data() : nullptr;
  while (alive_count > 0) {
    if (stop_()) return absl::CancelledError("interrupted");
    absl::StatusOr<size_t> n = (*feed)->Next(ops_.data(), ops_.size(), foreign, times_.get());
    if (!n.ok()) return n.status();
    if (*n == 0) break;
    for (size_t i = 0; i < count; ++i) {
      if (alive[i] == nullptr) continue;
      alive[i]->Apply(ops_.data(), *n, foreign, *times_);
      const bool failed = source.ends_at_first_failure() && alive[i]->result().failed_allocations > 0;
      if (!alive[i]->alive() || failed) end(i);
    }
    fed += *n;
    progress_(*n * alive_count);
  }
  for (size_t i = 0; i < count; ++i) {
    if (alive[i] != nullptr) end(i);
  }
  return absl::OkStatus();
}

}  // namespace reheap
