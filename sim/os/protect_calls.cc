#include "sim/os/protect_calls.h"

#include <algorithm>

namespace reheap {

// One mapping's share of an mprotect (mprotect_fixup, mm/mprotect.c, linux 6.12). `*now` = what holds the
// piece after.
OsResult<Done> ProtectCalls::ProtectPiece(AddressSpace::Id id, AddrRange piece, int protection,
                                      AddressSpace::Id* now) {
  const Mapping m = s_.space.mapping(id);
  MappingTraits traits = m.traits;
  traits.read = protection & kProtRead;
  traits.write = protection & kProtWrite;
  traits.execute = protection & kProtExecute;
  *now = id;
  if (traits == m.traits) return Done();
  const bool counts_commit = s_.platform->limits.commit_charge == CommitCharge::kWritablePrivate;
  if (traits.write) {
    const bool charge =
        counts_commit && !m.traits.charged && !m.traits.write && !m.traits.shared && !m.traits.no_reserve;
    const Refusal refusal =
        s_.limits.CheckProtect(s_.space.totals(), piece.bytes, IsData(m.traits), IsData(traits), charge);
    if (refusal.rule != Rule::kNone) return Where(refusal, piece);
    traits.charged |= charge;
  } else if (s_.platform->limits.protect_uncharges_unwritten && m.traits.kind == MappingKind::kAnonymous &&
             !m.traits.shared && m.writer == 0) {
    traits.charged = false;
  }
  if (const Refusal r = ChangeTraits(s_, now, piece, traits); r.rule != Rule::kNone) return r;
  s_.AccessChanged(piece);
  return Done();
}

OsResult<Done> ProtectCalls::Mprotect(Addr addr, uint64_t bytes, int protection) {
  const Platform::Machine& machine = s_.platform->machine;
  const AddrRange asked{addr, bytes};
  if (s_.platform->mappings.unaligned == UnalignedRule::kRoundedDown) {
    bytes += addr.value() % machine.os_page_bytes;
    addr = RoundDown(addr, machine.os_page_bytes);
  }
  // 0xf: read, write, execute and PROT_SEM (do_mprotect_pkey, mm/mprotect.c, linux 6.12).
  if (addr.value() % machine.os_page_bytes != 0 || (protection & ~0xf) != 0) {
    return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  }
  if (asked.bytes == 0) return Done();
  const AddrRange range{addr, RoundUp(bytes, machine.os_page_bytes)};
  const Refusal hole = Refused(Rule::kOutOfUserRange, machine.errors.out_of_memory, asked);
  if (range.end() <= range.start) return hole;
  Addr at = range.start;
  while (at < range.end()) {
    AddressSpace::Id id = s_.space.FirstEndingAbove(at);
    const bool mapped = id != AddressSpace::kNone && s_.space.mapping(id).start <= at;
    if (!mapped && s_.platform->mappings.hole == HoleRule::kError) return hole;
    if (id == AddressSpace::kNone) break;
    if (!mapped) {
      at = std::min(range.end(), s_.space.mapping(id).start);
      continue;
    }
    const Addr end = std::min(range.end(), s_.space.mapping(id).end);
    const OsResult<Done> done = ProtectPiece(id, {at, end - at}, protection, &id);
    if (!done.ok()) return done;
    at = end;
  }
  return Done();
}

}  // namespace reheap
