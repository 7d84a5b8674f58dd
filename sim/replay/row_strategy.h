// Row strategy: the plan of one row, with the numbers of its own machine and limits (row 8 of the walk).
//
// A strategy's file may have formulas: a runtime that reads RLIMIT_AS, or RAM, or the number of processors,
// reserves accordingly. Of a row it is known what its process would have read.
//
// Pure functions: any thread.
#ifndef REHEAP_SIM_REPLAY_ROW_STRATEGY_H_
#define REHEAP_SIM_REPLAY_ROW_STRATEGY_H_

#include "absl/status/statusor.h"
#include "alloc/reservation_strategy.h"
#include "sim/os/virtual_os.h"
#include "sim/replay/process_image.h"
#include "sim/replay/replay_grid.h"

namespace reheap {

// InvalidArgument: a formula has no value here, or the plan that it gives cannot be carried out.
// Preconditions: the row has a strategy. A row of the virtual world reads its limits from the modelled
// process.
absl::StatusOr<ReservationStrategy> StrategyOfVirtualRow(const ReplayRow& row, uint32_t cpus,
                                                         const VirtualOs& os);
absl::StatusOr<ReservationStrategy> StrategyOfRealRow(const ReplayRow& row, const ProcessImage& image);

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_ROW_STRATEGY_H_
