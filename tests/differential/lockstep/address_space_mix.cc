#include "tests/differential/lockstep/address_space_mix.h"

#include <sys/mman.h>
#include <sys/vfs.h>

#include <algorithm>
#include <vector>

namespace reheap {
namespace {

constexpr uint64_t kNoFile = ~uint64_t{0};
constexpr uint64_t kMostFiles = 6;  // few enough that no descriptor the executor inherited is in the way
constexpr uint64_t kPrivate = MAP_PRIVATE | MAP_ANONYMOUS, kShared = MAP_SHARED | MAP_ANONYMOUS;
constexpr int kFirst = 3;

// Whether files of /tmp are on ext4, xfs or btrfs. Those place them for huge pages (their get_unmapped_area is
// thp_get_unmapped_area, linux 6.12), elsewhere only lengths are mapped for which it makes no difference; and they alone
// look at MAP_SYNC.
bool IsOnDisk() {
  struct statfs info = {};
  if (statfs("/tmp", &info) != 0) return false;
  const auto type = static_cast<uint32_t>(info.f_type);
  return type == 0xef53 || type == 0x58465342 || type == 0x9123683e;
}

Operation MmapOf(AddrRange place, uint64_t protection, uint64_t flags, uint64_t file = kNoFile,
                 uint64_t offset = 0) {
  return {OperationKind::kMmap, 0, {place.start.value(), place.bytes, protection, flags, file, offset}};
}

// Anywhere, or exactly over something.
AddrRange SomePlace(Draw& d, uint64_t* flags) {
  if (d.Chance(60)) return {Addr(d.Hint()), d.Bytes()};
  *flags |= d.Chance(25) ? MAP_FIXED_NOREPLACE : MAP_FIXED;
  return d.Place();
}

// A mapping that grows down and is not the executor's own; none = the stack's place.
AddrRange SomeStack(Draw& d) {
  const AddressSpace& space = d.os().space();
  std::vector<AddrRange> stacks;
  for (auto id = space.First(); id != AddressSpace::kNone; id = space.Next(id)) {
    const Mapping& m = space.mapping(id);
    if (GrowsDown(m.traits) && m.traits.kind != MappingKind::kStack) stacks.push_back(m.range());
  }
  return stacks.empty() ? d.Place(true) : stacks[d.Below(stacks.size())];
}

constexpr uint64_t kMostPopulated = 64 * kMiB;

Operation MremapOf(AddrRange old, uint64_t new_bytes, uint64_t flags, uint64_t to = 0) {
  return {OperationKind::kMremap, 0, {old.start.value(), old.bytes, new_bytes, flags, to}};
}

uint64_t NewBytes(Draw& d, uint64_t old_bytes) {
  switch (d.Below(4)) {
    case 0:
      return old_bytes;
    case 1:
      return old_bytes + d.SmallBytes();
    case 2:
      return old_bytes > Draw::kOsPage ? Draw::kOsPage * (1 + d.Below(old_bytes / Draw::kOsPage)) : Draw::kOsPage;
    default:
      return d.Bytes();
  }
}

}  // namespace

// ---- files ----

Operation MakeFile(Draw& d) {
  if (d.os().file_count() >= kMostFiles) return MmapFile(d);
  const uint64_t bytes = d.OneOf({0, 1, 10 * Draw::kOsPage + 100, 64 * Draw::kOsPage, 4 * kMiB + 5000, 16 * kMiB});
  return {OperationKind::kFile, 0, {bytes, 1}};
}

Operation MmapFile(Draw& d) {
  static const bool on_disk = IsOnDisk();
  uint64_t flags = d.Chance(65) ? MAP_PRIVATE : MAP_SHARED;
  if (d.Chance(4)) flags = MAP_SHARED_VALIDATE;
  AddrRange place = SomePlace(d, &flags);
  if (!on_disk && place.bytes >= kMiB) place.bytes = d.SmallBytes();
  uint64_t file = kFirst + d.Below(std::max<uint64_t>(d.os().file_count(), 1));
  if (d.Chance(2)) file += 20;
  uint64_t offset = Draw::kOsPage * d.Below(d.Chance(80) ? 16 : 3000);
  if (d.Chance(2)) offset = d.OneOf({1, 0x7ffffffffffff000, 0x7fffffffffff8000, ~uint64_t{4095}});
  if (d.Chance(5)) flags |= MAP_NORESERVE;
  const uint64_t sync = on_disk ? MAP_SYNC : 0;
  if (d.Chance(3)) flags |= d.OneOf({MAP_GROWSDOWN, sync, MAP_DENYWRITE, MAP_HUGETLB, 0x200000});
  return MmapOf(place, d.Protection(), flags, file, offset);
}

// ---- memory ----

Operation MmapShared(Draw& d) {
  uint64_t flags = kShared | (d.Chance(10) ? MAP_NORESERVE : 0);
  const AddrRange place = SomePlace(d, &flags);
  return MmapOf(place, d.Protection(), flags);
}

// Bits that mean little here, and kinds of sharing that there are not.
Operation MmapOddFlags(Draw& d) {
  uint64_t flags = kPrivate;
  const AddrRange place = SomePlace(d, &flags);
  if (d.Chance(30)) {
    flags = (flags & ~uint64_t{0xf}) | d.Below(16);
  } else {
    flags |= d.OneOf({MAP_STACK, MAP_STACK, MAP_SYNC, MAP_DENYWRITE, MAP_EXECUTABLE, 0x200, 0x400, 0x800000,
                      0x80000000});
  }
  return MmapOf(place, d.Chance(3) ? 0x18 : d.Protection(), flags);
}

Operation MmapGrowsDown(Draw& d) {
  uint64_t flags = (d.Chance(95) ? kPrivate : kShared) | MAP_GROWSDOWN;
  const AddrRange place = SomePlace(d, &flags);
  return MmapOf(place, d.Protection(), flags);
}

Operation MmapLow(Draw& d) {
  const uint64_t hint = d.Chance(60) ? 0 : d.Hint();
  return MmapOf({Addr(hint), d.Bytes()}, d.Protection(), (d.Chance(80) ? kPrivate : kShared) | MAP_32BIT);
}

Operation TouchBelowStack(Draw& d) {
  const AddrRange stack = SomeStack(d);
  const uint64_t below = d.Chance(80) ? d.Below(64 * Draw::kOsPage) : d.Below(2 * kMiB);
  return {OperationKind::kTouch, 0, {stack.start.value() - 1 - below, 1, 1, d.Below(2)}};
}

Operation ProtectStack(Draw& d) {
  const AddrRange stack = SomeStack(d);
  const uint64_t start = stack.start.value() - Draw::kOsPage * d.Below(3) + Draw::kOsPage * d.Below(3);
  const uint64_t grows = d.Chance(85) ? PROT_GROWSDOWN : d.OneOf({PROT_GROWSUP, PROT_GROWSUP | PROT_GROWSDOWN});
  return {OperationKind::kMprotect, 0, {start, d.SmallBytes(), d.Protection() | grows}};
}

// ---- mremap ----

Operation MremapAnywhere(Draw& d) {
  const AddrRange old = d.Place();
  return MremapOf(old, NewBytes(d, old.bytes), d.Chance(75) ? MREMAP_MAYMOVE : 0);
}

Operation MremapTo(Draw& d) {
  const AddrRange old = d.Place();
  const uint64_t bytes = d.Chance(60) ? old.bytes : NewBytes(d, old.bytes);
  return MremapOf(old, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, d.Place().start.value());
}

Operation MremapKeepingOld(Draw& d) {
  const AddrRange old = d.Place();
  const bool fixed = d.Chance(30);
  const uint64_t to = fixed || d.Chance(50) ? d.Place().start.value() : d.Hint();
  const uint64_t flags = MREMAP_MAYMOVE | MREMAP_DONTUNMAP | (fixed ? MREMAP_FIXED : 0);
  return MremapOf(old, d.Chance(95) ? old.bytes : NewBytes(d, old.bytes), flags, to);
}

// A second view of shared memory, and arguments that are refused.
Operation MremapOdd(Draw& d) {
  AddrRange old = d.Place();
  const uint64_t bytes = NewBytes(d, old.bytes);
  if (d.Chance(60)) old.bytes = 0;
  return MremapOf(old, bytes, d.Chance(80) ? MREMAP_MAYMOVE : d.Below(16), d.Place().start.value());
}

bool IsOddMove(const Operation& operation, const VirtualOs& os) {
  const uint64_t* const a = operation.arguments;
  return operation.kind == OperationKind::kMremap && (a[3] & (MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0 &&
         a[4] < os.platform().placement.hint_floor;
}

bool GrowsLockedTooFar(const Operation& operation, const VirtualOs& os) {
  const uint64_t* const a = operation.arguments;
  if (operation.kind != OperationKind::kMremap || a[2] < a[1] || a[2] - a[1] <= kMostPopulated) return false;
  const AddressSpace::Id id = os.space().Containing(Addr(a[0]));
  return id != AddressSpace::kNone && (os.space().mapping(id).traits.flags & kLocked) != 0;
}

}  // namespace reheap
