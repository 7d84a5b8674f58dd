// PageFaults: what an access to an address does in a modelled kernel (row 9).
//
// Makes the page resident, extends a stack that grows on access, or answers that the process would get a
// signal. It is the only place where memory becomes resident.
//
// Ownership: none; the state outlives it. Threads: one. Cost: a look at the mapping (remembered from the last
// access) and a bit test.
#ifndef REHEAP_SIM_OS_PAGE_FAULTS_H_
#define REHEAP_SIM_OS_PAGE_FAULTS_H_

#include "sim/os/process_state.h"

namespace reheap {

class PageFaults {
 public:
  explicit PageFaults(ProcessState* state) : s_(*state) {}

  // One access to the OS page of `a`: false where the process would get a signal. A write makes private memory
  // resident.
  bool Touch(Addr a, bool write);

 private:
  AddressSpace::Id GrowStackTo(Addr a);

  ProcessState& s_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PAGE_FAULTS_H_
