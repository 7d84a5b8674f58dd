#include "sim/os/switch_probe.h"

#include <errno.h>
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

// How many mappings `make` leaves in three pages, which have free neighbours.
template <class Make>
int MappingsOf(ProbedProcess& process, uint64_t page, Make make) {
  const uint64_t whole = process.Map(0, 5 * page, PROT_NONE);
  if (whole == 0) return 0;
  process.Unmap(whole, 5 * page);
  const uint64_t at = whole + page, end = at + 3 * page;
  make(at);
  int count = 0;
  process.VisitMappings([&](uint64_t start, uint64_t stop) { count += start < end && stop > at; });
  process.Unmap(at, 3 * page);
  return count;
}

// How many mappings `change` leaves of two pages.
template <class Change>
int MappingsAfter(ProbedProcess& process, uint64_t page, int protection, Change change) {
  return MappingsOf(process, page, [&](uint64_t at) {
    process.Map(at, 2 * page, protection);
    change(at);
  });
}

// A page that was never written, one that was, with room for a new one between.
bool ProbeNextFirst(ProbedProcess& process, uint64_t page) {
  return MappingsOf(process, page, [&](uint64_t at) {
           process.Map(at + 2 * page, page, PROT_READ | PROT_WRITE, true);
           process.Write(at + 2 * page);
           process.Map(at, page, PROT_READ | PROT_WRITE, true);
           process.Map(at + page, page, PROT_READ | PROT_WRITE, true);
         }) == 2;
}

// What becomes of a copy between its source, which stays, and another mapping.
BesideSource ProbeBesideSource(ProbedProcess& process, uint64_t page) {
  constexpr int kKeepOld = MREMAP_MAYMOVE | MREMAP_FIXED | 4 /* MREMAP_DONTUNMAP */;
  const int count = MappingsOf(process, page, [&](uint64_t at) {
    process.Map(at, page, PROT_READ | PROT_WRITE, true);
    process.Map(at + 2 * page, page, PROT_READ | PROT_WRITE, true);
    process.Remap(at, page, kKeepOld, at + page);
  });
  return count == 3   ? BesideSource::kJoinsNothing
         : count == 2 ? BesideSource::kJoinsOthers
                      : BesideSource::kJoinsSource;
}

// Nothing is mapped there, and the new place is no page's.
bool ProbeLooksFirst(ProbedProcess& process, uint64_t page) {
  const uint64_t at = process.Map(0, page, PROT_NONE);
  process.Unmap(at, page);
  return process.Remap(at, page, MREMAP_MAYMOVE | MREMAP_FIXED, at + 4 * page + 1) == EFAULT;
}

bool ProbeGuards(ProbedProcess& process, uint64_t page) {
  const uint64_t at = process.Map(0, page, PROT_READ | PROT_WRITE);
  const int error = process.Advise(at, page, 102 /* MADV_GUARD_INSTALL */);
  process.Unmap(at, page);
  return error == 0;
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
  host->new_joins_next_first = ProbeNextFirst(process, page);
  host->beside_source = ProbeBesideSource(process, page);
  host->remap_looks_first = ProbeLooksFirst(process, page);
  host->has_guards = ProbeGuards(process, page);
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
