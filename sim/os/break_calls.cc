#include "sim/os/break_calls.h"

namespace reheap {

Refusal BreakCalls::GrowBreak(AddrRange more) {
  const Platform& platform = *s_.platform;
  const AddressSpace::Id next = s_.space.FirstEndingAbove(more.start);
  if (next != AddressSpace::kNone) {
    // One free page and a stack's guard gap must remain above (brk, mm/mmap.c, linux 6.12).
    const Mapping& above = s_.space.mapping(next);
    const uint64_t guard =
        above.traits.kind == MappingKind::kStack ? platform.placement.stack_guard_bytes : 0;
    if (more.end() + platform.machine.os_page_bytes + guard > above.start) {
      return Refused(Rule::kAddressTaken, platform.machine.errors.out_of_memory, more);
    }
  }
  if (Refusal r = s_.limits.CheckCount(s_.space.count(), false); r.rule != Rule::kNone) return Where(r, more);
  const MappingTraits traits = map_.NewTraits(kProtRead | kProtWrite, false, false);
  if (Refusal r = map_.MakeRoom(more, traits); r.rule != Rule::kNone) return r;
  // The mapping before the break is looked for above the break's start only (brk, do_brk_flags, mm/mmap.c, linux
  // 6.12): the first growth does not join the BSS below.
  if (more.start > s_.break_start) {
    s_.space.Insert(more, traits);
  } else {
    s_.space.InsertImage(more, traits, false);
  }
  return Refusal();
}

OsResult<Addr> BreakCalls::Brk(Addr addr) {
  const Platform::Machine& machine = s_.platform->machine;
  const AddrRange asked{addr, 0};
  if (!s_.break_start || addr < s_.break_start) {
    return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  }
  if (Refusal r = s_.limits.CheckBreak(addr - s_.break_start, s_.break_end - s_.break_start);
      r.rule != Rule::kNone) {
    r.wanted = addr;
    return r;
  }
  const Addr from = RoundUp(s_.break_end, machine.os_page_bytes), to = RoundUp(addr, machine.os_page_bytes);
  // Beyond the highest address, or so near the last one that rounding begins again at 0 (check_brk_limits,
  // mm/mmap.c: get_unmapped_area with MAP_FIXED, linux 6.12).
  if (addr.value() > machine.user_end || to.value() > machine.user_end) {
    return Refused(Rule::kOutOfUserRange, machine.errors.out_of_memory, asked);
  }
  if (to > from) {
    if (const Refusal r = GrowBreak({from, to - from}); r.rule != Rule::kNone) return r;
  } else if (to < from) {
    // Nothing there any more: somebody unmapped it, and the break stays (brk, mm/mmap.c, linux 6.12; by the
    // lockstep test).
    if (!s_.space.Overlaps({to, from - to}))
      return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
    if (const OsResult<Done> done = map_.Munmap(to, from - to); !done.ok()) return done.refusal();
  }
  s_.break_end = addr;
  return addr;
}

}  // namespace reheap
