#include "tests/differential/lockstep/huge_page_mix.h"

#include <sys/mman.h>

namespace reheap {
namespace {

// The place of a mapping that is long enough to hold a huge page, if one of a few draws finds it.
AddrRange LongPlace(Draw& d) {
  AddrRange place = d.Place(true);
  for (int i = 0; i < 6 && place.bytes < Draw::kHuge; ++i) place = d.Place(true);
  return place;
}

}  // namespace

Operation MmapForHugePages(Draw& d) {
  const uint64_t bytes = Draw::kHuge * (1 + d.Below(3)) + (d.Chance(60) ? 0 : Draw::kOsPage * d.Below(600));
  const uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS | (d.Chance(10) ? MAP_NORESERVE : 0);
  return {OperationKind::kMmap, 0, {d.Hint(), bytes, d.Chance(85) ? 3u : d.Protection(), flags, ~uint64_t{0}, 0}};
}

Operation AdviseHugePages(Draw& d) {
  const AddrRange place = LongPlace(d);
  return {OperationKind::kMadvise, 0,
          {place.start.value(), place.bytes, d.Chance(85) ? uint64_t{MADV_HUGEPAGE} : MADV_NOHUGEPAGE}};
}

Operation TouchHugePages(Draw& d) {
  const AddrRange place = LongPlace(d);
  const uint64_t start = place.start.value() + d.Below(place.bytes < Draw::kHuge ? 1 : 512) * Draw::kOsPage;
  return {OperationKind::kTouch, 0, {start, 1 + d.Below(4), Draw::kHuge - d.Below(2) * 5000, d.Below(3) != 0}};
}

Operation CutHugePages(Draw& d) {
  const AddrRange place = LongPlace(d);
  const uint64_t at = place.start.value() + d.Below(700) * Draw::kOsPage;
  const uint64_t bytes = d.Chance(70) ? d.SmallBytes() : Draw::kHuge * (1 + d.Below(2));
  if (d.Chance(20)) return {OperationKind::kMprotect, 0, {at, bytes, d.Protection()}};
  if (d.Chance(20)) {
    const uint64_t from = RoundUp(place.start.value(), Draw::kHuge), to = LongPlace(d).start.value() + 3 * Draw::kHuge;
    const uint64_t length = Draw::kHuge * (1 + d.Below(2));
    const uint64_t odd = d.Below(3) * Draw::kOsPage;
    return {OperationKind::kMremap, 0, {from, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, RoundUp(to, Draw::kHuge) + odd}};
  }
  return {OperationKind::kMadvise, 0,
          {at, bytes, d.OneOf({MADV_DONTNEED, MADV_FREE, MADV_COLD, 23 /* MADV_POPULATE_WRITE */})}};
}

bool MovesPartOfAHugePage(const Operation& operation, const VirtualOs& os) {
  const uint64_t* const a = operation.arguments;
  if (operation.kind != OperationKind::kMremap || a[0] + a[1] < a[0]) return false;
  const bool has_place = (a[3] & MREMAP_FIXED) != 0;
  const uint64_t distance = has_place ? a[4] - a[0] : 1;  // unknown
  return os.resident().TakesFoliosApart({RoundDown(Addr(a[0]), Draw::kOsPage), RoundUp(a[1], Draw::kOsPage)}, distance);
}

bool SplitsBesideLockedMemory(const Operation& operation, const VirtualOs& os) {
  const uint64_t* const a = operation.arguments;
  const bool splits = operation.kind == OperationKind::kMadvise && (a[2] == MADV_FREE || a[2] == MADV_COLD);
  if (!splits || os.limits().thp == HugePageMode::kNever || a[0] + a[1] < a[0]) return false;
  const AddressSpace& space = os.space();
  const Addr end(RoundUp(a[0] + a[1], Draw::kHuge));
  for (auto id = space.FirstEndingAbove(RoundDown(Addr(a[0]), Draw::kHuge));
       id != AddressSpace::kNone && space.mapping(id).start < end; id = space.Next(id)) {
    if (space.mapping(id).traits.flags & kLocked) return true;
  }
  return false;
}

}  // namespace reheap
