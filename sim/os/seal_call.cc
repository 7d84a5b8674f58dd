#include "sim/os/seal_call.h"

#include <algorithm>

namespace reheap {

// do_mseal, mm/mseal.c, linux 6.18: no hole in the range, or nothing is sealed.
OsResult<Done> SealCall::Mseal(Addr addr, uint64_t bytes, uint64_t flags) {
  const Platform::Machine& machine = s_.platform->machine;
  const AddrRange range{addr, RoundUp(bytes, machine.os_page_bytes)};
  if (flags != 0 || addr.value() % machine.os_page_bytes != 0 || (bytes != 0 && range.bytes == 0) ||
      range.end() < range.start) {
    return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, {addr, bytes});
  }
  Addr mapped = range.start;
  for (AddressSpace::Id id = s_.space.FirstEndingAbove(mapped);
       id != AddressSpace::kNone && s_.space.mapping(id).start <= mapped && mapped < range.end();
       id = s_.space.Next(id)) {
    mapped = s_.space.mapping(id).end;
  }
  if (mapped < range.end()) return Refused(Rule::kOutOfUserRange, machine.errors.out_of_memory, range);
  for (Addr at = range.start; at < range.end();) {
    AddressSpace::Id id = s_.space.Containing(at);
    const Mapping m = s_.space.mapping(id);
    const Addr end = std::min(m.end, range.end());
    MappingTraits traits = m.traits;
    traits.flags |= kSealed;
    if (const Refusal r = ChangeTraits(s_, &id, {at, end - at}, traits); r.rule != Rule::kNone) return r;
    at = end;
  }
  return Done();
}

}  // namespace reheap
