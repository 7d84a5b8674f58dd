// KnownDifference: where Wine 8.0 answers otherwise than Windows, as data: what, when it shows, and the
// source that says what Windows does.
//
// The model answers as Windows. A difference that none of these rows explains fails the lockstep test, and so
// does a row that explained nothing.
//
// Values: no ownership, any thread.
#ifndef REHEAP_TESTS_DIFFERENTIAL_WINE_KNOWN_DIFFERENCES_H_
#define REHEAP_TESTS_DIFFERENTIAL_WINE_KNOWN_DIFFERENCES_H_

#include <vector>

#include "sim/os/page_protection.h"
#include "tests/differential/wine/windows_process.h"

namespace reheap {

struct KnownDifference {
  const char* what;
  const char* source;
  bool (*explains)(const WindowsRequest& r, const WindowsAnswer& windows, const WindowsAnswer& wine);
};

inline bool TakesProtection(const WindowsRequest& r) {
  return r.call == WindowsRequest::kAlloc || r.call == WindowsRequest::kProtect;
}

inline const std::vector<KnownDifference>& KnownDifferences() {
  using R = WindowsRequest;
  using A = WindowsAnswer;
  static const std::vector<KnownDifference> differences = {
      {"freeing what is not reserved: 487 on Windows, 87 on Wine",
       "NtFreeVirtualMemory, ntoskrnl/mm/ARM3/virtual.c, ReactOS: STATUS_MEMORY_NOT_ALLOCATED",
       [](const R& r, const A& windows, const A& wine) {
         return r.call == R::kFree && windows.error == 487 && wine.error == 87;
       }},
      {"protecting what is not reserved, or two reservations: 487 on Windows, 87 on Wine",
       "MiProtectVirtualMemory, ntoskrnl/mm/ARM3/virtual.c, ReactOS: STATUS_CONFLICTING_ADDRESSES",
       [](const R& r, const A& windows, const A& wine) {
         return r.call == R::kProtect && windows.error == 487 && wine.error == 87;
       }},
      {"protecting 0 bytes: 87 on Windows; Wine protects the page",
       "NtProtectVirtualMemory, ntoskrnl/mm/ARM3/virtual.c, ReactOS: STATUS_INVALID_PARAMETER_3",
       [](const R& r, const A& windows, const A&) {
         return r.call == R::kProtect && r.bytes == 0 && windows.error == 87;
       }},
      {"modifiers that exclude one another, or PAGE_NOACCESS, and unknown bits: 87 on Windows; Wine ignores "
       "them",
       "MiMakeProtectionMask, ntoskrnl/mm/ARM3/section.c, ReactOS; Microsoft, Memory Protection Constants",
       [](const R& r, const A& windows, const A& wine) {
         return TakesProtection(r) && !IsValidProtection(r.protection) && windows.error == 87 &&
                wine.error == 0;
       }},
      {"a protection that does not fit, of pages that do not either: 87 on Windows; Wine looks at the pages "
       "first, 487",
       "NtAllocateVirtualMemory and MiProtectVirtualMemory, ntoskrnl/mm/ARM3/virtual.c, ReactOS",
       [](const R& r, const A& windows, const A& wine) {
         const bool is_bad = !IsValidProtection(r.protection) || IsCopyOnWrite(r.protection);
         return TakesProtection(r) && is_bad && windows.error == 87 && wine.error == 487;
       }},
      {"reserved regions: one on Windows; Wine remembers how decommitted pages were protected and tells them "
       "apart",
       "MiQueryMemoryBasicInformation, ntoskrnl/mm/ARM3/virtual.c, ReactOS: state and protection only",
       [](const R& r, const A& windows, const A& wine) {
         RegionInfo shorter = windows.region;
         shorter.region_bytes = wine.region.region_bytes;
         return r.call == R::kQuery && windows.region.state == kMemReserve && wine.region == shorter &&
                shorter.region_bytes < windows.region.region_bytes;
       }},
      {"PAGE_NOCACHE and PAGE_WRITECOMBINE: kept on Windows, forgotten by Wine",
       "MiGetPageProtection, ntoskrnl/mm/ARM3/virtual.c, ReactOS",
       [](const R& r, const A& windows, const A& wine) {
         const uint32_t both = kPageNoCache | kPageWriteCombine;
         const uint64_t old = r.call == R::kProtect ? windows.value : 0;
         return (r.call == R::kQuery || r.call == R::kProtect) && windows.error == 0 && wine.error == 0 &&
                ((old | windows.region.protection | windows.region.allocation_protection) & both) != 0;
       }},
      {"MEM_RESET with anything else, or with a protection that is none: 87 on Windows; Wine resets",
       "NtAllocateVirtualMemory, ntoskrnl/mm/ARM3/virtual.c, ReactOS; Microsoft, VirtualAlloc",
       [](const R& r, const A& windows, const A&) {
         return r.call == R::kAlloc && (r.type & kMemReset) != 0 && windows.error == 87;
       }},
      {"MEM_RESET_UNDO: since Windows 8; Wine 8.0 has none", "Microsoft, VirtualAlloc",
       [](const R& r, const A&, const A& wine) {
         return r.call == R::kAlloc && (r.type & kMemResetUndo) != 0 && wine.error == 87;
       }},
      {"MEM_WRITE_WATCH without MEM_RESERVE: 87 on Windows; Wine ignores it",
       "NtAllocateVirtualMemory, ntoskrnl/mm/ARM3/virtual.c, ReactOS; Microsoft, VirtualAlloc",
       [](const R& r, const A& windows, const A&) {
         return r.call == R::kAlloc && (r.type & kMemWriteWatch) != 0 && (r.type & kMemReserve) == 0 &&
                windows.error == 87;
       }},
      {"MEM_PHYSICAL: Wine 8.0 has none", "Microsoft, VirtualAlloc",
       [](const R& r, const A&, const A& wine) {
         return r.call == R::kAlloc && (r.type & kMemPhysical) != 0 && wine.error == 87;
       }},
      {"MEM_LARGE_PAGES: 1314 without the privilege on Windows; Wine 8.0 has none",
       "NtAllocateVirtualMemory, ntoskrnl/mm/ARM3/virtual.c, ReactOS: STATUS_PRIVILEGE_NOT_HELD",
       [](const R& r, const A&, const A& wine) {
         return r.call == R::kAlloc && (r.type & kMemLargePages) != 0 && wine.error == 87;
       }},
      {"decommitting or protecting beyond the end of the address space: 87 on Windows; Wine's sum wraps",
       "NtFreeVirtualMemory, NtProtectVirtualMemory, ntoskrnl/mm/ARM3/virtual.c, ReactOS: "
       "STATUS_INVALID_PARAMETER_3",
       [](const R& r, const A& windows, const A&) {
         const bool takes_pages = r.call == R::kFree || r.call == R::kProtect;
         return takes_pages && r.bytes > ~uint64_t{0} - r.addr - 0xfff && windows.error == 87;
       }},
      {"MEM_TOP_DOWN: the highest place on Windows; in Wine the host has mappings of its own there",
       "Wine 8.0 under linux 6.18, measured; /proc/PID/maps shows them",
       [](const R& r, const A& windows, const A& wine) {
         return r.call == R::kAlloc && r.addr == 0 && (r.type & kMemTopDown) != 0 && windows.error == 0 &&
                wine.error == 0 && windows.value > wine.value;
       }},
  };
  return differences;
}

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_WINE_KNOWN_DIFFERENCES_H_
