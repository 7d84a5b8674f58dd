#include "sim/os/grow_calls.h"

namespace reheap {

Addr GrowCalls::end() const {
  const AddressSpace::Id last = s_.space.Last();
  return last == AddressSpace::kNone ? Addr() : s_.space.mapping(last).end;
}

// memory.grow, WebAssembly Core Specification 1.0, document/core/exec/instructions.rst: the old size, or -1.
// It must fail beyond the memory's declared maximum, and may whenever the embedder has no room.
OsResult<Addr> GrowCalls::Grow(uint64_t bytes) {
  const Platform::Machine& machine = s_.platform->machine;
  const AddrRange asked{end(), bytes};
  const uint64_t granules = RoundUp(bytes, machine.granularity_bytes);
  if (granules < bytes || granules > machine.user_end - asked.start.value()) {
    return Refused(Rule::kAddressSpaceExhausted, machine.errors.out_of_memory, asked);
  }
  Demand demand;
  demand.bytes = granules;
  demand.data = true;
  if (const Refusal r = s_.limits.CheckMap(s_.space.totals(), demand); r.rule != Rule::kNone) {
    Refusal refusal = Where(r, asked);
    refusal.asked_bytes = bytes;
    if (refusal.rule == Rule::kAddressLimit) refusal.rule = Rule::kMemoryMaximum;  // the same sum, no rlimit
    return refusal;
  }
  if (granules == 0) return asked.start;
  MappingTraits traits;
  traits.read = traits.write = true;
  s_.space.Insert({asked.start, granules}, traits);
  return asked.start;
}

OsResult<Done> GrowCalls::GrowAt(AddrRange range) {
  const ErrorNumbers& errors = s_.platform->machine.errors;
  if (range.start < end()) return Refused(Rule::kAddressTaken, errors.address_taken, range);
  // Memory is contiguous: further up nothing can begin.
  if (range.start > end()) return Refused(Rule::kOutOfUserRange, errors.out_of_range, range);
  const OsResult<Addr> grown = Grow(range.bytes);
  return grown.ok() ? OsResult<Done>(Done()) : grown.refusal();
}

OsResult<Done> GrowCalls::Zero(AddrRange range) {
  if (range.end() > end()) {
    return Refused(Rule::kOutOfUserRange, s_.platform->machine.errors.out_of_range, range);
  }
  s_.ForgetContents(range);
  return Done();
}

// "WebAssembly doesn't support shrinking linear memory" (dlmalloc/src/dlmalloc.c, wasi-libc, which sets
// MORECORE_CANNOT_TRIM for it).
Refusal GrowCalls::RefuseToShrink(AddrRange range) const {
  return Refused(Rule::kOnlyGrows, s_.platform->machine.errors.invalid_argument, range);
}

}  // namespace reheap
