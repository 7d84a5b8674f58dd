// ForkCall: what a fork costs in committed memory (row 9).
//
// The child shares every page until one of the two writes, and the machine must promise the copies
// beforehand: the whole of what is charged and not shared. No child is modelled; its charge is counted among
// what is committed elsewhere.
//
// Ownership: none; the state outlives it. Threads: one.
#ifndef REHEAP_SIM_OS_FORK_CALL_H_
#define REHEAP_SIM_OS_FORK_CALL_H_

#include <cstdint>

#include "alloc/os.h"
#include "sim/os/process_state.h"

namespace reheap {

class ForkCall {
 public:
  explicit ForkCall(ProcessState* state) : s_(*state) {}

  // O(mappings).
  uint64_t Charge() const;
  // A refusal names the first mapping whose copy was not granted; nothing is changed then.
  OsResult<Done> Fork();

 private:
  ProcessState& s_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_FORK_CALL_H_
