// ChildBaseline: makes a replay child's own memory complete and still, then notes what it holds (row 10).
//
// What the replayer itself holds must not change while it measures something else. So before the baseline is
// taken, every writable private page that the child has is made resident (a later write to a page of ours that
// was never written, or shared with the parent since fork, would count as the heap's), the stack is grown
// further than the replay needs, and transparent huge pages are switched off for the process, which makes
// residency a matter of OS pages written.
//
// Called once in a replay child. Threads: one. Linux only.
#ifndef REHEAP_SIM_REPLAY_CHILD_BASELINE_H_
#define REHEAP_SIM_REPLAY_CHILD_BASELINE_H_

#include <cstddef>
#include <cstdint>

#include "alloc/os.h"

namespace reheap {

struct ChildBaseline {
  OsUsage usage;               // of the whole child
  uint64_t data_bytes = 0;     // what RLIMIT_DATA counts: VmData of /proc/self/status
  uint64_t mapping_count = 0;  // VMAs
};

// Reads a file that exists, as far as it fits; how many bytes. Allocates nothing.
size_t ReadWholeFile(const char* path, char* buffer, size_t capacity);

// VMAs of this process now. Allocates nothing.
uint64_t CountOwnMappings();

// Settles this process and fills `baseline`. `os` is the child's RealOs. Allocates nothing.
void TakeChildBaseline(Os* os, ChildBaseline* baseline);

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_CHILD_BASELINE_H_
