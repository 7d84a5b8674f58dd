// RemapCalls: mremap of a modelled kernel (row 9).
//
// Shrinks, grows in place, or moves: a move maps the new place first, as a copy that joins its new neighbours
// where the kernel would join them, takes the pages there, and unmaps the old place. What was written keeps its
// offset, so it does not join what lies at its new place by itself. Private anonymous memory that was never
// written takes the offset of its new address.
//
// Ownership: none; the state and the map calls outlive it. Threads: one.
#ifndef REHEAP_SIM_OS_REMAP_CALLS_H_
#define REHEAP_SIM_OS_REMAP_CALLS_H_

#include <cstdint>

#include "sim/os/map_calls.h"
#include "sim/os/process_state.h"

namespace reheap {

class RemapCalls {
 public:
  RemapCalls(ProcessState* state, MapCalls* map) : s_(*state), map_(*map) {}

  // `flags` in the platform's numbers (Platform::machine.remap). Preconditions: the platform has the call.
  OsResult<Addr> Mremap(Addr old_addr, uint64_t old_bytes, uint64_t new_bytes, int flags, Addr new_addr);

 private:
  // One request, its sizes in whole OS pages.
  struct Request {
    Addr from;
    uint64_t old_bytes = 0;
    uint64_t new_bytes = 0;
    Addr to;  // with fixed or dont_unmap
    bool may_move = false;
    bool fixed = false;
    bool dont_unmap = false;
    uint64_t cut_bytes = 0;  // were unmapped at the old place's end, and are asked of the commit limit all the same

    bool has_place() const { return fixed || dont_unmap; }
    AddrRange old_range() const { return {from, old_bytes}; }
  };

  OsResult<Addr> Carry(const Request& r);
  Refusal CheckArguments(const Request& r) const;
  Refusal CheckPlace(const Request& r) const;
  Refusal CheckCountBefore(const Request& r) const;
  Refusal CheckMapping(const Request& r, bool needs_room) const;
  OsResult<Addr> MoveEach(Request r);
  OsResult<Addr> RemapTo(Request r);
  OsResult<Addr> Resize(const Request& r);
  OsResult<Addr> Grow(const Request& r);
  bool MayGrowInPlace(const Mapping& m, const Request& r) const;
  OsResult<Addr> ChoosePlace(const Request& r) const;
  AddressSpace::Join CopyJoins(const Request& r, Addr to) const;
  void UnlockWhereItStays(Addr old);
  Refusal CheckSeal(const Request& r) const;
  // The addresses whose page tables may move as a whole.
  AddrRange WithTables(const Request& r, AddressSpace::Id copy, Addr to) const;
  OsResult<Addr> Move(const Request& r, Addr to);
  Refusal Invalid(const Request& r) const;
  Refusal NotMapped(const Request& r) const;

  ProcessState& s_;
  MapCalls& map_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_REMAP_CALLS_H_
