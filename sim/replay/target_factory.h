// TargetFactory: turns a strategy's page-map kind into a type (row 6 of the walk).
//
// The one place that instantiates Heap for each page map and each world; everything else sees ReplayTarget.
#ifndef REHEAP_SIM_REPLAY_TARGET_FACTORY_H_
#define REHEAP_SIM_REPLAY_TARGET_FACTORY_H_

#include <memory>

#include "alloc/memory.h"
#include "sim/os/shadow_memory.h"
#include "sim/replay/heap_target.h"

namespace reheap {

// The arguments are borrowed and outlive the target.
std::unique_ptr<ReplayTarget> MakeHeapTarget(Os& os, DirectMemory& memory, const ReservationStrategy& strategy,
                                             const HeapTargetOptions& options);
std::unique_ptr<ReplayTarget> MakeHeapTarget(Os& os, ShadowMemory& memory, const ReservationStrategy& strategy,
                                             const HeapTargetOptions& options);

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_TARGET_FACTORY_H_
