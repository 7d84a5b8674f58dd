// Heap: the span allocator, for real and for simulated address space (row 7 of the walk).
//
// The cast, from the program down to the OS:
//
//   Heap             Malloc, Free, Resize, SpanOf, for an explicit thread cache
//   ThreadCache      arrays of free objects per size class                              thread_cache.h
//   CentralFreeList  one per size class: its spans, by fullness                         central_free_list.h
//   PageHeap         free and large spans; joins neighbours through the page map        page_heap.h
//   PageMap          heap page -> span                                                  page_map.h
//   HeapBitmap       four bits per heap word, when the strategy has one                 heap_bitmap.h
//   RecordPool       memory for span records, their bits and caches                     record_pool.h
//   Arena            the heap's address space, by the ReservationStrategy               arena.h
//
// Malloc, small (up to 32 KiB):
//   1. The size class of the bytes; a larger alignment may ask for a larger class.
//   2. The cache has an object of that class: pop its slot, set its allocated bit. Done: no lock.
//   3. Else the cache's limit for the class rises; the central list fills a batch from its fullest span.
//   4. No span has room: the page heap cuts a new one, best fit.
//   5. No free span fits: discarded ones are used again; then the arena grows (README.md, "Growth").
// Malloc, large: from step 4, with a span of its own.
//
// Free:
//   1. The page map names the span. None in use: kForeign (at a large object's old start kDoubleFree).
//   2. The offset in the span must be a multiple of the object size, else kInterior.
//   3. The allocated bit must be set, else kDoubleFree: an object in a cache is free already. Clear it.
//   4. Push the object on the cache; at the limit, give a batch back to the central list.
//   5. A span with no object out returns to the page heap and joins its neighbours.
// Free, large: step 1, the start only, then 5.
//
// Ownership: owns its members; the Os, the Memory and all address space outlive it and are never released.
// Calls host malloc only while it is made. Threads: one at a time, by construction; a cache belongs to
// whoever was given its id. Locks for more would go around CentralFreeList's and PageHeap's public methods:
// the hot path (steps 1-2 of Malloc, 1-4 of Free) touches a cache, and the allocated bits, whose bytes would
// have to become atomic.
// Limits: kMostCaches caches; 2^32 - 1 heap pages in one object; heap pages of 4 or 8 KiB.
#ifndef REHEAP_ALLOC_HEAP_H_
#define REHEAP_ALLOC_HEAP_H_

#include <cstdint>
#include <optional>

#include "alloc/addr.h"
#include "alloc/arena.h"
#include "alloc/central_free_list.h"
#include "alloc/check.h"
#include "alloc/heap_bitmap.h"
#include "alloc/heap_stats.h"
#include "alloc/memory.h"
#include "alloc/os.h"
#include "alloc/outside_os.h"
#include "alloc/page_heap.h"
#include "alloc/page_map.h"
#include "alloc/record_pool.h"
#include "alloc/reservation_strategy.h"
#include "alloc/size_classes.h"
#include "alloc/span.h"
#include "alloc/thread_cache.h"

namespace reheap {

enum class FreeError : uint8_t {
  kNone = 0,
  kForeign,     // in no span in use
  kInterior,    // in a span in use, but not where an object starts
  kDoubleFree,  // where an object starts that is free
};
inline constexpr const char* FreeErrorName(FreeError error) {
  switch (error) {
    case FreeError::kNone:
      return "none";
    case FreeError::kForeign:
      return "foreign address";
    case FreeError::kInterior:
      return "interior address";
    case FreeError::kDoubleFree:
      return "double free";
  }
  return "unknown";
}

using CacheId = uint32_t;

template <Memory M, template <class> class PageMapT>
class Heap {
 public:
  using Map = PageMapT<M>;
  static constexpr uint32_t kMostCaches = 1 << 16;  // one per lane of a replay

  // `os` and `memory` are not owned. A strategy that contradicts itself or names another kind of page map is
  // refused by Start. Preconditions: heap pages of 4 or 8 KiB.
  Heap(Os& os, M& memory, const ReservationStrategy& strategy);
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  // What a program's allocator does before main, in this order: what the strategy maps beside the heap, and the
  // reservation; the page map's tables (a flat one needs to know where the reservation is); a chunk for spans, a
  // chunk for caches; the first growth, if the strategy has one; what it maps after that. Call once, first; after a
  // refusal the heap is unusable.
  OsResult<Done> Start();

  // An empty thread cache, and what the strategy maps for a thread.
  OsResult<CacheId> NewCache();
  // Its objects go back to the central lists. Preconditions: `id` is live.
  void DropCache(CacheId id);

  // `bytes` at a multiple of `alignment`, a power of two (up to 8 it is 8 anyway; above, another number is
  // refused); 0 bytes are an object of their own. Zero when refused: last_refusal() says why. Preconditions:
  // `id` is live.
  __attribute__((always_inline)) Addr Malloc(CacheId id, uint64_t bytes, uint64_t alignment);

  // Changes nothing unless it answers kNone. Preconditions: `id` is live.
  __attribute__((always_inline)) FreeError Free(CacheId id, Addr object);

  // The object with room for `bytes`: the same address when its size class or its number of pages stays, or
  // when a large one shrinks; else a new object (of no particular alignment), and the old one is freed. The
  // contents are the caller's to copy *before* the old pages can be reused, that is before the next call.
  // Zero: refused, or `*error` is not kNone; the old object stays.
  Addr Resize(CacheId id, Addr object, uint64_t bytes, FreeError* error);

  // The span in use that `a` lies in, at whatever offset.
  SpanInfo SpanOf(Addr a) const;
  // Of a live object; 0 = large, or no object.
  int SizeClassOf(Addr object) const;
  // Preconditions: 0 < size_class < size_classes().count().
  const ClassTotals& class_totals(int size_class) const { return central_[size_class].totals(); }
  // What the program may use of a live object; 0 when `object` is none.
  uint64_t UsableBytes(Addr object) const;

  // Gives free spans back to the OS until `bytes` are; how many were.
  uint64_t ReleaseFreePages(uint64_t bytes) { return page_heap_.ReleaseFreePages(bytes); }

  // The time, in nanoseconds since the program's start: what the strategy gives back by then goes back. To be told
  // now and then, as finely as its release plan looks; between two calls, never within one.
  void Advance(uint64_t now_ns) { page_heap_.Advance(now_ns); }

  // Why the last Malloc or Resize answered zero.
  const Refusal& last_refusal() const { return last_refusal_; }

  HeapStats stats() const;
  HeapStats RecountSlow() const;
  void CheckInvariants() const;

  const Map& page_map() const { return map_; }
  const Arena& arena() const { return arena_; }
  const SizeClasses& size_classes() const { return classes_; }
  const ReservationStrategy& strategy() const { return strategy_; }

 private:
  // Where an address stands: what Free, Resize and UsableBytes have to know.
  struct Place {
    FreeError error = FreeError::kForeign;
    SpanRef span;
    uint64_t mark = 0;  // small
    bool small = false;
  };

  static bool IsPowerOfTwo(uint64_t n) { return (n & (n - 1)) == 0; }
  // 0: large, or no alignment at all.
  int AlignedClass(uint64_t bytes, uint64_t alignment) const {
    return IsPowerOfTwo(alignment) ? classes_.ClassFor(bytes, alignment) : 0;
  }
  __attribute__((noinline)) Addr MallocLarge(uint64_t bytes, uint64_t alignment);
  __attribute__((noinline)) Addr MallocRefill(Addr cache, int size_class);
  __attribute__((noinline)) FreeError FreeSlow(Addr object);
  __attribute__((noinline)) FreeError FreeIntoFull(Addr cache, int size_class, Addr object, uint64_t mark);
  __attribute__((always_inline)) Addr Pop(CacheClass& c);
  __attribute__((always_inline)) void Push(CacheClass& c, Addr object, uint64_t mark) {
    CacheSlot& slot = memory_->template Write<CacheSlot>(c.top);
    c.top = c.top + sizeof(CacheSlot);
    slot.object = object;
    slot.mark = mark;
  }
  void Flush(Addr cache, int size_class, uint32_t count);
  Addr Refused(const Refusal& refusal);
  OsResult<Done> CheckStrategy() const;

  PageId PageOf(Addr a) const { return PageId::Containing(a, page_shift_); }
  SpanRef LiveSpanOf(Addr a) const;
  Place Find(Addr object) const;
  uint64_t LargePages(uint64_t bytes) const;

  HeapStats StatsFrom(const PageTotals& pages, const ClassTotals* classes, const uint64_t* cached) const;
  void CountCached(uint64_t* cached) const;
  void CheckCache(Addr cache) const;

  // What the hot path reads comes first.
  M* memory_;
  const SizeClasses& classes_;
  uint32_t page_shift_;
  Map map_;
  std::optional<HeapBitmap<M>> bitmap_;
  Addr caches_[kMostCaches] = {};  // record of each; zero = no such cache

  // The first address outside the process, where this Memory has one.
  static constexpr uint64_t OutsideStart() {
    if constexpr (requires { M::kOutsideStart; }) {
      return M::kOutsideStart;
    } else {
      return 0;
    }
  }
  // Where the heap's own tables come from.
  Os& TablesOs() { return strategy_.page_map == PageMapKind::kNone ? static_cast<Os&>(outside_) : *os_; }

  ReservationStrategy strategy_;
  Os* os_;
  OutsideOs outside_{Addr(OutsideStart())};
  Arena arena_;
  ChunkStream span_chunks_;
  ChunkStream cache_chunks_;
  RecordPool<M> span_records_;
  RecordPool<M> cache_records_;
  BitRecords<M> bit_records_;
  CacheLayout cache_layout_;
  PageHeap<M, Map> page_heap_;
  CentralFreeList<M, Map> central_[kMostClasses];
  uint32_t cache_ids_ = 0;       // ids handed out so far
  uint32_t lowest_free_id_ = 0;  // no id below it is free
  Refusal last_refusal_;
};

// --- the hot path --------------------------------------------------------------------------------

template <Memory M, template <class> class PageMapT>
inline Addr Heap<M, PageMapT>::Pop(CacheClass& c) {
  c.top = c.top - sizeof(CacheSlot);
  const CacheSlot& slot = memory_->template Read<CacheSlot>(c.top);
  const Addr object = slot.object;
  uint32_t& word = memory_->template Write<uint32_t>(MarkWord(slot.mark));
  word = WithMark(word, slot.mark);
  if (bitmap_) bitmap_->Set(object, kHeapBitAllocated);
  return object;
}

template <Memory M, template <class> class PageMapT>
inline Addr Heap<M, PageMapT>::Malloc(CacheId id, uint64_t bytes, uint64_t alignment) {
  const int size_class = __builtin_expect(alignment <= SizeClasses::kMinObjectBytes, 1)
                             ? classes_.ClassFor(bytes)
                             : AlignedClass(bytes, alignment);
  if (__builtin_expect(size_class == 0, 0)) return MallocLarge(bytes, alignment);
  const Addr cache = caches_[id];
  CacheClass& c = memory_->template Write<CacheClass>(ClassAddr(cache, size_class));
  if (__builtin_expect(c.top == c.begin, 0)) return MallocRefill(cache, size_class);
  return Pop(c);
}

template <Memory M, template <class> class PageMapT>
inline FreeError Heap<M, PageMapT>::Free(CacheId id, Addr object) {
  const SpanRef ref = map_.Get(PageOf(object));
  if (__builtin_expect(!ref, 0)) return FreeError::kForeign;
  const Span& span = memory_->template Read<Span>(ref);
  // An earlier span's record (below it: wraps), a free span, a large one: none has small bytes.
  const uint64_t offset = object.value() - span.start.value();
  if (__builtin_expect(offset >= span.small_bytes, 0)) return FreeSlow(object);
  const uint32_t index = span.IndexOf(offset);
  if (__builtin_expect(index * span.object_bytes != offset, 0)) return FreeError::kInterior;
  const uint64_t mark = MarkOf(span.allocated_bits, index);
  const int size_class = span.size_class;
  uint32_t& word = memory_->template Write<uint32_t>(MarkWord(mark));
  if (__builtin_expect(!IsMarked(word, mark), 0)) return FreeError::kDoubleFree;
  word = WithoutMark(word, mark);
  if (bitmap_) bitmap_->Clear(object, kHeapBitAllocated);

  const Addr cache = caches_[id];
  CacheClass& c = memory_->template Write<CacheClass>(ClassAddr(cache, size_class));
  // A tail call: the hot path then needs no stack frame.
  if (__builtin_expect(c.top == c.end, 0)) return FreeIntoFull(cache, size_class, object, mark);
  Push(c, object, mark);
  return FreeError::kNone;
}

}  // namespace reheap

#include "alloc/heap_inl.h"

#endif  // REHEAP_ALLOC_HEAP_H_
