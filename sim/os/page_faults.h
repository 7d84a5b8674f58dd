// PageFaults: what an access to an address does in a modelled kernel (row 9).
//
// Makes the page resident, or answers that the process would get a signal; below a stack it asks stack_growth.h
// first. It is the only place where memory becomes resident.
//
// Ownership: none; the state outlives it. Threads: one. Cost: a look at the mapping (remembered from the last
// access) and a bit test.
#ifndef REHEAP_SIM_OS_PAGE_FAULTS_H_
#define REHEAP_SIM_OS_PAGE_FAULTS_H_

#include "sim/os/process_state.h"
#include "sim/os/stack_growth.h"

namespace reheap {

class PageFaults {
 public:
  explicit PageFaults(ProcessState* state) : s_(*state), stack_growth_(state) {}

  // One access to the OS page of `a`: false where the process would get a signal. A write makes private memory
  // resident.
  bool Touch(Addr a, bool write);

 private:
  ProcessState& s_;
  StackGrowth stack_growth_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PAGE_FAULTS_H_
