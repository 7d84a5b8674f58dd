// The cold half of Heap (heap.h): startup, slow paths, accounting. Included by heap.h only.
#ifndef REHEAP_ALLOC_HEAP_INL_H_
#define REHEAP_ALLOC_HEAP_INL_H_

#include "alloc/heap.h"

namespace reheap {

// --- startup -------------------------------------------------------------------------------------

template <Memory M, template <class> class PageMapT>
Heap<M, PageMapT>::Heap(Os& os, M& memory, const ReservationStrategy& strategy)
    : memory_(&memory),
      classes_(SizeClasses::ForHeapPageShift(strategy.heap_page_shift)),
      page_shift_(strategy.heap_page_shift),
      map_(memory),
      strategy_(strategy),
      os_(&os),
      arena_(os, strategy_),
      span_chunks_(TablesOs(), strategy.metadata_chunk_bytes, strategy.access),
      cache_chunks_(TablesOs(), strategy.metadata_chunk_bytes, strategy.access),
      cache_layout_(classes_) {
  span_records_.Init(memory, span_chunks_, sizeof(Span));
  bit_records_.Init(memory, span_chunks_);
  cache_records_.Init(memory, cache_chunks_, kCacheBytes);
  page_heap_.Init(os, memory, map_, arena_, span_records_, page_shift_);
  for (int c = 1; c < classes_.count(); ++c) {
    central_[c].Init(memory, map_, page_heap_, bit_records_, classes_, page_shift_, c);
  }
}

template <Memory M, template <class> class PageMapT>
OsResult<Done> Heap<M, PageMapT>::CheckStrategy() const {
  const bool bitmap_ok = strategy_.bitmap_bits_per_word == 0 ||
                         strategy_.bitmap_bits_per_word == HeapBitmapLayout::kBitsPerWord;
  const bool has_place = strategy_.page_map != PageMapKind::kNone || OutsideStart() != 0;
  if (strategy_.page_map == Map::kKind && bitmap_ok && has_place && strategy_.metadata_chunk_bytes > 0) return Done();
  Refusal refusal;
  refusal.rule = Rule::kInvalidArgument;
  return refusal;
}

template <Memory M, template <class> class PageMapT>
OsResult<Done> Heap<M, PageMapT>::Start() {
  OsResult<Done> step = CheckStrategy();
  if (step.ok()) step = arena_.Start();
  if (!step.ok()) return step;

  const ReservationStrategy& plan = arena_.plan();
  page_heap_.SetRelease(plan);
  PageMapSetup setup;
  setup.os = &TablesOs();
  setup.strategy = &plan;
  setup.heap_range = arena_.heap_range();
  setup.table = arena_.table_range();
  setup.table_held = setup.table.empty() ? Firmness::kNothing : plan.firmness;
  step = map_.Init(setup);
  if (!step.ok()) return step;
  if (plan.bitmap_bits_per_word != 0) {
    bitmap_.emplace(*memory_, HeapBitmapLayout(arena_.heap_range().start, static_cast<uint64_t>(plan.word_bits) / 8,
                                               plan.bitmap_chunk_bytes));
  }
  step = span_chunks_.Start();
  if (step.ok()) step = cache_chunks_.Start();
  if (step.ok() && plan.startup_heap_bytes > 0) {
    step = page_heap_.Grow(RoundUp(plan.startup_heap_bytes, uint64_t{1} << page_shift_) >> page_shift_);
  }
  if (step.ok()) step = arena_.FinishStart();
  return step;
}

template <Memory M, template <class> class PageMapT>
OsResult<CacheId> Heap<M, PageMapT>::NewCache() {
  CacheId id = lowest_free_id_;
  while (id < cache_ids_ && caches_[id]) ++id;
  lowest_free_id_ = id;
  if (id == kMostCaches) {
    Refusal refusal;
    refusal.rule = Rule::kInvalidArgument;
    refusal.in_use_bytes = refusal.allowed_bytes = uint64_t{kMostCaches} * kCacheBytes;
    refusal.asked_bytes = kCacheBytes;
    return refusal;
  }
  const OsResult<Done> thread = arena_.StartThread();
  if (!thread.ok()) return thread.refusal();
  const OsResult<Addr> record = cache_records_.Allocate();
  if (!record.ok()) return record.refusal();
  cache_layout_.InitCache(*memory_, record.value());
  caches_[id] = record.value();
  if (id == cache_ids_) ++cache_ids_;
  return id;
}

template <Memory M, template <class> class PageMapT>
void Heap<M, PageMapT>::DropCache(CacheId id) {
  REHEAP_CHECK_LT(id, cache_ids_);
  const Addr cache = caches_[id];
  REHEAP_CHECK(cache);
  for (int c = 1; c < classes_.count(); ++c) {
    Flush(cache, c, memory_->template Read<CacheClass>(ClassAddr(cache, c)).length());
  }
  caches_[id] = Addr();
  lowest_free_id_ = std::min(lowest_free_id_, id);
  cache_records_.Free(cache);
}

// --- slow paths ----------------------------------------------------------------------------------

template <Memory M, template <class> class PageMapT>
Addr Heap<M, PageMapT>::Refused(const Refusal& refusal) {
  last_refusal_ = refusal;
  return Addr();
}

template <Memory M, template <class> class PageMapT>
uint64_t Heap<M, PageMapT>::LargePages(uint64_t bytes) const {
  const uint64_t page_bytes = uint64_t{1} << page_shift_;
  // Not RoundUp, which wraps near 2^64.
  return bytes == 0 ? 1 : (bytes >> page_shift_) + ((bytes & (page_bytes - 1)) != 0);
}

template <Memory M, template <class> class PageMapT>
Addr Heap<M, PageMapT>::MallocLarge(uint64_t bytes, uint64_t alignment) {
  if (!IsPowerOfTwo(alignment)) {
    Refusal refusal;
    refusal.rule = Rule::kInvalidArgument;
    refusal.asked_bytes = bytes;
    return Refused(refusal);
  }
  const uint64_t alignment_pages = std::max<uint64_t>(1, alignment >> page_shift_);
  const OsResult<SpanRef> span = page_heap_.Allocate(LargePages(bytes), alignment_pages, SpanState::kLarge);
  if (!span.ok()) return Refused(span.refusal());
  page_heap_.SetLargeBytes(span.value(), bytes);
  const Addr object = memory_->template Read<Span>(span.value()).start;
  if (bitmap_) bitmap_->Set(object, kHeapBitAllocated);
  return object;
}

template <Memory M, template <class> class PageMapT>
Addr Heap<M, PageMapT>::MallocRefill(Addr cache, int size_class) {
  const SizeClass& shape = classes_[size_class];
  RaiseLimit(*memory_, cache, size_class, shape.objects_to_move);
  const CacheClass c = memory_->template Read<CacheClass>(ClassAddr(cache, size_class));
  const uint32_t wanted = std::min(c.limit(), shape.objects_to_move);
  const OsResult<uint32_t> got = central_[size_class].Take(c.begin, wanted);
  if (!got.ok()) return Refused(got.refusal());
  CacheClass& filled = memory_->template Write<CacheClass>(ClassAddr(cache, size_class));
  filled.top = SlotAddr(filled, got.value());
  return Pop(filled);
}

// The oldest `count` slots leave; the newest, which the processor's cache remembers, stay.
template <Memory M, template <class> class PageMapT>
void Heap<M, PageMapT>::Flush(Addr cache, int size_class, uint32_t count) {
  if (count == 0) return;
  CacheClass& c = memory_->template Write<CacheClass>(ClassAddr(cache, size_class));
  central_[size_class].Give(c.begin, count);
  const uint32_t length = c.length();
  for (uint32_t n = count; n < length; ++n) {
    const CacheSlot slot = memory_->template Read<CacheSlot>(SlotAddr(c, n));
    memory_->template Write<CacheSlot>(SlotAddr(c, n - count)) = slot;
  }
  c.top = SlotAddr(c, length - count);
}

// The cache's class is at its limit: that rises, or a batch leaves.
template <Memory M, template <class> class PageMapT>
FreeError Heap<M, PageMapT>::FreeIntoFull(Addr cache, int size_class, Addr object, uint64_t mark) {
  const SizeClass& shape = classes_[size_class];
  if (!RaiseLimit(*memory_, cache, size_class, shape.objects_to_move)) {
    const uint32_t length = memory_->template Read<CacheClass>(ClassAddr(cache, size_class)).length();
    Flush(cache, size_class, std::min(length, shape.objects_to_move));
  }
  Push(memory_->template Write<CacheClass>(ClassAddr(cache, size_class)), object, mark);
  return FreeError::kNone;
}

template <Memory M, template <class> class PageMapT>
FreeError Heap<M, PageMapT>::FreeSlow(Addr object) {
  const Place place = Find(object);
  if (place.error != FreeError::kNone) return place.error;
  if (bitmap_) bitmap_->Clear(object, kHeapBitAllocated);
  page_heap_.Free(place.span);
  return FreeError::kNone;
}

template <Memory M, template <class> class PageMapT>
SpanRef Heap<M, PageMapT>::LiveSpanOf(Addr a) const {
  const SpanRef ref = map_.Get(PageOf(a));
  if (!ref) return ref;
  // The page may name the record of an earlier span (page_heap.h).
  const Span& span = memory_->template Read<Span>(ref);
  const bool covers = a >= span.start && a < span.end(page_shift_);
  return covers && span.in_use() ? ref : SpanRef();
}

template <Memory M, template <class> class PageMapT>
typename Heap<M, PageMapT>::Place Heap<M, PageMapT>::Find(Addr object) const {
  Place place;
  place.span = LiveSpanOf(object);
  if (!place.span) {
    // A page that had a span once, and the start of a page: what was freed there was most likely the object.
    const bool was_start = object.value() % (uint64_t{1} << page_shift_) == 0;
    if (was_start && map_.Get(PageOf(object))) place.error = FreeError::kDoubleFree;
    return place;
  }
  const Span& span = memory_->template Read<Span>(place.span);
  const uint64_t offset = object - span.start;
  place.small = span.state == SpanState::kSmall;
  place.error = FreeError::kInterior;
  if (!place.small) {
    if (offset == 0) place.error = FreeError::kNone;
    return place;
  }
  const uint32_t index = span.IndexOf(offset);
  if (offset >= span.small_bytes || uint64_t{index} * span.object_bytes != offset) return place;
  place.mark = MarkOf(span.allocated_bits, index);
  const uint32_t word = memory_->template Read<uint32_t>(MarkWord(place.mark));
  place.error = IsMarked(word, place.mark) ? FreeError::kNone : FreeError::kDoubleFree;
  return place;
}

template <Memory M, template <class> class PageMapT>
Addr Heap<M, PageMapT>::Resize(CacheId id, Addr object, uint64_t bytes, FreeError* error) {
  const Place place = Find(object);
  *error = place.error;
  if (place.error != FreeError::kNone) return Addr();
  const Span& span = memory_->template Read<Span>(place.span);
  const int size_class = classes_.ClassFor(bytes);
  if (place.small && size_class == span.size_class) return object;
  if (!place.small && size_class == 0) {
    const uint64_t pages = LargePages(bytes);
    const bool fits = pages == span.pages || (pages < span.pages && page_heap_.Shrink(place.span, pages));
    if (fits) {
      page_heap_.SetLargeBytes(place.span, bytes);
      return object;
    }
  }
  const Addr moved = Malloc(id, bytes, 1);
  if (!moved) return moved;
  *error = Free(id, object);
  REHEAP_CHECK(*error == FreeError::kNone);
  return moved;
}

template <Memory M, template <class> class PageMapT>
SpanInfo Heap<M, PageMapT>::SpanOf(Addr a) const {
  SpanInfo info;
  const SpanRef ref = LiveSpanOf(a);
  if (!ref) return info;
  const Span& span = memory_->template Read<Span>(ref);
  info.state = span.state;
  info.pages = {span.start, uint64_t{span.pages} << page_shift_};
  info.size_class = span.size_class;
  info.objects = info.live_objects = 1;
  if (span.state != SpanState::kSmall) return info;
  info.object_bytes = span.object_bytes;
  info.objects = span.objects;
  info.live_objects = 0;
  for (uint32_t word = 0; word < BitWords(span.objects); ++word) {
    info.live_objects +=
        static_cast<uint32_t>(std::popcount(memory_->template Read<uint32_t>(AllocatedWord(span, word))));
  }
  return info;
}

template <Memory M, template <class> class PageMapT>
int Heap<M, PageMapT>::SizeClassOf(Addr object) const {
  const SpanRef ref = LiveSpanOf(object);
  return ref ? memory_->template Read<Span>(ref).size_class : 0;
}

template <Memory M, template <class> class PageMapT>
uint64_t Heap<M, PageMapT>::UsableBytes(Addr object) const {
  const Place place = Find(object);
  if (place.error != FreeError::kNone) return 0;
  const Span& span = memory_->template Read<Span>(place.span);
  return place.small ? span.object_bytes : uint64_t{span.pages} << page_shift_;
}

// --- accounting ----------------------------------------------------------------------------------

template <Memory M, template <class> class PageMapT>
void Heap<M, PageMapT>::CountCached(uint64_t* cached) const {
  for (CacheId id = 0; id < cache_ids_; ++id) {
    if (!caches_[id]) continue;
    for (int c = 1; c < classes_.count(); ++c) {
      cached[c] += memory_->template Read<CacheClass>(ClassAddr(caches_[id], c)).length();
    }
  }
}

template <Memory M, template <class> class PageMapT>
HeapStats Heap<M, PageMapT>::StatsFrom(const PageTotals& pages, const ClassTotals* classes,
                                       const uint64_t* cached) const {
  HeapStats stats;
  stats.heap_bytes = arena_.heap_bytes();
  stats.held_bytes = arena_.held_bytes();
  stats.lost_bytes = arena_.lost_bytes();
  stats.free_bytes = pages.free << page_shift_;
  stats.discarded_bytes = pages.discarded << page_shift_;
  stats.small_span_bytes = pages.small << page_shift_;
  stats.large_span_bytes = pages.large << page_shift_;
  stats.large_objects = stats.live_objects = pages.large_objects;
  stats.live_bytes = stats.large_span_bytes;
  stats.large_requested_bytes = pages.large_requested_bytes;
  for (int c = 1; c < classes_.count(); ++c) {
    const uint64_t object_bytes = classes_[c].object_bytes;
    const uint64_t live = classes[c].taken - cached[c];
    stats.live_objects += live;
    stats.live_bytes += live * object_bytes;
    stats.cached_objects += cached[c];
    stats.cached_bytes += cached[c] * object_bytes;
    stats.central_bytes += (classes[c].objects - classes[c].taken) * object_bytes;
    stats.small_spans += classes[c].spans;
  }
  stats.span_records = span_records_.live_records();
  stats.caches = cache_records_.live_records();
  stats.metadata_bytes = span_chunks_.mapped_bytes() + cache_chunks_.mapped_bytes();
  stats.metadata_used_bytes =
      span_records_.live_bytes() + bit_records_.live_bytes() + cache_records_.live_bytes();
  stats.bitmap_bytes = arena_.bitmap().bytes;
  stats.page_map = map_.Cost();
  return stats;
}

template <Memory M, template <class> class PageMapT>
HeapStats Heap<M, PageMapT>::stats() const {
  ClassTotals classes[kMostClasses];
  uint64_t cached[kMostClasses] = {};
  for (int c = 1; c < classes_.count(); ++c) classes[c] = central_[c].totals();
  CountCached(cached);
  return StatsFrom(page_heap_.totals(), classes, cached);
}

template <Memory M, template <class> class PageMapT>
HeapStats Heap<M, PageMapT>::RecountSlow() const {
  ClassTotals classes[kMostClasses];
  uint64_t cached[kMostClasses] = {};
  uint64_t small_pages = 0;
  for (int c = 1; c < classes_.count(); ++c) {
    uint64_t live_objects = 0;
    classes[c] = central_[c].RecountSlow(live_objects);
    small_pages += classes[c].pages;
    // Taken and not allocated: it must be in a cache.
    cached[c] = classes[c].taken - live_objects;
  }
  return StatsFrom(page_heap_.RecountSlow(small_pages), classes, cached);
}

template <Memory M, template <class> class PageMapT>
void Heap<M, PageMapT>::CheckCache(Addr cache) const {
  for (int n = 1; n < classes_.count(); ++n) {
    const CacheClass c = memory_->template Read<CacheClass>(ClassAddr(cache, n));
    REHEAP_CHECK_LE(c.begin.value(), c.top.value());
    REHEAP_CHECK_LE(c.top.value(), c.end.value());
    REHEAP_CHECK_LE(c.end.value(), c.most_end.value());
    for (Addr at = c.begin; at < c.top; at = at + sizeof(CacheSlot)) {
      const CacheSlot slot = memory_->template Read<CacheSlot>(at);
      const Place place = Find(slot.object);
      REHEAP_CHECK(place.error == FreeError::kDoubleFree);
      REHEAP_CHECK_EQ(place.mark, slot.mark);
      REHEAP_CHECK_EQ(memory_->template Read<Span>(place.span).size_class, n);
    }
  }
}

template <Memory M, template <class> class PageMapT>
void Heap<M, PageMapT>::CheckInvariants() const {
  arena_.CheckInvariants();
  span_records_.CheckInvariants();
  cache_records_.CheckInvariants();
  bit_records_.CheckInvariants();
  page_heap_.CheckInvariants();
  uint64_t spans = page_heap_.CountSpans();
  for (int c = 1; c < classes_.count(); ++c) {
    central_[c].CheckInvariants();
    spans += central_[c].totals().spans;
  }
  REHEAP_CHECK_EQ(spans, span_records_.live_records());
  for (CacheId id = 0; id < cache_ids_; ++id) {
    if (caches_[id]) CheckCache(caches_[id]);
  }
}

}  // namespace reheap

#endif  // REHEAP_ALLOC_HEAP_INL_H_
