#include "sim/os/stack_growth.h"

#include <algorithm>

#include "sim/os/gap_stack.h"

namespace reheap {

// expand_downwards and acct_stack_growth, mm/mmap.c, linux 6.12.
AddressSpace::Id StackGrowth::GrowTo(Addr a) {
  if (s_.platform->mappings.stack_step_bytes != 0) return GapStack(&s_).GrowTo(a);
  AddressSpace& space = s_.space;
  const AddressSpace::Id id = space.FirstEndingAbove(a);
  if (id == AddressSpace::kNone || !GrowsDown(space.mapping(id).traits)) return AddressSpace::kNone;
  if (!s_.platform->mappings.stack_grows_on_access) return AddressSpace::kNone;
  const Addr start = RoundDown(a, s_.platform->machine.os_page_bytes);
  if (!KeepsGap(id, start)) return AddressSpace::kNone;
  // Whether it may grow or not, it counts as written from here on (anon_vma_prepare stands before the limits).
  space.NoteFirstWrite(id);
  const Mapping stack = space.mapping(id);
  const ProcessLimits& limits = s_.limits.process();
  const uint64_t most = limits.stack_unlimited
                            ? ~uint64_t{0}
                            : limits.stack_bytes.value_or(s_.platform->limits.default_stack_bytes);
  Demand demand;
  demand.bytes = stack.start - start;
  // Not below offset 0 of what it maps: a stack that was moved up after it was written.
  if (demand.bytes > stack.start.value() - stack.traits.origin) return AddressSpace::kNone;
  if (s_.limits.CheckMap(space.totals(), demand).rule != Rule::kNone || stack.end - start > most) {
    return AddressSpace::kNone;
  }
  const bool is_locked = (stack.traits.flags & kLocked) != 0;
  if (is_locked && s_.CheckLocked(demand.bytes, 0).rule != Rule::kNone) return AddressSpace::kNone;
  // Asked also for memory that is not charged.
  if (s_.limits.CheckCommit(space.totals(), demand.bytes).rule != Rule::kNone) return AddressSpace::kNone;
  if (!stack.traits.charged && s_.platform->limits.commit_refusal == CommitRefusal::kOvercommitMode) {
    LoseCharge(demand.bytes);
  }
  space.ExtendDown(id, start);
  return id;
}

// Charged all the same, and given back by nobody: what goes is uncharged by VM_ACCOUNT, which this stack does not have
// (acct_stack_growth, mm/mmap.c, linux 6.1 and 6.12; Committed_AS measured on 6.1, 6.12 and 6.18).
void StackGrowth::LoseCharge(uint64_t bytes) {
  ProcessLimits limits = s_.limits.process();
  limits.committed_elsewhere_bytes += bytes;
  s_.limits.set_process(limits);
}

// Whether the stack may begin at `start` as far as what lies below it goes: memory that can be accessed and is
// no stack itself is kept away from.
bool StackGrowth::KeepsGap(AddressSpace::Id id, Addr start) const {
  if (start.value() < std::max(s_.platform->machine.user_start, s_.platform->placement.hint_floor)) return false;
  const AddressSpace::Id below = s_.space.Previous(id);
  if (below == AddressSpace::kNone) return true;
  const Mapping& m = s_.space.mapping(below);
  const bool is_accessible = m.traits.read || m.traits.write || m.traits.execute;
  return GrowsDown(m.traits) || !is_accessible || start - m.end >= s_.platform->placement.stack_guard_bytes;
}

}  // namespace reheap
