#include "sim/os/gap_stack.h"

#include <algorithm>

namespace reheap {

Refusal GapStack::Map(AddrRange range, MappingTraits traits) {
  const Platform::Mappings& rules = s_.platform->mappings;
  const uint64_t guard_bytes = rules.stack_gap_guard_bytes;
  if (guard_bytes >= range.bytes) {
    return Refused(Rule::kInvalidArgument, s_.platform->machine.errors.invalid_argument, range);
  }
  const uint64_t top_bytes = std::min(rules.stack_step_bytes, range.bytes - guard_bytes);
  traits.kind = MappingKind::kStack;
  s_.space.InsertImage({range.end() - top_bytes, top_bytes}, traits, false);
  if (top_bytes == range.bytes) return Refusal();
  MappingTraits gap;
  gap.kind = MappingKind::kStackGap;
  s_.space.InsertImage({range.start, range.bytes - top_bytes}, gap, false);
  return Refusal();
}

// How much of `gap` is to be mapped; 0 = the stack may not reach so far.
uint64_t GapStack::GrowBytes(const Mapping& gap, Addr a) const {
  const Platform::Mappings& rules = s_.platform->mappings;
  const uint64_t needed = gap.end - RoundDown(a, s_.platform->machine.os_page_bytes);
  if (gap.bytes() < rules.stack_gap_guard_bytes) return 0;
  const uint64_t most = gap.bytes() - rules.stack_gap_guard_bytes;
  if (needed > most) return 0;
  uint64_t grown = std::min(RoundUp(needed, rules.stack_step_bytes), most);
  // RLIMIT_STACK is only about the stack that exec made.
  if (s_.main_stack.Contains(a)) {
    const uint64_t limit = s_.limits.process().stack_bytes.value_or(s_.platform->limits.default_stack_bytes);
    const uint64_t now = s_.main_stack.end() - gap.end;
    if (now + needed > limit) return 0;
    grown = std::min(grown, RoundDown(limit, s_.platform->machine.os_page_bytes) - now);
  }
  return grown;
}

AddressSpace::Id GapStack::GrowTo(Addr a) {
  AddressSpace& space = s_.space;
  const AddressSpace::Id gap_id = space.Containing(a);
  if (gap_id == AddressSpace::kNone) return AddressSpace::kNone;
  const AddressSpace::Id stack_id = space.Next(gap_id);
  const Mapping gap = space.mapping(gap_id);
  const bool is_gap = gap.traits.kind == MappingKind::kStackGap && stack_id != AddressSpace::kNone;
  if (!is_gap) return AddressSpace::kNone;
  const Mapping stack = space.mapping(stack_id);
  if (stack.traits.kind != MappingKind::kStack || stack.start != gap.end) return AddressSpace::kNone;
  Demand demand;
  demand.bytes = GrowBytes(gap, a);
  if (demand.bytes == 0 || s_.limits.CheckMap(space.totals(), demand).rule != Rule::kNone) {
    return AddressSpace::kNone;
  }
  if (stack.traits.charged && s_.limits.CheckCommit(space.totals(), demand.bytes).rule != Rule::kNone) {
    return AddressSpace::kNone;
  }
  const AddrRange grown{gap.end - demand.bytes, demand.bytes};
  space.Remove(grown);
  space.InsertImage(grown, stack.traits, false);
  return space.Containing(a);
}

}  // namespace reheap
