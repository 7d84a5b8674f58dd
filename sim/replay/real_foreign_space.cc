#include "sim/replay/real_foreign_space.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

namespace reheap {
namespace {

// The highest address that mmap gives without being asked for more: 2^47 with four levels of page tables on
// x86 (arch/x86/include/asm/page_64_types.h, linux 6.12), 2^48 and more on others.
constexpr uint64_t kLowestUserEnd = (uint64_t{1} << 47) - 4096;

Refusal RefusedBy(int error, OsOperation operation, AddrRange range) {
  Refusal refusal;
  refusal.rule = error == EEXIST ? Rule::kAddressTaken : Rule::kUnknown;
  refusal.operation = operation;
  refusal.os_error = error;
  refusal.asked_bytes = range.bytes;
  refusal.wanted = range.start;
  return refusal;
}

int FlagsOf(const ForeignTraits& traits) {
  if (!traits.flags.shared) {
    return MAP_PRIVATE | MAP_ANONYMOUS | (traits.flags.no_reserve ? MAP_NORESERVE : 0);
  }
  const bool uncharged = traits.flags.file || traits.flags.no_reserve;
  return MAP_SHARED | MAP_ANONYMOUS | (uncharged ? MAP_NORESERVE : 0);
}

void* PointerTo(Addr a) { return reinterpret_cast<void*>(a.value()); }

OsResult<Addr> Map(AddrRange range, const ForeignTraits& traits, int more_flags) {
  void* const got = mmap(PointerTo(range.start), range.bytes, traits.protection, FlagsOf(traits) | more_flags, -1, 0);
  if (got == MAP_FAILED) return RefusedBy(errno, OsOperation::kMapReady, range);
  return Addr(reinterpret_cast<uint64_t>(got));
}

OsResult<Done> DoneOr(int result, OsOperation operation, AddrRange range) {
  if (result == 0) return Done();
  return RefusedBy(errno, operation, range);
}

}  // namespace

uint64_t RealForeignSpace::os_page_bytes() const { return static_cast<uint64_t>(sysconf(_SC_PAGESIZE)); }

OsResult<Done> RealForeignSpace::MapAt(AddrRange range, const ForeignTraits& traits) {
  if (range.end().value() > kLowestUserEnd) {
    Refusal refusal = RefusedBy(ENOMEM, OsOperation::kMapReady, range);
    refusal.rule = Rule::kOutOfUserRange;
    return refusal;
  }
  const OsResult<Addr> got = Map(range, traits, MAP_FIXED_NOREPLACE);
  if (!got.ok()) return got.refusal();
  return Done();
}

OsResult<Addr> RealForeignSpace::MapAnywhere(uint64_t bytes, const ForeignTraits& traits) {
  return Map({Addr(), bytes}, traits, 0);
}

OsResult<Done> RealForeignSpace::MapOver(AddrRange range, const ForeignTraits& traits) {
  const OsResult<Addr> got = Map(range, traits, MAP_FIXED);
  if (!got.ok()) return got.refusal();
  return Done();
}

OsResult<Done> RealForeignSpace::Unmap(AddrRange range) {
  return DoneOr(munmap(PointerTo(range.start), range.bytes), OsOperation::kRelease, range);
}

OsResult<Done> RealForeignSpace::Protect(AddrRange range, int protection) {
  return DoneOr(mprotect(PointerTo(range.start), range.bytes, protection), OsOperation::kCommit, range);
}

OsResult<Done> RealForeignSpace::Discard(AddrRange range) {
  return DoneOr(madvise(PointerTo(range.start), range.bytes, MADV_DONTNEED), OsOperation::kDiscard, range);
}

OsResult<Done> RealForeignSpace::MoveBreak(int64_t step_bytes) {
  if (sbrk(static_cast<intptr_t>(step_bytes)) != reinterpret_cast<void*>(-1)) return Done();
  const uint64_t asked_bytes = step_bytes > 0 ? static_cast<uint64_t>(step_bytes) : 0;
  return RefusedBy(errno, OsOperation::kMapReady, {Addr(), asked_bytes});
}

}  // namespace reheap
