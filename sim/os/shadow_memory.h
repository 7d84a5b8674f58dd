// ShadowMemory: the bytes behind simulated addresses, as the allocator reaches them (a Memory; rows 7 and 9).
//
// A host page is made when a simulated OS page is first written; until then reads see one shared zero page.
// The first access asks VirtualOs whether the page may be used, and dies naming the address when not: the
// allocator then touched what it does not own. VirtualOs drops the contents when the simulated program gives
// them up. Touch marks residency and needs no host memory at all.
//
// An access looks into a small direct-mapped cache of pages, 2 loads and a compare; a miss asks VirtualOs and
// looks in a page_tree.h.
//
// Ownership: its host pages; the VirtualOs outlives it and knows one ShadowMemory at a time. Threads: one.
#ifndef REHEAP_SIM_OS_SHADOW_MEMORY_H_
#define REHEAP_SIM_OS_SHADOW_MEMORY_H_

#include <array>
#include <cstdint>
#include <memory>

#include "alloc/addr.h"
#include "alloc/memory.h"
#include "sim/os/os_page_tree.h"
#include "sim/os/virtual_os.h"

namespace reheap {

class ShadowMemory final : public PageListener {
 public:
  explicit ShadowMemory(VirtualOs* os);
  ~ShadowMemory() override;
  ShadowMemory(const ShadowMemory&) = delete;
  ShadowMemory& operator=(const ShadowMemory&) = delete;

  // From here on up, where no process has an address (user addresses end at 2^57), lies memory that is no part of the process: always usable,
  // counted nowhere (alloc/outside_os.h).
  static constexpr uint64_t kOutsideStart = uint64_t{1} << 59;

  template <class T>
  const T& Read(Addr a) {
    const uint64_t page = a.value() >> page_shift_;
    const CachedPage& cached = cache_[page % kCachedPages];
    const unsigned char* host = cached.readable == page ? cached.host : FindReadable(a);
    return *reinterpret_cast<const T*>(host + (a.value() & page_mask_));
  }
  template <class T>
  T& Write(Addr a) {
    const uint64_t page = a.value() >> page_shift_;
    const CachedPage& cached = cache_[page % kCachedPages];
    unsigned char* host = cached.writable == page ? cached.host : MakeWritable(a);
    return *reinterpret_cast<T*>(host + (a.value() & page_mask_));
  }
  // The program writes to every OS page of [a, a + bytes); contents irrelevant.
  void Touch(Addr a, uint64_t bytes) {
    if (bytes == 0) return;
    const uint64_t last = (a.value() + bytes - 1) >> page_shift_;
    for (uint64_t page = a.value() >> page_shift_; page <= last; ++page) {
      if (touched_[page % kTouchedPages] != page) TouchPage(page);
    }
  }

  // Why the kernel ended the process at an access; null while it lives. What a dead process still writes is kept like
  // any other, so that who runs it can finish its step and look here.
  const Refusal* killed() const { return killed_; }
  // Becomes true whenever an access made more of the process resident, or ended it; whoever owns it makes it false
  // again. Borrowed; null = nobody's.
  void set_news(bool* news) { news_ = news; }
  // Host pages held now.
  uint64_t host_pages() const { return host_pages_; }

 private:
  static constexpr uint64_t kCachedPages = 512;   // 12 KiB of cache: stays in the host's first level
  static constexpr uint64_t kTouchedPages = 512;  // 4 KiB
  static constexpr uint64_t kNoPage = ~uint64_t{0};
  struct CachedPage {
    uint64_t readable = kNoPage;  // page number, or kNoPage
    uint64_t writable = kNoPage;
    unsigned char* host = nullptr;
  };

  using HostPage = std::unique_ptr<unsigned char[]>;
  using Leaf = std::array<HostPage, 512>;
  static_assert(std::tuple_size_v<Leaf> == OsPageTree<Leaf>::kFan);

  const unsigned char* FindReadable(Addr a);
  unsigned char* MakeWritable(Addr a);
  void TouchPage(uint64_t page);
  // Asks the OS for an access; dies naming it when the allocator may not make it.
  void Ask(Addr a, bool write, const char* access);
  void NoteResident();
  void OnPagesDropped(AddrRange range) override;
  void OnAccessChanged(AddrRange range) override;
  void OnPagesMoved(AddrRange from, Addr to) override;

  VirtualOs* const os_;
  const uint32_t page_shift_;
  const uint64_t page_mask_;
  CachedPage cache_[kCachedPages];
  uint64_t touched_[kTouchedPages];  // page numbers known to be writable and resident
  OsPageTree<Leaf> pages_;
  uint64_t host_pages_ = 0;
  const Refusal* killed_ = nullptr;  // the OS's
  bool* news_ = nullptr;
  uint64_t resident_pages_ = 0;  // anonymous ones, after the last access that was asked for
  HostPage zero_page_;
};
static_assert(Memory<ShadowMemory>);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_SHADOW_MEMORY_H_
