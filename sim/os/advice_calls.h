// AdviceCalls: madvise of a modelled kernel, by the platform's table of advice words (row 9).
//
// A word walks the mappings of its range; a hole is an error at the end, when all else is done, where the platform
// says so. Words that set a flag split and merge mappings as mprotect does. Checks stand in the order in which the
// kernel makes them.
//
// Ownership: none; the state and the faults outlive it. Threads: one. Limits: a platform without a table knows only
// its discarding word. Memory failure is not injected.
#ifndef REHEAP_SIM_OS_ADVICE_CALLS_H_
#define REHEAP_SIM_OS_ADVICE_CALLS_H_

#include <cstdint>
#include <optional>

#include "sim/os/page_faults.h"
#include "sim/os/process_state.h"

namespace reheap {

class AdviceCalls {
 public:
  AdviceCalls(ProcessState* state, PageFaults* faults) : s_(*state), faults_(*faults) {}

  OsResult<Done> Madvise(Addr addr, uint64_t bytes, int advice);

 private:
  std::optional<AdviceMeaning> MeaningOf(int advice) const;
  // One mapping's share; `*id` = what holds the piece after.
  Refusal Advise(AddressSpace::Id* id, AddrRange piece, AdviceMeaning meaning);
  Refusal Discard(const Mapping& m, AddrRange piece, AdviceMeaning meaning);
  void PageOut(const Mapping& m, AddrRange piece);
  Refusal InstallGuard(AddressSpace::Id id, AddrRange piece);
  Refusal Remove(const Mapping& m, AddrRange piece);
  Refusal Collapse(AddressSpace::Id id, AddrRange piece);
  Refusal SetFlags(AddressSpace::Id* id, AddrRange piece, AdviceMeaning meaning);
  OsResult<Done> PopulateToHole(AddrRange range, bool write);
  Refusal Populate(AddressSpace::Id id, AddrRange piece, bool write);
  Refusal Invalid(AddrRange range) const;

  ProcessState& s_;
  PageFaults& faults_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_ADVICE_CALLS_H_
