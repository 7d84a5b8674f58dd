// GapStack: a stack that is mapped by and by, into a guard that lies below it (row 9).
//
// The top step is there from the start; an access in the gap maps as many steps as it takes, each time as one
// mapping, until only the guard is left. Step and guard are the platform's (StackGap, proto/platform.proto).
// vm_map_stack_locked and vm_map_growstack, sys/vm/vm_map.c, FreeBSD 12.3 to 14.
//
// Ownership: none; the state outlives it. Threads: one.
#ifndef REHEAP_SIM_OS_GAP_STACK_H_
#define REHEAP_SIM_OS_GAP_STACK_H_

#include <cstdint>

#include "sim/os/process_state.h"

namespace reheap {

class GapStack {
 public:
  explicit GapStack(ProcessState* state) : s_(*state) {}

  // Maps a stack with its gap. Preconditions: `range` is free; the platform has such stacks.
  Refusal Map(AddrRange range, MappingTraits traits);
  // Maps what the access at `a`, in a gap, takes: the mapping that holds `a`; kNone where the process faults.
  AddressSpace::Id GrowTo(Addr a);

 private:
  uint64_t GrowBytes(const Mapping& gap, Addr a) const;

  ProcessState& s_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_GAP_STACK_H_
