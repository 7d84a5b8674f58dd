// ForkCall: what a fork costs in committed memory, and what the child begins with (row 9).
//
// The child shares every page until one of the two writes, and the machine must promise the copies
// beforehand: the whole of what is charged and not shared. The child does not run here: its charge is counted
// among what is committed elsewhere, and Child() tells what it would look like at its first instruction.
//
// Ownership: none; the state outlives it. Threads: one.
#ifndef REHEAP_SIM_OS_FORK_CALL_H_
#define REHEAP_SIM_OS_FORK_CALL_H_

#include <cstdint>

#include "alloc/os.h"
#include "sim/os/process_state.h"

namespace reheap {

// The sums of a new child. Its mappings are its parent's that IsInherited, in order, none of them joined or locked.
struct ForkedChild {
  uint64_t mapping_count = 0;
  uint64_t vsize_bytes = 0;
  uint64_t data_bytes = 0;
  uint64_t stack_bytes = 0;
  uint64_t rss_anonymous_bytes = 0;
};

// What MADV_DONTFORK marked is not the child's (dup_mmap, kernel/fork.c, linux 6.12).
constexpr bool IsInherited(const MappingTraits& traits) { return (traits.flags & kNotForked) == 0; }

class ForkCall {
 public:
  explicit ForkCall(ProcessState* state) : s_(*state) {}

  // O(mappings).
  uint64_t Charge() const;
  // A refusal names the first mapping whose copy was not granted; nothing is changed then.
  OsResult<Done> Fork();
  // O(mappings + pages of those that come empty).
  ForkedChild Child() const;

 private:
  ProcessState& s_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_FORK_CALL_H_
