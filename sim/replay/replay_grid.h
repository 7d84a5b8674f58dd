// ReplayGrid: the rows that a request asks for, with every name resolved (row 6 of the walk).
//
// Names, paths and combinations are checked here, before the first trace byte is replayed, so that a typing
// error never costs a long run. Values only: no threads.
#ifndef REHEAP_SIM_REPLAY_REPLAY_GRID_H_
#define REHEAP_SIM_REPLAY_REPLAY_GRID_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "alloc/reservation_strategy.h"
#include "proto/report.pb.h"
#include "sim/os/limits.h"
#include "sim/os/platform.h"
#include "sim/replay/replay_request.h"
#include "sim/strategies/strategy_catalog.h"

namespace reheap {

// What a row of the virtual world says of its machine and process beside the two limits; absent = the platform's
// own.
struct VirtualSettings {
  std::optional<int> overcommit_mode;
  std::optional<uint64_t> memory_max_bytes;
  std::optional<uint64_t> max_mappings;
  std::optional<uint64_t> ram_bytes;
  std::optional<uint64_t> swap_bytes;
  std::optional<uint64_t> job_commit_bytes;
  std::optional<std::optional<uint64_t>> stack_bytes;  // nullopt within = unlimited
  std::optional<HugePageMode> thp;

  friend bool operator==(const VirtualSettings&, const VirtualSettings&) = default;
  void ApplyTo(ProcessLimits* limits) const;
  void Describe(proto::Limits* limits) const;
};

struct ReplayRow {
  std::string target;                   // "heap", "malloc:..."
  const ReservationStrategy* strategy = nullptr;  // null for other mallocs; owned by the grid
  // Where the strategy has formulas, else null: its numbers are of a usual machine (row_strategy.h).
  const CatalogStrategy* text = nullptr;
  proto::World world = proto::REAL;
  const Platform* platform = nullptr;   // null in the real world
  std::optional<uint64_t> address_limit;
  std::optional<uint64_t> data_limit;
  VirtualSettings settings;
};

struct ReplayGrid {
  std::vector<ReservationStrategy> strategies;
  std::vector<CatalogStrategy> texts;  // of the strategies, in their order
  std::vector<ReplayRow> rows;      // a real row stands right before the virtual rows of the same strategy and limits
  std::vector<std::string> notes;   // combinations left out and why
};

// What is known of `row` before it runs.
void DescribeRow(const ReplayRequest& request, const ReplayRow& row, proto::Run* run);

// Errors: InvalidArgument naming the word that is wrong.
absl::StatusOr<ReplayGrid> ResolveGrid(const ReplayRequest& request);

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_REPLAY_GRID_H_
