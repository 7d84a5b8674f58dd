#include "sim/os/fork_call.h"

namespace reheap {
namespace {

// VM_ACCOUNT is of private mappings only (accountable_mapping, mm/mmap.c, linux 6.12): a shared object's
// charge is the object's.
bool IsCopied(const MappingTraits& traits) { return traits.charged && !traits.shared && IsInherited(traits); }

}  // namespace

uint64_t ForkCall::Charge() const {
  uint64_t bytes = 0;
  for (auto id = s_.space.First(); id != AddressSpace::kNone; id = s_.space.Next(id)) {
    const Mapping& m = s_.space.mapping(id);
    if (IsCopied(m.traits)) bytes += m.bytes();
  }
  return bytes;
}

OsResult<Done> ForkCall::Fork() {
  // One mapping after the other, each as a request of its own (dup_mmap, kernel/fork.c, linux 6.12), so that
  // the heuristic of mode 0 never sees their sum.
  ProcessLimits limits = s_.limits.process();
  const ProcessLimits before = limits;
  for (auto id = s_.space.First(); id != AddressSpace::kNone; id = s_.space.Next(id)) {
    const Mapping& m = s_.space.mapping(id);
    if (!IsCopied(m.traits)) continue;
    const Refusal refusal = s_.limits.CheckCommit(s_.space.totals(), m.bytes());
    if (refusal.rule != Rule::kNone) {
      s_.limits.set_process(before);
      return Where(refusal, m.range());
    }
    limits.committed_elsewhere_bytes += m.bytes();
    s_.limits.set_process(limits);
  }
  return Done();
}

// dup_mmap, kernel/fork.c, and copy_page_range, mm/memory.c, linux 6.12.
ForkedChild ForkCall::Child() const {
  const MappingTotals& totals = s_.space.totals();
  ForkedChild child{s_.space.count(), totals.mapped_bytes, totals.data_bytes, totals.stack_bytes,
                    s_.AnonymousRssBytes()};
  for (auto id = s_.space.First(); id != AddressSpace::kNone; id = s_.space.Next(id)) {
    const Mapping& m = s_.space.mapping(id);
    const bool is_inherited = IsInherited(m.traits);
    if (is_inherited && (m.traits.flags & kWipedOnFork) == 0) continue;
    child.rss_anonymous_bytes -= s_.resident.AnonymousPagesIn(m.range()) * s_.resident.os_page_bytes();
    if (is_inherited) continue;
    --child.mapping_count;
    child.vsize_bytes -= m.bytes();
    if (IsData(m.traits)) child.data_bytes -= m.bytes();
    if (GrowsDown(m.traits)) child.stack_bytes -= m.bytes();
  }
  return child;
}

}  // namespace reheap
