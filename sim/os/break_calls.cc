#include "sim/os/break_calls.h"

namespace reheap {

// The second half of brk, mm/mmap.c, and do_brk_flags, mm/mmap.c, linux 6.12.
Refusal BreakCalls::GrowBreak(AddrRange more) {
  const Platform& platform = *s_.platform;
  const AddressSpace::Id next = s_.space.FirstEndingAbove(more.start);
  if (next != AddressSpace::kNone) {
    // One free page and a stack's guard gap must remain above.
    const Mapping& above = s_.space.mapping(next);
    const uint64_t guard = GrowsDown(above.traits) ? platform.placement.stack_guard_bytes : 0;
    if (more.end() + platform.machine.os_page_bytes + guard > above.start) {
      return Refused(Rule::kAddressTaken, platform.machine.errors.out_of_memory, more);
    }
  }
  if (const Refusal r = map_.CheckLock(more, false); r.rule != Rule::kNone) return r;
  const MappingTraits traits = map_.NewTraits(kProtRead | kProtWrite, false, false);
  Demand demand;
  demand.bytes = more.bytes;
  demand.data = IsData(traits);
  Refusal refusal = s_.limits.CheckMap(s_.space.totals(), demand);
  if (refusal.rule == Rule::kNone) refusal = s_.limits.CheckCount(s_.space.count(), false);
  if (refusal.rule == Rule::kNone && traits.charged) {
    refusal = s_.limits.CheckCommitLater(s_.space.totals(), more.bytes);
  }
  if (refusal.rule != Rule::kNone) return Where(refusal, more);
  // Only ever extends what ends at the break, and not what lies below the area (vma_prev_limit; measured on
  // 6.18: [heap] is a mapping of its own beside the BSS).
  const bool is_first = more.start <= s_.break_start;
  s_.space.Insert(more, traits, 0, is_first ? AddressSpace::Join::kNone : AddressSpace::Join::kLeft);
  return Refusal();
}

OsResult<Addr> BreakCalls::Brk(Addr addr) {
  const Platform::Machine& machine = s_.platform->machine;
  const AddrRange asked{addr, 0};
  if (!s_.break_start || addr < s_.break_start) {
    return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  }
  // check_data_rlimit, include/linux/mm.h, linux 6.12: to the byte, the executable's data with it.
  const uint64_t data = s_.data_segment_bytes;
  if (Refusal r = s_.limits.CheckBreak(addr - s_.break_start + data, s_.break_end - s_.break_start + data);
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
    if (!s_.space.Overlaps({to, from - to})) {
      return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
    }
    if (const OsResult<Done> done = map_.Munmap(to, from - to); !done.ok()) return done.refusal();
  }
  s_.break_end = addr;
  return addr;
}

}  // namespace reheap
