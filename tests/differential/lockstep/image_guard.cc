#include "tests/differential/lockstep/image_guard.h"

#include <sys/mman.h>

#include <algorithm>

namespace reheap {
namespace {

constexpr uint64_t kOsPage = 4096;

}  // namespace

ImageGuard::ImageGuard(const VirtualOs& os) {
  for (auto id = os.space().First(); id != AddressSpace::kNone; id = os.space().Next(id)) {
    const Mapping& m = os.space().mapping(id);
    image_.push_back(m.range());
    if (m.traits.flags & kReadForGood) kernel_data_.push_back(m.range());
  }
}

bool ImageGuard::Touches(uint64_t addr, uint64_t bytes) const {
  // Around the end of all addresses, also for a 32-bit process: refused before anything is done.
  if (addr + bytes < addr) return false;
  return std::any_of(image_.begin(), image_.end(), [&](AddrRange range) {
    return range.Overlaps({Addr(RoundDown(addr, kOsPage)), bytes + kOsPage});
  });
}

// It stays readable, or the kernel refuses.
bool ImageGuard::IsKernelDataKept(const uint64_t* mprotect) const {
  const AddrRange range{Addr(mprotect[0]), mprotect[1]};
  return (mprotect[2] & 7) != 0 && std::any_of(kernel_data_.begin(), kernel_data_.end(),
                                               [&](AddrRange data) { return data.Contains(range); });
}

bool ImageGuard::Harms(const Operation& operation) const {
  const uint64_t* const a = operation.arguments;
  switch (operation.kind) {
    case OperationKind::kMmap:
      return (a[3] & MAP_FIXED) != 0 && (a[3] & MAP_FIXED_NOREPLACE) == 0 && Touches(a[0], a[1]);
    case OperationKind::kMremap:
      return Touches(a[0], std::max(a[1], a[2])) || ((a[3] & MREMAP_FIXED) != 0 && Touches(a[4], a[2]));
    case OperationKind::kMunmap:
    case OperationKind::kMadvise:
    case OperationKind::kMlock:
    case OperationKind::kMunlock:
    case OperationKind::kMseal:
      return Touches(a[0], a[1]);
    case OperationKind::kMprotect:
      return Touches(a[0], a[1]) && !IsKernelDataKept(a);
    case OperationKind::kTouch:
      return Touches(a[0], a[1] * a[2]);
    default:
      return false;
  }
}

}  // namespace reheap
