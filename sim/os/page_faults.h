// PageFaults: what an access to an address does in a modelled kernel (row 9).
//
// Makes the page resident - a page, a huge page, a page of a file or of shared memory -, or answers that the process
// would get a signal or be killed; below a stack it asks stack_growth.h first. It is the only place where memory
// becomes resident. `Populate` is the kernel doing the same by itself (MAP_POPULATE, mlock, MADV_POPULATE_*).
//
// Ownership: none; the state outlives it. Threads: one. Cost: a look at the mapping (remembered from the last
// access) and a bit test.
#ifndef REHEAP_SIM_OS_PAGE_FAULTS_H_
#define REHEAP_SIM_OS_PAGE_FAULTS_H_

#include "sim/os/process_state.h"
#include "sim/os/stack_growth.h"

namespace reheap {

enum class TouchOutcome : uint8_t {
  kDone,
  kFault,            // SIGSEGV: nothing there, not allowed, or a guard
  kBusError,         // SIGBUS: beyond the end of what is mapped
  kOutOfMemoryKill,  // SIGKILL: memory.max, or more at once than the machine has (ProcessState::killed)
};

class PageFaults {
 public:
  explicit PageFaults(ProcessState* state) : s_(*state), stack_growth_(state) {}

  // One access to the OS page of `a`.
  TouchOutcome Access(Addr a, bool write);
  // As an access to each OS page of `range`, which lies in mapping `id`, whatever its protection; stops at the first
  // that does not come.
  TouchOutcome Populate(AddressSpace::Id id, AddrRange range, bool write);
  // What the kernel does for memory that is mapped populated or locked: each mapping of `range` that may be accessed is
  // written to when private and writable, else read; holes are left out. Returns the first outcome that is not kDone;
  // goes on after it when `ignore_errors`.
  TouchOutcome PopulateMapped(AddrRange range, bool ignore_errors);

 private:
  // `blank`: a write that leaves zeros, since the kernel does it by itself.
  TouchOutcome Fault(AddressSpace::Id id, Addr a, bool write, bool blank);
  TouchOutcome FaultPrivate(AddressSpace::Id id, Addr a, bool write, bool blank, PageState now);
  TouchOutcome FaultObject(AddressSpace::Id id, Addr a, bool write, PageState now);
  // Whether a first access to `a` gets a huge page.
  bool GetsHugePage(const Mapping& m, Addr a) const;
  PageState StateBehind(const MappingTraits& traits) const;
  void MapAround(const Mapping& m, Addr a);
  // Counts `pages` more and the tables above `a` against memory.max: false = the process is killed.
  bool Charge(Addr a, uint64_t pages);
  bool MayCharge(Addr a, uint64_t pages);
  // What an access to a page that is not there yet puts there, where that costs no memory but page tables; else
  // kAbsent.
  PageState UncountedState(const MappingTraits& traits, bool write) const;
  // Whether each OS page of a whole lowest table from `at` on is not there yet and gets UncountedState.
  bool IsBlankTable(const Mapping& m, Addr at, Addr end, bool write) const;
  // Whether all of `range` fits into the machine at all: false = the process is killed.
  bool MachineHolds(const MappingTraits& traits, AddrRange range, bool write);

  ProcessState& s_;
  StackGrowth stack_growth_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PAGE_FAULTS_H_
