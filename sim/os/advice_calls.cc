#include "sim/os/advice_calls.h"

#include <algorithm>

namespace reheap {

OsResult<Done> AdviceCalls::Madvise(Addr addr, uint64_t bytes, int advice) {
  const Platform::Machine& machine = s_.platform->machine;
  const AddrRange range{addr, RoundUp(bytes, machine.os_page_bytes)};
  if (advice != machine.bits.advice_discard || addr.value() % machine.os_page_bytes != 0 ||
      (bytes != 0 && range.bytes == 0) || range.end() < range.start) {
    return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, {addr, bytes});
  }
  bool hole = false;
  Addr at = range.start;
  for (AddressSpace::Id id = s_.space.FirstEndingAbove(at);
       id != AddressSpace::kNone && s_.space.mapping(id).start < range.end(); id = s_.space.Next(id)) {
    const Mapping& m = s_.space.mapping(id);
    hole |= m.start > at;
    at = m.end;
  }
  hole |= at < range.end();
  if (s_.platform->mappings.discard == DiscardRule::kDroppedAtOnce) {
    s_.DropPages(range);
  } else {
    s_.ForgetContents(range);
  }
  // A hole is an error after the rest is done (madvise_walk_vmas, mm/madvise.c, linux 6.12).
  if (hole && s_.platform->mappings.advise_hole_error != 0) {
    return Refused(Rule::kOutOfUserRange, s_.platform->mappings.advise_hole_error, {addr, bytes});
  }
  return Done();
}

}  // namespace reheap
