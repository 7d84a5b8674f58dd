// Strategy resolver: a strategy file and one process become the plan that the allocator carries out (row 8).
//
//   file: values, computed, requests, modes  +  environment: RAM, CPUs, limits, ...  ->  ReservationStrategy
//
// Formulas get their numbers, the mode that the limits choose is put over the file, the modes that a refusal
// leads to become the plan's fallbacks. The result is checked as a file without formulas is, so that what a
// formula gives is never carried out when it cannot be.
//
// Pure functions: any thread.
#ifndef REHEAP_SIM_STRATEGIES_STRATEGY_RESOLVER_H_
#define REHEAP_SIM_STRATEGIES_STRATEGY_RESOLVER_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "alloc/reservation_strategy.h"
#include "sim/strategies/size_expression.h"
#include "sim/strategies/strategy_catalog.h"

namespace reheap {

// What a program can find out about its machine and itself when it starts. Absent limits are unlimited.
struct StrategyEnvironment {
  uint64_t ram_bytes = 16 * kGiB;
  uint64_t cpus = 2;
  std::optional<uint64_t> address_limit_bytes;  // RLIMIT_AS
  std::optional<uint64_t> data_limit_bytes;     // RLIMIT_DATA
  std::optional<uint64_t> memory_max_bytes;     // cgroup
  uint64_t user_end = uint64_t{1} << 47;        // first address that no process can have
  uint64_t os_page_bytes = 4 * kKiB;
  uint64_t overcommit_mode = 0;
  uint64_t image_bytes = kMiB;  // from the executable's first mapping to the end of its BSS
};

// The names that formulas know, beside the file's own values.
SizeNames NamesOf(const StrategyEnvironment& environment);

// kInvalidArgument: file:line:column of the formula and what is wrong with it, or file:line of the field that
// got a number that makes no plan.
absl::StatusOr<ReservationStrategy> ResolveStrategy(const CatalogStrategy& strategy,
                                                    const StrategyEnvironment& environment);

// Whether another environment could give another plan.
bool DependsOnEnvironment(const proto::Strategy& text);

}  // namespace reheap

#endif  // REHEAP_SIM_STRATEGIES_STRATEGY_RESOLVER_H_
