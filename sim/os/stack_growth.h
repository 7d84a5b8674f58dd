// StackGrowth: an access below a stack of a modelled kernel extends it, or does not (row 9).
//
// Asked by page_faults.h when nothing is mapped where the process accesses.
//
// Ownership: none; the state outlives it. Threads: one.
#ifndef REHEAP_SIM_OS_STACK_GROWTH_H_
#define REHEAP_SIM_OS_STACK_GROWTH_H_

#include "sim/os/process_state.h"

namespace reheap {

class StackGrowth {
 public:
  explicit StackGrowth(ProcessState* state) : s_(*state) {}

  // The stack above `a`, extended to hold it; kNone when there is none or it may not grow so far.
  AddressSpace::Id GrowTo(Addr a);

 private:
  bool KeepsGap(AddressSpace::Id id, Addr start) const;
  void LoseCharge(uint64_t bytes);

  ProcessState& s_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_STACK_GROWTH_H_
