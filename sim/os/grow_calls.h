// GrowCalls: the one linear memory of WebAssembly, which can only grow (row 9).
//
// There is no mmap: memory.grow adds whole granules (wasm pages of 64 KiB) at the end, zeroed, and answers
// where they begin. Nothing is ever given back, moved or protected; every byte below the end can be read and
// written. OS pages are the host's, and only tell what became resident.
//
// Not modelled: the host, whose engine reserves 4 GiB or more of its own address space for each such memory
// so that an access needs no check, and its limits.
//
// Ownership: none; the state outlives it. Threads: one.
#ifndef REHEAP_SIM_OS_GROW_CALLS_H_
#define REHEAP_SIM_OS_GROW_CALLS_H_

#include <cstdint>

#include "alloc/os.h"
#include "sim/os/process_state.h"

namespace reheap {

class GrowCalls {
 public:
  explicit GrowCalls(ProcessState* state) : s_(*state) {}

  // memory.grow by `bytes`, rounded up to granules; answers the end before it. A refusal = the -1.
  OsResult<Addr> Grow(uint64_t bytes);
  // memory.size.
  Addr end() const;
  // Grow, where exactly `range` is wanted.
  OsResult<Done> GrowAt(AddrRange range);
  // `range`, of this memory, is zero from now on: the program fills it, and stays resident in it.
  OsResult<Done> Zero(AddrRange range);
  // There is no instruction for it.
  Refusal RefuseToShrink(AddrRange range) const;

 private:
  ProcessState& s_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_GROW_CALLS_H_
