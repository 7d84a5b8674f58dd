// Arena plan: whether a ReservationStrategy can be carried out at all, on this OS (row 8 of the walk).
//
// A plan that contradicts itself must be refused before anything is mapped. The words for people are
// sim/strategies/strategy_checks.h's; this is what the arena relies on.
//
// Pure functions: any thread.
#ifndef REHEAP_ALLOC_ARENA_PLAN_H_
#define REHEAP_ALLOC_ARENA_PLAN_H_

#include <cstdint>

#include "alloc/os.h"
#include "alloc/reservation_strategy.h"

namespace reheap {

// The largest OS page that the plan can be carried out with: whatever it maps at a time is whole OS pages.
uint64_t LargestOsPageBytes(const ReservationStrategy& strategy);

// The part of the reservation that a page map in it takes; 0 when it lies elsewhere.
uint64_t PlannedTableBytes(const ReservationStrategy& strategy, uint64_t os_page_bytes);

// The plan and its fallbacks: refused with kInvalidArgument, asked_bytes the number that is wrong (0 = a
// word).
OsResult<Done> CheckArenaPlan(const ReservationStrategy& strategy, const Os& os);

}  // namespace reheap

#endif  // REHEAP_ALLOC_ARENA_PLAN_H_
