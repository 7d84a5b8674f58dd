// Memory: how the allocator reaches the bytes behind an address (a C++20 concept, row 7 of the walk).
//
// The allocator's own records (spans, page maps, bitmaps, caches) live in address space that it got from
// the Os, and are reached only through a Memory. DirectMemory is the identity and compiles to nothing;
// ShadowMemory (sim/os/shadow_memory.h) translates a simulated address to host bytes and counts which OS
// pages are resident. So the same allocator source runs in both worlds.
//
// Rules for the allocator, which make both worlds count alike:
//   - an element is naturally aligned, its size is a power of two up to one OS page (4,096 B), so that
//     it never crosses an OS page; an array is reached element by element, or with n elements that lie
//     within one OS page;
//   - Read for reading (an anonymous page that was only read is not resident), Write for writing;
//   - a reference is used up before the next call to the Os that could take its page away;
//   - fresh memory reads as zero: records are designed so that all-zero is "empty".
//
// Threads: as the allocator's. Limits: none of its own.
#ifndef REHEAP_ALLOC_MEMORY_H_
#define REHEAP_ALLOC_MEMORY_H_

#include <concepts>
#include <cstdint>

#include "alloc/addr.h"

namespace reheap {

template <class M>
concept Memory = requires(M& memory, Addr a, uint64_t bytes) {
  // Element at `a` for reading / for writing (marks the OS page resident).
  { memory.template Read<uint64_t>(a) } -> std::same_as<const uint64_t&>;
  { memory.template Write<uint64_t>(a) } -> std::same_as<uint64_t&>;
  // The program writes to every OS page of [a, a + bytes): object memory, contents irrelevant.
  { memory.Touch(a, bytes) };
};

// Addresses of this very process.
class DirectMemory {
 public:
  template <class T>
  const T& Read(Addr a) const {
    return *reinterpret_cast<const T*>(a.value());
  }
  template <class T>
  T& Write(Addr a) const {
    return *reinterpret_cast<T*>(a.value());
  }
  // Writes one byte per OS page (4 KiB: a larger OS page is merely touched more than once).
  void Touch(Addr a, uint64_t bytes) const {
    if (bytes == 0) return;
    constexpr uint64_t kOsPage = 4096;
    const uint64_t end = a.value() + bytes;
    for (uint64_t p = a.value(); p < end; p = (p & ~(kOsPage - 1)) + kOsPage) {
      *reinterpret_cast<volatile unsigned char*>(p) = 1;
    }
  }
};
static_assert(Memory<DirectMemory>);

}  // namespace reheap

#endif  // REHEAP_ALLOC_MEMORY_H_
