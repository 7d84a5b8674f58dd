// ThreadCache: the objects that one thread can allocate without asking anybody (row 7 of the walk).
//
// A cache is a record in metadata memory, named by its address:
//
//   [ CacheClass 32 B x classes | slots of class 1 | slots of class 2 | ... ]   kCacheBytes
//
// A slot says where a free object is and which bit to set when it is handed out, so that the hot path needs no
// span: pop a slot, set a bit; on free find the bit through the page map, clear it, push a slot.
//
// How many objects a class may hold (`limit`) starts at none and grows by one at each visit to the central list until
// it is a batch, then by a batch, up to the class's capacity: a thread that frees ten objects keeps ten. Capacities
// alone bound what a cache can hold, at 2.3 MiB with heap pages of 4 KiB and 2.6 MiB with 8 (kMostCachedBytes), so the
// hot path counts no bytes.
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

// The place of an object's allocated bit as one number: (address of the words) x 8 + bit. Addresses are below 2^61 on
// every platform; the words are aligned, so the low five bits are the bit in its word.
inline uint64_t MarkOf(Addr allocated_bits, uint32_t index) { return (allocated_bits.value() << 3) + index; }
inline Addr MarkWord(uint64_t mark) { return Addr(mark >> 3 & ~uint64_t{3}); }
// Written so that x86 compilers make one bt, bts and btr of them: a mask shifted into place takes three operations
// more at each.
inline bool IsMarked(uint32_t word, uint64_t mark) { return (word >> (mark & 31) & 1) != 0; }
inline uint32_t WithMark(uint32_t word, uint64_t mark) { return word | uint32_t{1} << (mark & 31); }
inline uint32_t WithoutMark(uint32_t word, uint64_t mark) { return word & ~(uint32_t{1} << (mark & 31)); }

// The slots of one class: addresses, because the hot path then has nothing to add up.
struct CacheClass {
  Addr top;       // above the last slot in use
  Addr begin;     // == top: empty
  Addr end;       // == top: at its limit; a free beyond it goes to the central list
  Addr most_end;  // end never passes it

  uint32_t length() const { return static_cast<uint32_t>((top - begin) / sizeof(CacheSlot)); }
  uint32_t limit() const { return static_cast<uint32_t>((end - begin) / sizeof(CacheSlot)); }
  uint32_t capacity() const { return static_cast<uint32_t>((most_end - begin) / sizeof(CacheSlot)); }
};
static_assert(sizeof(CacheClass) == 32);

// 64 KiB: two caches in a 128 KiB chunk, about 4,000 slots, of which only those in use become resident.
inline constexpr uint64_t kCacheBytes = 64 * kKiB;
// Go of 2011 allowed 2 MiB (runtime/malloc.h of 1e063b32c, MaxMCacheSize).
inline constexpr uint64_t kMostCachedBytes = 3 * kMiB;
inline constexpr int kMostClasses = 128;

inline Addr ClassAddr(Addr cache, int size_class) {
  return cache + static_cast<uint64_t>(size_class) * sizeof(CacheClass);
}
inline Addr SlotAddr(const CacheClass& c, uint32_t n) { return c.begin + uint64_t{n} * sizeof(CacheSlot); }

// Where each class's slots lie; the same in all caches.
class CacheLayout {
 public:
  explicit CacheLayout(const SizeClasses& classes) : count_(classes.count()) {
    REHEAP_CHECK_LE(count_, kMostClasses);
    uint64_t offset = static_cast<uint64_t>(count_) * sizeof(CacheClass);
    uint64_t most_bytes = 0;
    for (int c = 1; c < count_; ++c) {
      capacity_[c] = Capacity(classes[c]);
      offset_[c] = static_cast<uint32_t>(offset);
      offset += capacity_[c] * sizeof(CacheSlot);
      most_bytes += uint64_t{capacity_[c]} * classes[c].object_bytes;
    }
    REHEAP_CHECK_LE(offset, kCacheBytes);
    REHEAP_CHECK_LE(most_bytes, kMostCachedBytes);
  }

  // Makes the record an empty cache.
  template <Memory M>
  void InitCache(M& memory, Addr cache) const {
    for (int c = 0; c < count_; ++c) {
      const Addr begin = cache + offset_[c];
      const Addr most_end = begin + uint64_t{capacity_[c]} * sizeof(CacheSlot);
      memory.template Write<CacheClass>(ClassAddr(cache, c)) = CacheClass{begin, begin, begin, most_end};
    }
  }

 private:
  // 32 KiB worth of objects, but a batch at least, and at most 96: 96 x 16 B of slots are 1.5 KiB.
  static uint32_t Capacity(const SizeClass& shape) {
    return std::clamp<uint32_t>(static_cast<uint32_t>(32 * kKiB / shape.object_bytes), shape.objects_to_move, 96);
  }

  int count_;
  uint32_t capacity_[kMostClasses] = {};
  uint32_t offset_[kMostClasses] = {};
};

// Raises the limit of a class after it turned out too low. False: it is at its capacity.
template <Memory M>
bool RaiseLimit(M& memory, Addr cache, int size_class, uint32_t batch) {
  CacheClass& c = memory.template Write<CacheClass>(ClassAddr(cache, size_class));
  const uint32_t old_limit = c.limit();
  const uint32_t limit = std::min(old_limit + (old_limit < batch ? 1 : batch), c.capacity());
  c.end = SlotAddr(c, limit);
  return limit > old_limit;
}

}  // namespace reheap

#endif  // REHEAP_ALLOC_THREAD_CACHE_H_
