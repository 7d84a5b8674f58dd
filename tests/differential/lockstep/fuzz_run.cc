#include "tests/differential/lockstep/fuzz_run.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/differential/lockstep/draw.h"
#include "tests/differential/lockstep/operation_mix.h"

namespace reheap {
namespace {

constexpr uint64_t kBatch = 64;        // operations per round trip
constexpr uint64_t kCheckpoint = 512;  // operations between two: /proc/PID/smaps walks every page table

bool IsGranted(const Operation& operation, const Answer& answer) {
  if (operation.kind == OperationKind::kBrk) return answer.value == operation.arguments[0];
  return answer.error == 0;
}

}  // namespace

Tally::Tally() : granted(OperationMix().size()), refused(OperationMix().size()) {}

void Tally::Add(const Tally& other) {
  for (size_t i = 0; i < granted.size(); ++i) {
    granted[i] += other.granted[i];
    refused[i] += other.refused[i];
  }
}

uint64_t Tally::total() const {
  uint64_t sum = 0;
  for (size_t i = 0; i < granted.size(); ++i) sum += granted[i] + refused[i];
  return sum;
}

std::string Tally::ToString() const {
  std::string text;
  for (size_t i = 0; i < granted.size(); ++i) {
    absl::StrAppendFormat(&text, "%-24s %8d granted %8d refused\n", OperationMix()[i].name, granted[i],
                          refused[i]);
  }
  return text;
}

absl::Status FuzzRun(const LockstepSetup& setup, uint64_t seed, uint64_t operations, Tally* tally,
                     Script* failing) {
  auto pair = LockstepPair::Start(setup);
  if (!pair.ok()) return pair.status();
  Draw draw(seed, &(*pair)->model(), setup.switches.placement_base);
  Script script;
  std::optional<Mismatch> mismatch;
  while (script.size() < operations && !mismatch.has_value()) {
    size_t row = 0;
    script.push_back(DrawOperation(draw, &row));
    const Operation& operation = script.back();
    const Answer& answer = (*pair)->Queue(operation);
    if (operation.kind == OperationKind::kMmap && answer.error == 0) draw.Remember(answer.value);
    ++(IsGranted(operation, answer) ? tally->granted : tally->refused)[row];
    if ((*pair)->queued() < kBatch && script.size() < operations) continue;
    mismatch = (*pair)->Flush();
    const bool is_due = script.size() % kCheckpoint == 0 || script.size() == operations;
    if (!mismatch.has_value() && is_due) mismatch = (*pair)->Checkpoint();
  }
  if (!mismatch.has_value()) return absl::OkStatus();
  script.resize(mismatch->index + 1);
  if (failing != nullptr) *failing = script;
  int runs = 0;
  const Script shortest = Minimise(setup, script, &runs);
  return absl::AbortedError(absl::StrCat("seed ", seed, ", operation ", mismatch->index, ": ", mismatch->what,
                                         "; made ", shortest.size(), " of ", script.size(), " operations in ",
                                         runs, " runs\n", DescribeFailure(setup, shortest)));
}

}  // namespace reheap
