// CentralFreeList: the spans of one size class, between the thread caches and the page heap (row 7 of the walk).
//
//   Take   free objects leave, from the fullest span that has some
//   Give   objects come back; a span with none out goes back to the page heap
//
// Taking from the fullest spans lets the emptiest ones drain. Fullness is kept in eighths: list n holds the spans with
// taken / objects in [n/8, (n+1)/8), the last list those with nothing left.
//
// Ownership: span records and bit records from pools that the heap owns. Threads: as the heap (one lock per class
// would guard this class, and be held for a batch). Limits: as Span.
#ifndef REHEAP_ALLOC_CENTRAL_FREE_LIST_H_
#define REHEAP_ALLOC_CENTRAL_FREE_LIST_H_

#include <algorithm>
#include <bit>
#include <cstdint>

#include "alloc/addr.h"
#include "alloc/check.h"
#include "alloc/memory.h"
#include "alloc/os.h"
#include "alloc/page_heap.h"
#include "alloc/record_pool.h"
#include "alloc/size_classes.h"
#include "alloc/span.h"
#include "alloc/thread_cache.h"

namespace reheap {

// The bits of spans with more than 32 objects: records of 16 bytes (64 objects) up to 16 KiB (65,536).
template <Memory M>
class BitRecords {
 public:
  void Init(M& memory, ChunkStream& stream) {
    for (int n = 0; n < kSizes; ++n) pools_[n].Init(memory, stream, kSmallest << n);
  }

  OsResult<Addr> Allocate(uint32_t objects) { return PoolFor(objects).Allocate(); }
  // Preconditions: all bits are zero.
  void Free(Addr record, uint32_t objects) { PoolFor(objects).Free(record); }

  uint64_t live_bytes() const {
    uint64_t bytes = 0;
    for (const RecordPool<M>& pool : pools_) bytes += pool.live_bytes();
    return bytes;
  }

  void CheckInvariants() const {
    for (const RecordPool<M>& pool : pools_) pool.CheckInvariants();
  }

 private:
  static constexpr uint64_t kSmallest = 16;
  static constexpr int kSizes = 11;  // 16 << 10 = 16 KiB = 2 x 65,536 bits

  RecordPool<M>& PoolFor(uint32_t objects) {
    const uint64_t bytes = std::bit_ceil(2 * uint64_t{BitWords(objects)} * sizeof(uint32_t));
    return pools_[std::countr_zero(std::max(bytes, kSmallest) / kSmallest)];
  }

  RecordPool<M> pools_[kSizes];
};

// Objects and bytes of one size class. All but `live` and `cached` are running counters of the central list.
struct ClassTotals {
  uint64_t spans = 0;
  uint64_t pages = 0;
  uint64_t objects = 0;  // that the spans hold
  uint64_t taken = 0;    // in thread caches or with the program

  friend bool operator==(const ClassTotals&, const ClassTotals&) = default;
};

template <Memory M, PageMap Map>
class CentralFreeList {
 public:
  // Nothing is owned.
  void Init(M& memory, Map& map, PageHeap<M, Map>& pages, BitRecords<M>& bits, const SizeClasses& classes,
            uint32_t page_shift, int size_class) {
    memory_ = &memory;
    map_ = &map;
    page_heap_ = &pages;
    bits_ = &bits;
    page_shift_ = page_shift;
    size_class_ = static_cast<uint8_t>(size_class);
    object_bytes_ = classes[size_class].object_bytes;
    objects_per_span_ = classes[size_class].objects_per_span;
    pages_per_span_ = classes[size_class].span_pages;
    REHEAP_CHECK_LE(objects_per_span_, 65535);
  }

  // Fills up to `wanted` slots from `slots` on; how many, at least one. Preconditions: wanted > 0.
  OsResult<uint32_t> Take(Addr slots, uint32_t wanted) {
    uint32_t got = 0;
    while (got < wanted) {
      SpanRef ref = FullestWithRoom();
      if (!ref) {
        if (got > 0) break;
        const OsResult<SpanRef> fresh = NewSpan();
        if (!fresh.ok()) return fresh.refusal();
        ref = fresh.value();
      }
      got += TakeFrom(ref, slots + uint64_t{got} * sizeof(CacheSlot), wanted - got);
    }
    totals_.taken += got;
    return got;
  }

  // `count` slots from `slots` on come back. Preconditions: their allocated bits are clear.
  void Give(Addr slots, uint32_t count) {
    for (uint32_t n = 0; n < count; ++n) {
      GiveOne(memory_->template Read<CacheSlot>(slots + uint64_t{n} * sizeof(CacheSlot)).object);
    }
    totals_.taken -= count;
  }

  const ClassTotals& totals() const { return totals_; }

  // Counts by reading every span's bits; adds the objects that the program has to `live_objects`.
  ClassTotals RecountSlow(uint64_t& live_objects) const {
    ClassTotals totals;
    for (const SpanList& list : lists_) {
      list.ForEach(*memory_, [&](SpanRef, const Span& span) {
        ++totals.spans;
        totals.pages += span.pages;
        totals.objects += span.objects;
        for (uint32_t word = 0; word < BitWords(span.objects); ++word) {
          totals.taken += static_cast<uint64_t>(std::popcount(memory_->template Read<uint32_t>(TakenWord(span, word))));
          live_objects +=
              static_cast<uint64_t>(std::popcount(memory_->template Read<uint32_t>(AllocatedWord(span, word))));
        }
      });
    }
    return totals;
  }

  void CheckInvariants() const {
    for (int n = 0; n < kListCount; ++n) {
      lists_[n].ForEach(*memory_, [&](SpanRef ref, const Span& span) { CheckSpan(n, ref, span); });
    }
    uint64_t live_objects = 0;
    REHEAP_CHECK(RecountSlow(live_objects) == totals_);
    REHEAP_CHECK_LE(live_objects, totals_.taken);
  }

 private:
  static constexpr int kFull = 8;  // the list of spans with nothing left
  static constexpr int kListCount = kFull + 1;

  static int ListOf(const Span& span) { return span.taken_objects * kFull / span.objects; }

  SpanRef FullestWithRoom() const {
    for (int n = kFull - 1; n >= 0; --n) {
      if (lists_[n].first) return lists_[n].first;
    }
    return SpanRef();
  }

  OsResult<SpanRef> NewSpan() {
    const OsResult<SpanRef> got = page_heap_->Allocate(pages_per_span_, 1, SpanState::kSmall);
    if (!got.ok()) return got;
    const SpanRef ref = got.value();
    Addr record;
    if (objects_per_span_ > kInlineObjects) {
      const OsResult<Addr> bits = bits_->Allocate(objects_per_span_);
      if (!bits.ok()) {
        page_heap_->Free(ref);
        return bits.refusal();
      }
      record = bits.value();
    }
    Span& span = memory_->template Write<Span>(ref);
    span.size_class = size_class_;
    span.object_bytes = object_bytes_;
    span.objects = static_cast<uint16_t>(objects_per_span_);
    span.small_bytes = objects_per_span_ * object_bytes_;
    span.reciprocal = static_cast<uint32_t>(((uint64_t{1} << 32) + object_bytes_ - 1) / object_bytes_);
    span.allocated_bits = record ? record : ref + offsetof(Span, inline_bits);
    span.list = 0;
    lists_[0].Push(*memory_, ref);
    ++totals_.spans;
    totals_.pages += pages_per_span_;
    totals_.objects += objects_per_span_;
    return ref;
  }

  // Objects of low addresses get the last slots, which a cache hands out first.
  uint32_t TakeFrom(SpanRef ref, Addr slots, uint32_t wanted) {
    Span& span = memory_->template Write<Span>(ref);
    const uint32_t count = std::min<uint32_t>(wanted, span.objects - span.taken_objects);
    uint32_t left = count;
    for (uint32_t word = 0; left > 0; ++word) {
      REHEAP_CHECK_LT(word, BitWords(span.objects));
      uint32_t& taken = memory_->template Write<uint32_t>(TakenWord(span, word));
      while (taken != ~uint32_t{0} && left > 0) {
        const uint32_t bit = static_cast<uint32_t>(std::countr_one(taken));
        const uint32_t index = word * kBitsPerWord + bit;
        if (index >= span.objects) break;
        taken |= uint32_t{1} << bit;
        --left;
        memory_->template Write<CacheSlot>(slots + uint64_t{left} * sizeof(CacheSlot)) = {
            span.start + uint64_t{index} * span.object_bytes, MarkOf(span.allocated_bits, index)};
      }
    }
    span.taken_objects = static_cast<uint16_t>(span.taken_objects + count);
    Relist(ref, span);
    return count;
  }

  void GiveOne(Addr object) {
    const SpanRef ref = map_->Get(PageId::Containing(object, page_shift_));
    Span& span = memory_->template Write<Span>(ref);
    const uint32_t index = span.IndexOf(object - span.start);
    const uint32_t bit = uint32_t{1} << (index % kBitsPerWord);
    uint32_t& taken = memory_->template Write<uint32_t>(TakenWord(span, index / kBitsPerWord));
    REHEAP_CHECK((taken & bit) != 0);
    taken &= ~bit;
    --span.taken_objects;
    if (span.taken_objects == 0) {
      FreeSpan(ref, span);
    } else {
      Relist(ref, span);
    }
  }

  void Relist(SpanRef ref, Span& span) {
    const int list = ListOf(span);
    if (list == span.list) return;
    lists_[span.list].Remove(*memory_, ref);
    span.list = static_cast<uint8_t>(list);
    lists_[list].Push(*memory_, ref);
  }

  void FreeSpan(SpanRef ref, Span& span) {
    lists_[span.list].Remove(*memory_, ref);
    --totals_.spans;
    totals_.pages -= span.pages;
    totals_.objects -= span.objects;
    if (span.objects > kInlineObjects) bits_->Free(span.allocated_bits, span.objects);
    page_heap_->Free(ref);
  }

  void CheckSpan(int list, SpanRef ref, const Span& span) const {
    REHEAP_CHECK(span.state == SpanState::kSmall);
    REHEAP_CHECK_EQ(span.size_class, size_class_);
    REHEAP_CHECK_EQ(span.list, list);
    REHEAP_CHECK_EQ(ListOf(span), list);
    REHEAP_CHECK_EQ(span.small_bytes, span.objects * object_bytes_);
    REHEAP_CHECK_LE(span.small_bytes, uint64_t{span.pages} << page_shift_);
    uint32_t taken_objects = 0;
    for (uint32_t word = 0; word < BitWords(span.objects); ++word) {
      const uint32_t taken = memory_->template Read<uint32_t>(TakenWord(span, word));
      const uint32_t allocated = memory_->template Read<uint32_t>(AllocatedWord(span, word));
      REHEAP_CHECK_EQ(allocated & ~taken, 0);
      taken_objects += static_cast<uint32_t>(std::popcount(taken));
    }
    REHEAP_CHECK_EQ(taken_objects, span.taken_objects);
    page_heap_->CheckMapped(ref, span);
  }

  M* memory_ = nullptr;
  Map* map_ = nullptr;
  PageHeap<M, Map>* page_heap_ = nullptr;
  BitRecords<M>* bits_ = nullptr;
  uint32_t page_shift_ = 0;
  uint8_t size_class_ = 0;
  uint32_t object_bytes_ = 0;
  uint32_t objects_per_span_ = 0;
  uint32_t pages_per_span_ = 0;
  SpanList lists_[kListCount];
  ClassTotals totals_;
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_CENTRAL_FREE_LIST_H_
