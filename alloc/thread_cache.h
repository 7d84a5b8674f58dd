// ThreadCache: the objects that one thread can allocate without asking anybody (row 7 of the walk).
//
// A cache is a record in metadata memory, named by its address:
//
//   [ CacheHeader 64 B | CacheClass 16 B x classes | slots of class 1 | slots of class 2 | ... ]   kCacheBytes
//
// A slot says where a free object is and which bit to set when it is handed out, so that the hot path needs no
// span: pop a slot, set a bit; on free find the bit through the page map, clear it, push a slot.
//
// How many objects a class may hold (`limit`) starts at 1 and grows by one at each visit to the central list until it
// is a batch, then by a batch: a thread that frees ten objects keeps ten. The sum of limit x object size stays within
// kMostCachedBytes; so the bytes held need no counting on the hot path.
//
// Ownership: RecordPool holds the memory. Threads: a cache belongs to one thread at a time. Limits: a class has at
// most CacheLayout::capacity slots.
#ifndef REHEAP_ALLOC_THREAD_CACHE_H_
#define REHEAP_ALLOC_THREAD_CACHE_H_

#include <algorithm>
#include <cstdint>

#include "alloc/addr.h"
#include "alloc/check.h"
#include "alloc/memory.h"
#include "alloc/size_classes.h"

namespace reheap {

// A free object.
struct CacheSlot {
  Addr object;
  uint64_t mark;  // see MarkOf
};
static_assert(sizeof(CacheSlot) == 16);

// The place of an object's allocated bit as one number: (address of the byte) x 8 + bit in the byte. Addresses are
// below 2^61 on every platform.
inline uint64_t MarkOf(Addr allocated_bits, uint32_t index) { return (allocated_bits.value() << 3) + index; }
inline Addr MarkByte(uint64_t mark) { return Addr(mark >> 3); }
inline uint8_t MarkMask(uint64_t mark) { return static_cast<uint8_t>(1u << (mark & 7)); }

struct CacheClass {
  uint32_t length;        // slots in use
  uint32_t limit;         // slots that may be in use; a free beyond it goes to the central list
  uint32_t slots_offset;  // from the start of the record
  uint32_t capacity;      // limit never exceeds it
};
static_assert(sizeof(CacheClass) == 16);

struct CacheHeader {
  uint64_t limit_bytes;  // sum of limit x object bytes
  uint64_t unused[7];
};
static_assert(sizeof(CacheHeader) == 64);

// 64 KiB: two caches in a 128 KiB chunk, about 4,000 slots, of which only those in use become resident.
inline constexpr uint64_t kCacheBytes = 64 * kKiB;
// Go 2011's MaxMCacheSize (runtime/malloc.h of 1e063b32c: 2 << 20).
inline constexpr uint64_t kMostCachedBytes = 2 * kMiB;
inline constexpr int kMostClasses = 128;

inline Addr ClassAddr(Addr cache, int size_class) {
  return cache + sizeof(CacheHeader) + static_cast<uint64_t>(size_class) * sizeof(CacheClass);
}
inline Addr SlotAddr(Addr cache, const CacheClass& c, uint32_t n) {
  return cache + c.slots_offset + uint64_t{n} * sizeof(CacheSlot);
}

// Where each class's slots lie; the same in all caches.
class CacheLayout {
 public:
  explicit CacheLayout(const SizeClasses& classes) : count_(classes.count()) {
    REHEAP_CHECK_LE(count_, kMostClasses);
    uint64_t slots = 0;
    for (int c = 1; c < count_; ++c) slots += capacity_[c] = Wanted(classes, c);
    const uint64_t first = sizeof(CacheHeader) + static_cast<uint64_t>(count_) * sizeof(CacheClass);
    const uint64_t room = (kCacheBytes - first) / sizeof(CacheSlot);
    uint64_t offset = first;
    for (int c = 1; c < count_; ++c) {
      if (slots > room) capacity_[c] = std::max<uint32_t>(1, static_cast<uint32_t>(capacity_[c] * room / slots));
      offset_[c] = static_cast<uint32_t>(offset);
      offset += capacity_[c] * sizeof(CacheSlot);
    }
    REHEAP_CHECK_LE(offset, kCacheBytes);
  }

  // Makes the record an empty cache.
  template <Memory M>
  void InitCache(M& memory, Addr cache) const {
    memory.template Write<CacheHeader>(cache) = CacheHeader{};
    for (int c = 0; c < count_; ++c) {
      memory.template Write<CacheClass>(ClassAddr(cache, c)) = CacheClass{0, 0, offset_[c], capacity_[c]};
    }
  }

 private:
  // 64 KiB worth of objects, at least 8 and at most 96: 96 x 16 B of slots are 1.5 KiB.
  static uint32_t Wanted(const SizeClasses& classes, int c) {
    return std::clamp<uint32_t>(static_cast<uint32_t>(64 * kKiB / classes[c].object_bytes), 8, 96);
  }

  int count_;
  uint32_t capacity_[kMostClasses] = {};
  uint32_t offset_[kMostClasses] = {};
};

// Raises the limit of a class after it turned out too low. False: it is at its capacity or the cache at its bound.
template <Memory M>
bool RaiseLimit(M& memory, Addr cache, int size_class, uint32_t object_bytes, uint32_t batch) {
  CacheClass& c = memory.template Write<CacheClass>(ClassAddr(cache, size_class));
  CacheHeader& header = memory.template Write<CacheHeader>(cache);
  const uint32_t step = c.limit < batch ? 1 : batch;
  const uint32_t limit = std::min(c.limit + step, c.capacity);
  const uint64_t more_bytes = uint64_t{limit - c.limit} * object_bytes;
  if (more_bytes == 0) return false;
  // The first object of a class always fits: without it every call would go to the central list.
  if (c.limit != 0 && header.limit_bytes + more_bytes > kMostCachedBytes) return false;
  c.limit = limit;
  header.limit_bytes += more_bytes;
  return true;
}

}  // namespace reheap

#endif  // REHEAP_ALLOC_THREAD_CACHE_H_
