#include "sim/os/stack_growth.h"

#include "sim/os/gap_stack.h"

namespace reheap {

// expand_downwards and acct_stack_growth, mm/vma.c, linux 6.12.
AddressSpace::Id StackGrowth::GrowTo(Addr a) {
  if (s_.platform->mappings.stack_step_bytes != 0) return GapStack(&s_).GrowTo(a);
  AddressSpace& space = s_.space;
  const AddressSpace::Id id = space.FirstEndingAbove(a);
  if (id == AddressSpace::kNone || space.mapping(id).traits.kind != MappingKind::kStack)
    return AddressSpace::kNone;
  if (!s_.platform->mappings.stack_grows_on_access) return AddressSpace::kNone;
  const Mapping stack = space.mapping(id);
  const Addr start = RoundDown(a, s_.platform->machine.os_page_bytes);
  const AddressSpace::Id below = space.Previous(id);
  if (below != AddressSpace::kNone) {
    // Only from memory that can be accessed and is no stack itself.
    const MappingTraits& traits = space.mapping(below).traits;
    const bool keeps_gap =
        traits.kind != MappingKind::kStack && (traits.read || traits.write || traits.execute);
    if (keeps_gap && start - space.mapping(below).end < s_.platform->placement.stack_guard_bytes)
      return AddressSpace::kNone;
  }
  const ProcessLimits& limits = s_.limits.process();
  const uint64_t most = limits.stack_unlimited
                            ? ~uint64_t{0}
                            : limits.stack_bytes.value_or(s_.platform->limits.default_stack_bytes);
  Demand demand;
  demand.bytes = stack.start - start;
  if (stack.end - start > most || s_.limits.CheckMap(space.totals(), demand).rule != Rule::kNone ||
      s_.limits.CheckCommit(space.totals(), demand.bytes).rule != Rule::kNone) {
    return AddressSpace::kNone;
  }
  space.ExtendDown(id, start);
  return id;
}

}  // namespace reheap
