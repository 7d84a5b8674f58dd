#include "tests/differential/lockstep/operation_mix.h"

#include <sys/mman.h>

#include <algorithm>

#include "tests/differential/lockstep/address_space_mix.h"
#include "tests/differential/lockstep/huge_page_mix.h"

namespace reheap {
namespace {

constexpr uint64_t kPrivate = MAP_PRIVATE | MAP_ANONYMOUS;
constexpr uint64_t kNoFile = ~uint64_t{0};

Operation MmapOf(uint64_t addr, uint64_t bytes, uint64_t protection, uint64_t flags) {
  return {OperationKind::kMmap, 0, {addr, bytes, protection, flags, kNoFile, 0}};
}

Operation MmapAnywhere(Draw& d) { return MmapOf(d.Hint(), d.Bytes(), d.Protection(), kPrivate); }
Operation MmapNoReserve(Draw& d) {
  return MmapOf(d.Hint(), d.Bytes(), d.Protection(), kPrivate | MAP_NORESERVE);
}
Operation MmapFixed(Draw& d) {
  const AddrRange place = d.Place();
  const uint64_t flags = kPrivate | MAP_FIXED | (d.Chance(15) ? MAP_NORESERVE : 0);
  return MmapOf(place.start.value(), place.bytes, d.Protection(), flags);
}
Operation MmapNoReplace(Draw& d) {
  const AddrRange place = d.Place();
  return MmapOf(place.start.value(), place.bytes, d.Protection(), kPrivate | MAP_FIXED_NOREPLACE);
}
// Neither private nor shared, or no kind of memory that there is.
Operation MmapBadFlags(Draw& d) {
  return MmapOf(d.Hint(), d.Bytes(), d.Protection(), d.Chance(50) ? MAP_ANONYMOUS : kPrivate | MAP_SHARED);
}

Operation Munmap(Draw& d) {
  if (d.os().space().count() > d.most_mappings()) {
    // All that lies between two places.
    const Addr a = d.Place(true).start, b = d.Place(true).start;
    return {OperationKind::kMunmap, 0, {std::min(a, b).value(), std::max(a, b) - std::min(a, b)}};
  }
  const AddrRange place = d.Place();
  return {OperationKind::kMunmap, 0, {place.start.value(), place.bytes}};
}

Operation Mprotect(Draw& d) {
  const AddrRange place = d.Place();
  const uint64_t protection = d.Chance(2) ? 0x20 : d.Protection();
  return {OperationKind::kMprotect, 0, {place.start.value(), place.bytes, protection}};
}

Operation Discard(Draw& d) {
  const AddrRange place = d.Place();
  return {OperationKind::kMadvise, 0, {place.start.value(), place.bytes, MADV_DONTNEED}};
}
// Every other word, most often one that changes what is resident or splits mappings. MADV_COLLAPSE is left out: it is
// not modelled for shared memory; MADV_PAGEOUT, since it passes over pages that another processor has just added. Words
// of failing memory (100, 101) depend on how the kernel was built.
Operation Advice(Draw& d) {
  const AddrRange place = d.Place();
  const uint64_t word =
      d.OneOf({MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_FREE, MADV_FREE, MADV_REMOVE, MADV_DONTFORK,
               MADV_DOFORK, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DODUMP, MADV_WIPEONFORK, MADV_KEEPONFORK,
               MADV_COLD, 24 /* MADV_DONTNEED_LOCKED */});
  return {OperationKind::kMadvise, 0, {place.start.value(), place.bytes, word}};
}
// Words that make something of each OS page: of few.
Operation AdviceByPage(Draw& d) {
  const uint64_t word = d.OneOf({22 /* MADV_POPULATE_READ */, 23 /* MADV_POPULATE_WRITE */,
                                 102 /* MADV_GUARD_INSTALL */, 103 /* MADV_GUARD_REMOVE */});
  return {OperationKind::kMadvise, 0, {d.Place(true).start.value(), d.SmallBytes(), word}};
}
Operation MmapPopulated(Draw& d) {
  const uint64_t flags = kPrivate | MAP_POPULATE | (d.Chance(30) ? MAP_LOCKED : 0);
  return MmapOf(0, d.SmallBytes(), d.Protection(), flags);
}
Operation Mlock(Draw& d) { return {OperationKind::kMlock, 0, {d.Place().start.value(), d.SmallBytes()}}; }
Operation Munlock(Draw& d) {
  const AddrRange place = d.Place();
  return {OperationKind::kMunlock, 0, {place.start.value(), place.bytes}};
}
Operation BadAdvice(Draw& d) {
  const AddrRange place = d.Place();
  return {OperationKind::kMadvise, 0, {place.start.value(), place.bytes, 99}};
}

Operation TouchOf(Draw& d, bool write) {
  const AddrRange place = d.Place();
  const uint64_t stride = d.OneOf({Draw::kOsPage, Draw::kOsPage, Draw::kOsPage, 1000, 3 * Draw::kOsPage});
  return {OperationKind::kTouch, 0, {place.start.value(), 1 + d.Below(6), stride, write}};
}
Operation TouchRead(Draw& d) { return TouchOf(d, false); }
Operation TouchWrite(Draw& d) { return TouchOf(d, true); }
// Below the stack, which grows to there or not.
Operation GrowStack(Draw& d) {
  const AddressSpace& space = d.os().space();
  const uint64_t below = d.Chance(80) ? d.Below(64 * Draw::kOsPage) : d.Below(16 * kMiB);
  return {OperationKind::kTouch, 0, {space.mapping(space.Last()).start.value() - 1 - below, 1, 1, 1}};
}

// Hardly ever below where it was, which is refused.
Operation Brk(Draw& d) {
  const uint64_t first = d.first_break().value(), used = d.os().program_break().value() - first;
  const uint64_t room = d.word_mask() == 0xffffffff ? 64 * kMiB : kTiB;
  const uint64_t target = d.Chance(40) ? d.Below(used + 1) : used + d.Below(d.Chance(90) ? 16 * kMiB : room);
  return {OperationKind::kBrk, 0, {d.Chance(3) ? first - d.Below(Draw::kHuge) : first + target}};
}

Operation LimitOf(Draw& d, uint64_t resource, uint64_t now_bytes) {
  const uint64_t slack = d.Chance(70) ? d.Below(64 * Draw::kOsPage) : d.Below(8 * kMiB);
  return {OperationKind::kRlimit, 0, {resource, d.Chance(50) ? kNoLimit : now_bytes + slack}};
}
Operation LimitAddress(Draw& d) {
  return LimitOf(d, kResourceAddress, d.os().space().totals().mapped_bytes);
}
Operation LimitData(Draw& d) { return LimitOf(d, kResourceData, d.os().space().totals().data_bytes); }
Operation LimitStack(Draw& d) {
  const AddressSpace& space = d.os().space();
  return LimitOf(d, kResourceStack, space.mapping(space.Last()).bytes());
}

// A few small mappings: what is sealed stays for good.
Operation Mseal(Draw& d) {
  const AddrRange place = d.Place();
  const uint64_t bytes = d.Chance(90) ? d.SmallBytes() : d.Bytes();
  return {OperationKind::kMseal, 0, {place.start.value(), bytes, d.Chance(4) ? 1 + d.Below(7) : 0}};
}
// The kernel's own data may be read for good.
Operation ProtectKernelData(Draw& d) {
  const AddressSpace& space = d.os().space();
  for (auto id = space.First(); id != AddressSpace::kNone; id = space.Next(id)) {
    const Mapping& m = space.mapping(id);
    if ((m.traits.flags & kReadForGood) == 0) continue;
    const uint64_t bytes = d.Chance(50) ? m.bytes() : Draw::kOsPage;
    return {OperationKind::kMprotect, 0, {m.start.value(), bytes, d.OneOf({1, 2, 3, 4, 5, 7})}};
  }
  return Mprotect(d);
}
Operation Fork(Draw&) { return {OperationKind::kFork, 0, {}}; }

constexpr MixRow kMix[] = {
    {"mmap anywhere", 14, &MmapAnywhere},
    {"mmap no-reserve", 3, &MmapNoReserve},
    {"mmap fixed", 9, &MmapFixed},
    {"mmap no-replace", 4, &MmapNoReplace},
    {"mmap bad flags", 1, &MmapBadFlags, false, true},
    {"munmap", 10, &Munmap},
    {"mprotect", 16, &Mprotect},
    {"discard", 7, &Discard},
    {"advice", 8, &Advice},
    {"advice by OS page", 4, &AdviceByPage},
    {"bad advice", 1, &BadAdvice, false, true},
    {"mmap populated", 2, &MmapPopulated, true, false},
    {"mlock", 3, &Mlock},
    {"munlock", 3, &Munlock},
    {"touch to read", 6, &TouchRead},
    {"touch to write", 12, &TouchWrite},
    {"grow the stack", 2, &GrowStack},
    {"brk", 5, &Brk, true, false},  // an old break is no errno
    {"make a file", 1, &MakeFile, true, false},
    {"mmap a file", 6, &MmapFile},
    {"mmap shared memory", 4, &MmapShared},
    {"mmap odd flags", 3, &MmapOddFlags},
    {"mmap growing down", 3, &MmapGrowsDown},
    {"mmap low", 2, &MmapLow},
    {"touch below a stack", 2, &TouchBelowStack},
    {"mprotect a stack", 2, &ProtectStack},
    {"mremap anywhere", 7, &MremapAnywhere},
    {"mremap to a place", 6, &MremapTo},
    {"mremap keeping the old", 3, &MremapKeepingOld},
    {"mremap odd", 2, &MremapOdd},
    {"mmap for huge pages", 3, &MmapForHugePages},
    {"advise huge pages", 4, &AdviseHugePages},
    {"touch huge pages", 4, &TouchHugePages},
    {"cut huge pages", 3, &CutHugePages},
    {"fork", 1, &Fork, true, false},
    {"mseal", 1, &Mseal},
    {"protect the kernel's data", 1, &ProtectKernelData, true, true},
    {"limit address space", 3, &LimitAddress, true, false},
    {"limit data", 3, &LimitData, true, false},
    {"limit stack", 1, &LimitStack, true, false},
};

// Where what the kernel answers to a fixed place is not the model's to know:
// - below the hint floor it depends on CAP_SYS_RAWIO (cap_mmap_addr, security/commoncap.c, linux 6.12);
// - in the last 4095 bytes of all it takes the place for an error number and answers that (IS_ERR_VALUE in
//   __get_unmapped_area, mm/mmap.c, linux 6.12): mmap(-1, ...) is EPERM.
bool IsOddFixedPlace(const Operation& operation, const VirtualOs& os) {
  return operation.kind == OperationKind::kMmap &&
         (operation.arguments[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0 &&
         (operation.arguments[0] >= ~uint64_t{0} - 4094 ||
          operation.arguments[0] < os.platform().placement.hint_floor);
}

// How far into a file a hole may be made is its file system's to say (s_maxbytes, vfs_fallocate, fs/open.c, linux 6.12:
// EFBIG). A hole before its end leaves nothing in memory there to be mapped around an access beyond the end.
bool IsRemovalFarIntoAFile(const Operation& operation, const VirtualOs& os) {
  const uint64_t* const a = operation.arguments;
  if (operation.kind != OperationKind::kMadvise || a[2] != MADV_REMOVE) return false;
  const AddressSpace& space = os.space();
  for (auto id = space.FirstEndingAbove(Addr(a[0])); id != AddressSpace::kNone; id = space.Next(id)) {
    const Mapping& m = space.mapping(id);
    if (m.traits.kind != MappingKind::kFile || m.start >= Addr(a[0]) + a[1]) continue;
    const uint64_t end = std::min(m.end, Addr(a[0]) + a[1]).value() - m.traits.origin;
    const uint64_t file_bytes = os.space().objects()[m.traits.object].bytes;
    if (end > kTiB || end + 2 * os.platform().pages.fault_around_bytes > file_bytes) return true;
  }
  return false;
}

// A read beyond the end of a file: which of the pages before it are in memory, and mapped around, is the file system's
// affair, and with it whether there is a page table after the signal. A write maps nothing around.
bool ReadsBeyondAFile(const Operation& operation, const VirtualOs& os) {
  const uint64_t* const a = operation.arguments;
  AddrRange range{Addr(a[0]), a[1]};
  switch (operation.kind) {
    case OperationKind::kTouch:
      if (a[3] != 0) return false;
      range.bytes = a[1] * a[2] + 1;
      break;
    case OperationKind::kMadvise:
      if (a[2] != 22 /* MADV_POPULATE_READ */) return false;
      break;
    case OperationKind::kMlock:
    case OperationKind::kMremap:  // of what is locked
      break;
    default:
      return false;
  }
  if (range.end() < range.start) return false;
  const AddressSpace& space = os.space();
  for (auto id = space.FirstEndingAbove(range.start);
       id != AddressSpace::kNone && space.mapping(id).start < range.end(); id = space.Next(id)) {
    const Mapping& m = space.mapping(id);
    if (m.traits.kind != MappingKind::kFile || m.traits.object == MemoryObjects::kNone) continue;
    if (operation.kind == OperationKind::kMremap) {
      if (m.traits.flags & kLocked) return true;
      continue;
    }
    const uint64_t file_end = m.traits.origin + RoundUp(space.objects()[m.traits.object].bytes, Draw::kOsPage);
    if (std::min(m.end, RoundUp(range.end(), Draw::kOsPage)).value() - file_end - 1 < uint64_t{1} << 62) return true;
  }
  return false;
}

unsigned TotalWeight() {
  unsigned sum = 0;
  for (const MixRow& row : kMix) sum += row.weight;
  return sum;
}

}  // namespace

std::span<const MixRow> OperationMix() { return kMix; }

Operation DrawOperation(Draw& draw, size_t* row) {
  static const unsigned total = TotalWeight();
  for (;;) {
    unsigned at = static_cast<unsigned>(draw.Below(total));
    *row = 0;
    while (at >= kMix[*row].weight) at -= kMix[(*row)++].weight;
    Operation operation = kMix[*row].draw(draw);
    for (uint64_t& argument : operation.arguments) {
      // A limit stays one of 64 bits, no file stays no file (-1).
      if (operation.kind != OperationKind::kRlimit) argument &= draw.word_mask();
    }
    if (!draw.guard().Harms(operation) && !IsOddFixedPlace(operation, draw.os()) &&
        !IsOddMove(operation, draw.os()) && !GrowsLockedTooFar(operation, draw.os()) &&
        !IsRemovalFarIntoAFile(operation, draw.os()) && !MovesPartOfAHugePage(operation, draw.os()) &&
        !SplitsBesideLockedMemory(operation, draw.os()) && !ReadsBeyondAFile(operation, draw.os())) {
      return operation;
    }
  }
}

}  // namespace reheap
