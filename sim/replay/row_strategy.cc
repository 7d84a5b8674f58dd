#include "sim/replay/row_strategy.h"

#include <unistd.h>

#include "sim/strategies/strategy_resolver.h"

namespace reheap {

absl::StatusOr<ReservationStrategy> StrategyOfVirtualRow(const ReplayRow& row, uint32_t cpus,
                                                         const VirtualOs& os) {
  if (row.text == nullptr) return *row.strategy;
  const ProcessLimits& limits = os.limits();
  StrategyEnvironment environment;
  environment.ram_bytes = limits.ram_bytes;
  environment.cpus = cpus;
  environment.address_limit_bytes = limits.address_bytes;
  environment.data_limit_bytes = limits.data_bytes;
  environment.memory_max_bytes = limits.memory_max_bytes;
  environment.user_end = os.platform().machine.user_end;
  environment.os_page_bytes = os.os_page_bytes();
  environment.overcommit_mode = static_cast<uint64_t>(limits.overcommit);
  const AddressSpace& space = os.space();
  const AddressSpace::Id first = space.First();
  if (first != AddressSpace::kNone && os.image_end() > space.mapping(first).start) {
    environment.image_bytes = os.image_end() - space.mapping(first).start;
  }
  return ResolveStrategy(*row.text, environment);
}

absl::StatusOr<ReservationStrategy> StrategyOfRealRow(const ReplayRow& row, const ProcessImage& image) {
  if (row.text == nullptr) return *row.strategy;
  StrategyEnvironment environment;
  environment.os_page_bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  environment.ram_bytes = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * environment.os_page_bytes;
  environment.cpus = static_cast<uint64_t>(sysconf(_SC_NPROCESSORS_ONLN));
  environment.address_limit_bytes = row.address_limit;
  environment.data_limit_bytes = row.data_limit;
  if (image.data_bytes > environment.os_page_bytes) environment.image_bytes = image.data_bytes;
  return ResolveStrategy(*row.text, environment);
}

}  // namespace reheap
