#include "tests/differential/lockstep/fuzz_run.h"

#include <sys/mman.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/differential/lockstep/draw.h"
#include "tests/differential/lockstep/huge_page_setting.h"
#include "tests/differential/lockstep/operation_mix.h"
#include "tests/differential/lockstep/script_text.h"

namespace reheap {
namespace {

constexpr uint64_t kBatch = 64;        // operations per round trip
constexpr int kMostRepeats = 8;        // of a process whose huge pages the kernel meddled with
constexpr uint64_t kCheckpoint = 512;  // operations between two: /proc/PID/smaps walks every page table

constexpr uint64_t kHighPlaces = uint64_t{1} << 47;

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
  placed_high += other.placed_high;
  repeated += other.repeated;
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
  if (repeated != 0) absl::StrAppendFormat(&text, "%d processes repeated: the kernel meddled with huge pages\n", repeated);
  return text;
}

Operation MmapOf(uint64_t bytes) {
  return {OperationKind::kMmap, 0, {0, bytes, 0, MAP_PRIVATE | MAP_ANONYMOUS, ~uint64_t{0}, 0}};
}

// Draws and queues one operation.
Operation Step(LockstepPair& pair, Draw& draw, Tally* tally) {
  size_t row = 0;
  const Operation operation = DrawOperation(draw, &row);
  const Answer& answer = pair.Queue(operation);
  if (operation.kind == OperationKind::kMmap && answer.error == 0) draw.Remember(answer.value);
  ++(IsGranted(operation, answer) ? tally->granted : tally->refused)[row];
  const bool is_place = operation.kind == OperationKind::kMmap || operation.kind == OperationKind::kMremap;
  tally->placed_high += is_place && answer.error == 0 && answer.value >= kHighPlaces;
  return operation;
}

// Every other page of a new range gets another protection, until there are as many mappings as there may be.
std::optional<Mismatch> FillWithMappings(LockstepPair& pair, uint64_t limit, Draw& draw) {
  pair.set_compares_layout(false);
  pair.Queue({OperationKind::kRlimit, 0, {kResourceAddress, kNoLimit}});
  pair.Queue({OperationKind::kRlimit, 0, {kResourceData, kNoLimit}});
  const uint64_t most = 2 * (limit - std::min(limit, pair.model().space().count())) + 16;
  const uint64_t at = pair.Queue(MmapOf(most * Draw::kOsPage)).value;
  std::optional<Mismatch> mismatch = pair.Flush();
  uint32_t error = 0;
  for (uint64_t page = 1; page < most && error == 0 && !mismatch.has_value(); page += 2) {
    error = pair.Queue({OperationKind::kMprotect, 0, {at + page * Draw::kOsPage, Draw::kOsPage, 3}}).error;
    if (page % 4096 == 1) draw.Remember(at + page * Draw::kOsPage);
    if (pair.queued() == kMaxBatch || error != 0) mismatch = pair.Flush();
  }
  return mismatch.has_value() ? mismatch : pair.Flush();
}

// One process; `*script` = what it carried out, up to where the two parted.
absl::StatusOr<std::optional<Mismatch>> RunOnce(const LockstepSetup& setup, uint64_t seed, uint64_t operations,
                                                Tally* tally, Script* script) {
  auto pair = LockstepPair::Start(setup);
  if (!pair.ok()) return pair.status();
  Draw draw(seed, &(*pair)->model(), setup.switches.placement_base);
  std::optional<Mismatch> mismatch = (*pair)->Checkpoint();  // both begin alike
  while (script->size() < operations && !mismatch.has_value()) {
    script->push_back(Step(**pair, draw, tally));
    if ((*pair)->queued() < kBatch && script->size() < operations) continue;
    mismatch = (*pair)->Flush();
    const bool is_due = script->size() % kCheckpoint == 0 || script->size() == operations;
    if (!mismatch.has_value() && is_due) mismatch = (*pair)->Checkpoint();
  }
  if (mismatch.has_value()) script->resize(std::min(mismatch->index + 1, script->size()));
  return mismatch;
}

absl::Status FuzzRun(const LockstepSetup& setup, uint64_t seed, uint64_t operations, Tally* tally,
                     Script* failing) {
  Tally drawn;
  Script script;
  std::optional<Mismatch> mismatch;
  for (int attempt = 0;; ++attempt) {
    drawn = Tally();
    script.clear();
    const uint64_t meddling = HugePageMeddling();
    auto run = RunOnce(setup, seed, operations, &drawn, &script);
    if (!run.ok()) return run.status();
    mismatch = *std::move(run);
    if (!mismatch.has_value() || !setup.kind.huge_pages || attempt == kMostRepeats) break;
    absl::SleepFor(absl::Milliseconds(100));  // it counts when it is done
    if (HugePageMeddling() == meddling) break;
    ++tally->repeated;
  }
  tally->Add(drawn);
  if (!mismatch.has_value()) return absl::OkStatus();
  if (failing != nullptr) *failing = script;
  int runs = 0;
  const Script shortest = Minimise(setup, script, &runs);
  return absl::AbortedError(absl::StrCat("seed ", seed, ", operation ", mismatch->index, ": ", mismatch->what,
                                         "; made ", shortest.size(), " of ", script.size(), " operations in ",
                                         runs, " runs\n", DescribeFailure(setup, shortest)));
}

absl::Status FuzzAtMappingLimit(const LockstepSetup& setup, uint64_t seed, uint64_t operations, Tally* tally) {
  const uint64_t limit = setup.switches.max_mappings;
  if (limit > 200'000) return absl::UnavailableError("vm.max_map_count is too high to fill");
  auto pair = LockstepPair::Start(setup);
  if (!pair.ok()) return pair.status();
  Draw draw(seed, &(*pair)->model(), setup.switches.placement_base);
  draw.set_most_mappings(~uint64_t{0});
  std::optional<Mismatch> mismatch;
  Script since;  // the last filling
  for (uint64_t done = 0; done < operations && !mismatch.has_value(); done += kBatch) {
    if ((*pair)->model().space().count() + kBatch < limit) {
      mismatch = FillWithMappings(**pair, limit, draw);
      since.clear();
    }
    for (uint64_t i = 0; i + 1 < kBatch && !mismatch.has_value(); ++i) since.push_back(Step(**pair, draw, tally));
    if (!mismatch.has_value()) mismatch = (*pair)->Flush();
    (*pair)->set_compares_layout(true);
    if (!mismatch.has_value()) since.push_back(Step(**pair, draw, tally));
    if (!mismatch.has_value()) mismatch = (*pair)->Flush();
    (*pair)->set_compares_layout(false);
  }
  if (!mismatch.has_value()) return absl::OkStatus();
  std::string script;
  for (const Operation& operation : since) absl::StrAppend(&script, "  ", FormatOperation(operation), "\n");
  return absl::AbortedError(absl::StrCat(
      "seed ", seed, ", at ", limit, " mappings, operation ", mismatch->index, ": ",
      FormatOperation(mismatch->operation), "\n", mismatch->ToString(), "\nin the batch that ends with\n", script));
}

}  // namespace reheap
