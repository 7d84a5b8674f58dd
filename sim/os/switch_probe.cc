#include "sim/os/switch_probe.h"

#include <sys/mman.h>

namespace reheap {
namespace {

// A page without hint goes to the gap nearest to where the search begins, so everything between the two is mapped.
Addr ProbeBase(ProbedProcess& process, uint64_t page, bool upwards) {
  const uint64_t at = process.Map(0, page, PROT_NONE);
  if (at == 0) return Addr();
  uint64_t run_start = 0, run_end = 0, base = 0;  // mappings without a gap between them
  const bool read = process.VisitMappings([&](uint64_t start, uint64_t end) {
    if (start != run_end) run_start = start;
    run_end = end;
    if (start <= at && end > at) base = upwards ? run_start : end;
    if (!upwards && base != 0 && start <= base) base = end;
  });
  process.Unmap(at, page);
  return read ? Addr(base) : Addr();
}

// Two maps of one huge page are both aligned although an odd size lies between them (linux >= 6.7).
uint64_t ProbeHugeAlignment(ProbedProcess& process, uint64_t page) {
  constexpr uint64_t kHuge = 2 * kMiB;
  const uint64_t first = process.Map(0, kHuge, PROT_NONE);
  const uint64_t between = process.Map(0, kHuge + page, PROT_NONE);
  const uint64_t second = process.Map(0, kHuge, PROT_NONE);
  process.Unmap(first, kHuge);
  process.Unmap(between, kHuge + page);
  process.Unmap(second, kHuge);
  return first != 0 && second != 0 && first % kHuge == 0 && second % kHuge == 0 ? kHuge : 0;
}

// Where a hint of one page ends up, unless it is not a raised hint but another place: then `otherwise`.
uint64_t ProbeHintFloor(ProbedProcess& process, uint64_t page, uint64_t otherwise) {
  const uint64_t at = process.Map(page, page, PROT_NONE);
  if (at != 0) process.Unmap(at, page);
  return at != 0 && at <= kMiB ? at : otherwise;
}

// How many mappings `change` leaves of two pages, which have free neighbours.
template <class Change>
int MappingsAfter(ProbedProcess& process, uint64_t page, int protection, Change change) {
  const uint64_t whole = process.Map(0, 4 * page, PROT_NONE);
  if (whole == 0) return 0;
  process.Unmap(whole, 4 * page);
  const uint64_t at = process.Map(whole + page, 2 * page, protection);
  change(at);
  int count = 0;
  process.VisitMappings([&](uint64_t start, uint64_t end) { count += start < at + 2 * page && end > at; });
  process.Unmap(at, 2 * page);
  return count;
}

}  // namespace

absl::Status ProbeCalls(ProbedProcess& process, bool upwards, HostSwitches* host) {
  const uint64_t page = host->os_page_bytes;
  host->placement_base = ProbeBase(process, page, upwards);
  if (!host->placement_base) {
    return absl::UnavailableError("/proc/PID/maps: expected the probed process's mappings, cannot read them");
  }
  host->huge_alignment_bytes = ProbeHugeAlignment(process, page);
  host->hint_floor_bytes = ProbeHintFloor(process, page, host->hint_floor_bytes);
  // Back to no access, never written: one mapping again only where the charge was given back (linux >= 6.5 or
  // so).
  host->protect_uncharges_unwritten = MappingsAfter(process, page, PROT_NONE, [&](uint64_t at) {
                                        process.Protect(at, page, PROT_READ | PROT_WRITE);
                                        process.Protect(at, page, PROT_NONE);
                                      }) == 1;
  // A written page takes its unwritten neighbour's protection: one mapping only on linux 6.18.
  host->written_joins_unwritten = MappingsAfter(process, page, PROT_READ | PROT_WRITE, [&](uint64_t at) {
                                    process.Protect(at + page, page, PROT_WRITE);
                                    process.Write(at);
                                    process.Protect(at, page, PROT_WRITE);
                                  }) == 1;
  // Nothing more may be mapped, so a fixed mapping that needs one page more than it replaces is refused. Where the
  // kernel splits first, two mappings are left of the one (linux >= 6.12).
  host->replace_checks_first = MappingsAfter(process, page, PROT_NONE, [&](uint64_t at) {
                                 process.ForbidGrowth();
                                 process.Map(at + page, 2 * page, PROT_NONE, true);
                                 process.AllowGrowth();
                               }) == 1;
  return absl::OkStatus();
}

}  // namespace reheap
