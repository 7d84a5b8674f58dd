// The recorder's own memory: what it hands out is never recorded and never reaches the program's malloc.
//
// Used for one thing: dlsym may call malloc or calloc while the recorder is still looking up the
// real ones (row 1 of the walk). Blocks are cut from one mmap and never returned; freeing one is recognised by
// its address. Each block keeps its size in the 16 bytes before it, so that realloc can move it out.
//
// Ownership: the mapping lives as long as the process. Threads: any (one atomic cursor). Limit: 1 MiB, of which
// glibc 2.36's dlsym uses a few hundred bytes; beyond it null, like any malloc.
#ifndef REHEAP_TRACES_RECORDER_UNHOOKED_MEMORY_H_
#define REHEAP_TRACES_RECORDER_UNHOOKED_MEMORY_H_

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace reheap::recorder {

class UnhookedMemory {
 public:
  // Zeroed; alignment is a power of two.
  void* Allocate(size_t bytes, size_t alignment) {
    if (bytes > kCapacityBytes || alignment > kCapacityBytes) return nullptr;
    const uintptr_t base = Base();
    if (base == kNowhere) return nullptr;
    if (alignment < kHeaderBytes) alignment = kHeaderBytes;
    const uint64_t need = (bytes + alignment + kHeaderBytes + 15) / 16 * 16;
    const uint64_t offset = used_.fetch_add(need, std::memory_order_relaxed);
    if (offset + need > kCapacityBytes) return nullptr;
    const uintptr_t start = base + offset + kHeaderBytes;
    uint8_t* block = reinterpret_cast<uint8_t*>((start + alignment - 1) & ~uintptr_t{alignment - 1});
    *reinterpret_cast<uint64_t*>(block - kHeaderBytes) = bytes;
    return block;
  }

  bool Owns(const void* block) const {
    return reinterpret_cast<uintptr_t>(block) - base_.load(std::memory_order_relaxed) < kCapacityBytes;
  }

  // Preconditions: Owns(block).
  size_t SizeOf(const void* block) const {
    return *reinterpret_cast<const uint64_t*>(static_cast<const uint8_t*>(block) - kHeaderBytes);
  }

 private:
  static constexpr uint64_t kCapacityBytes = 1 << 20;
  static constexpr uint64_t kHeaderBytes = 16;

  uintptr_t Base() {
    uintptr_t base = base_.load(std::memory_order_acquire);
    if (base != kNowhere) return base;
    // The system call itself: the mmap symbol is one that the recorder exports.
    const long mapped = syscall(SYS_mmap, nullptr, kCapacityBytes, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == -1) return kNowhere;
    if (base_.compare_exchange_strong(base, static_cast<uintptr_t>(mapped))) return static_cast<uintptr_t>(mapped);
    syscall(SYS_munmap, mapped, kCapacityBytes);
    return base;
  }

  // No block yet: 2^63 is behind every user address, so Owns() needs no second comparison.
  static constexpr uintptr_t kNowhere = uintptr_t{1} << 63;

  std::atomic<uintptr_t> base_{kNowhere};
  std::atomic<uint64_t> used_{0};
};

}  // namespace reheap::recorder

#endif  // REHEAP_TRACES_RECORDER_UNHOOKED_MEMORY_H_
