// WindowsRequestSource: random requests for the lockstep with Wine, most of them meaningful: they go by what
// the model has reserved, and never touch the regions that the executor itself lives on.
//
// Borrows the model. Threads: one. The same seed and answers give the same requests.
#ifndef REHEAP_TESTS_DIFFERENTIAL_WINE_WINDOWS_REQUEST_SOURCE_H_
#define REHEAP_TESTS_DIFFERENTIAL_WINE_WINDOWS_REQUEST_SOURCE_H_

#include <algorithm>
#include <random>
#include <vector>

#include "sim/os/virtual_os.h"
#include "tests/differential/wine/windows_process.h"

namespace reheap {

class WindowsRequestSource {
 public:
  WindowsRequestSource(uint64_t seed, const VirtualOs* os) : random_(seed), os_(os) {
    for (auto id = os->space().First(); id != AddressSpace::kNone; id = os->space().Next(id)) {
      image_.push_back(os->space().mapping(id).range());
    }
  }

  WindowsRequest Next() {
    WindowsRequest r = Draw();
    while (TouchesImage(r)) r = Draw();
    return r;
  }

 private:
  static constexpr uint64_t kPage = 4096, kGranule = 65536;
  // An open window that neither Wine nor its host uses.
  static constexpr uint64_t kWindow = 0x30000000, kWindowBytes = 0x30000000;

  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Chance(int percent) { return Below(100) < static_cast<uint64_t>(percent); }
  template <class T>
  T OneOf(std::initializer_list<T> values) {
    return *(values.begin() + Below(values.size()));
  }

  uint64_t Bytes() {
    switch (Below(8)) {
      case 0:
        return 1 + Below(3 * kPage);
      case 1:
        return kGranule * (1 + Below(4)) + OneOf<uint64_t>({0, 1, kPage, kGranule - 1, kGranule - kPage});
      case 2:
        return Chance(90) ? kPage : OneOf<uint64_t>({0, ~uint64_t{0}, 0x7fffffff0000, uint64_t{1} << 47});
      default:
        return kPage * (1 + Below(40));
    }
  }

  // In, around or between the model's reservations, else in the open.
  void Place(WindowsRequest* r) {
    r->bytes = Bytes();
    std::vector<Mapping> ours;
    for (auto id = os_->space().First(); id != AddressSpace::kNone; id = os_->space().Next(id)) {
      const Mapping& m = os_->space().mapping(id);
      if (m.traits.kind == MappingKind::kAnonymous) ours.push_back(m);
    }
    if (ours.empty() || Chance(8)) {
      r->addr = Chance(90) ? kWindow + kPage * Below(kWindowBytes / kPage)
                           : OneOf<uint64_t>({0, 1, 0x1000, 0xffff, 0x7fffffff0000, 0x7ffffffeffff,
                                              ~uint64_t{0xfff}, uint64_t{1} << 63});
      return;
    }
    const Mapping m = ours[Below(ours.size())];
    const uint64_t pages = m.bytes() / kPage;
    switch (Below(6)) {
      case 0:
        r->addr = m.start.value();
        r->bytes = m.bytes();
        break;
      case 1:
        r->addr = m.traits.origin;
        r->bytes = Chance(50) ? 0 : m.end.value() - m.traits.origin;
        break;
      case 2:
        r->addr = m.start.value() - kPage * Below(4);
        r->bytes = m.bytes() + kPage * Below(8);
        break;
      default:
        r->addr = m.start.value() + kPage * Below(pages);
        r->bytes = kPage * (1 + Below(pages));
        break;
    }
    if (Chance(10)) r->addr += OneOf<uint64_t>({1, 0x7ff, 0xfff});
    if (Chance(10)) r->bytes += OneOf<uint64_t>({1, 0xfff, ~uint64_t{0}});
    if (Chance(1)) r->bytes = ~uint64_t{0} - Below(kPage);
  }

  uint32_t Protection() {
    const uint32_t kind =
        OneOf<uint32_t>({kPageNoAccess, kPageReadOnly, kPageReadWrite, kPageReadWrite, kPageReadWrite,
                         kPageExecute, kPageExecuteRead, kPageExecuteReadWrite});
    if (Chance(85)) return kind;
    if (Chance(50)) return kind | kPageGuard;
    return OneOf<uint32_t>({0, 3, kPageWriteCopy, kPageExecuteWriteCopy, kPageGuard, 0x41, 0x1004, 0x80000000,
                            kPageNoAccess | kPageGuard, kPageReadWrite | kPageNoCache, kPageReadWrite | 0x300,
                            kPageReadOnly | kPageWriteCombine, kPageNoAccess | kPageNoCache});
  }

  uint32_t AllocationType() {
    if (Chance(94)) {
      return OneOf<uint32_t>(
          {kMemReserve, kMemCommit, kMemCommit, kMemCommit, kMemReserve | kMemCommit, kMemReset});
    }
    return OneOf<uint32_t>({0, kMemDecommit, kMemRelease, kMemCommit | 1, kMemTopDown,
                            kMemReserve | kMemWriteWatch, kMemCommit | kMemWriteWatch,
                            kMemCommit | kMemTopDown, kMemReserve | kMemTopDown, kMemReset | kMemCommit,
                            kMemResetUndo, kMemResetUndo | kMemCommit, kMemPhysical,
                            kMemReserve | kMemPhysical, kMemLargePages,
                            kMemLargePages | kMemCommit | kMemReserve, 0x40000, 0x800000});
  }

  WindowsRequest Draw() {
    WindowsRequest r;
    Place(&r);
    const uint64_t what = Below(100);
    if (what < 40) {
      r.call = WindowsRequest::kAlloc;
      r.type = AllocationType();
      r.protection = Protection();
      const bool anywhere = (r.type & kMemReserve) != 0 ? Chance(60) : Chance(5);
      if (anywhere) {
        r.addr = 0;
        r.bytes = Bytes();
      }
    } else if (what < 60) {
      r.call = WindowsRequest::kFree;
      r.type = Chance(70) ? kMemDecommit : kMemRelease;
      if (Chance(4))
        r.type = OneOf<uint32_t>({0, kMemDecommit | kMemRelease, kMemCommit, 0x10000, kMemRelease | 1});
      if (r.type == kMemRelease && Chance(90)) r.bytes = 0;
    } else if (what < 75) {
      r.call = WindowsRequest::kProtect;
      r.protection = Protection();
    } else if (what < 90) {
      r.call = WindowsRequest::kQuery;
    } else {
      r.call = Chance(50) ? WindowsRequest::kRead : WindowsRequest::kWrite;
      // Higher up there is memory of Wine's host, of which neither side knows.
      if (r.addr >= kWindow + kWindowBytes) r.call = WindowsRequest::kQuery;
    }
    return r;
  }

  // Also those that only come near: Wine keeps views of its own in granules.
  bool TouchesImage(const WindowsRequest& r) const {
    if (r.call == WindowsRequest::kAlloc && r.addr == 0) return false;
    const uint64_t bytes = std::max<uint64_t>(r.bytes, kPage);
    if (r.addr + bytes < r.addr) return false;
    const AddrRange range{Addr(r.addr / kGranule * kGranule), bytes + kGranule};
    return std::any_of(image_.begin(), image_.end(),
                       [&](const AddrRange& image) { return image.Overlaps(range); });
  }

  std::mt19937_64 random_;
  const VirtualOs* const os_;
  std::vector<AddrRange> image_;
};

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_WINE_WINDOWS_REQUEST_SOURCE_H_
