// When PageHeap gives memory back to the OS, and how that comes to be used again. Included by page_heap.h only.
//
//   plan      when                      which                                              as
//   kIdle     each tick                 whole spans, free for the age                      Go 1.0, MHeap_Scavenger
//   kRate     pages became free         one whole span, the lengths in turn                gperftools, IncrementalScavenge
//   kDecay    each of 200 epochs        whole spans, the oldest first, down to the curve   jemalloc, decay.c
//   kGoal     each tick                 the longest first, no more than is too much        Go 1.13, retain percent
//
// Nothing here runs on Malloc or Free of what a cache holds: it is Advance, which the replay calls between events,
// or the page heap's own Free. A span is as old as its youngest page: whoever joins it makes it young (as in Go); a
// growth nobody used yet is free memory like any other. The walks over the free spans are as long as there are such.
#ifndef REHEAP_ALLOC_PAGE_HEAP_RELEASE_INL_H_
#define REHEAP_ALLOC_PAGE_HEAP_RELEASE_INL_H_

#include "alloc/page_heap.h"

namespace reheap {

template <Memory M, PageMap Map>
void PageHeap<M, Map>::SetRelease(const ReservationStrategy& plan) {
  release_ = plan.release;
  access_ = plan.access;
  commit_method_ = plan.commit_method;
  if (release_.is_timed()) look_ns_ = 0;
  if (release_.policy == ReleasePolicy::kDecay) decay_.Start(release_.decay_ns, 0);
  if (release_.policy == ReleasePolicy::kRate) freed_pages_left_ = 0;
}

template <Memory M, PageMap Map>
void PageHeap<M, Map>::Advance(uint64_t now_ns) {
  now_ns_ = std::max(now_ns_, now_ns);
  if (now_ns_ < look_ns_) return;
  switch (release_.policy) {
    case ReleasePolicy::kIdle:
      ReleaseIdle(release_.age_ns);
      break;
    case ReleasePolicy::kGoal: {
      const uint64_t keep_pages = PagesInUse() * release_.keep_percent / 100;
      if (totals_.free > keep_pages) ReleaseLongest(totals_.free - keep_pages, /*whole=*/false);
      break;
    }
    case ReleasePolicy::kDecay: {
      const uint64_t keep_pages = decay_.PagesToKeep(now_ns_, totals_.free);
      if (totals_.free > keep_pages) ReleaseOldest(totals_.free - keep_pages);
      look_ns_ = now_ns_;  // the curve knows its own epochs
      return;
    }
    case ReleasePolicy::kNever:
    case ReleasePolicy::kRate:
      return;
  }
  // On the grid of ticks: how often the time is told does not move them.
  look_ns_ = release_.tick_ns == 0 ? now_ns_ : (now_ns_ / release_.tick_ns + 1) * release_.tick_ns;
}

// --- which spans go ------------------------------------------------------------------------------

// Calls visit(ref, span) for each free span, the longest first, until the OS refuses to take one (linux: no mapping left
// to split; the next would fare no better). `visit` may give the span back.
template <Memory M, PageMap Map>
template <class Visit>
void PageHeap<M, Map>::ForEachReady(Visit visit) {
  is_refused_ = false;
  for (int n = kLists; n > 0; --n) {
    const int list = n % kLists;  // list 0 holds the longest
    for (SpanRef ref = free_[kReady].lists[list].first; ref;) {
      const Span span = memory_->template Read<Span>(ref);
      visit(ref, span);
      if (is_refused_) return;
      ref = span.next;
    }
  }
}

template <Memory M, PageMap Map>
uint64_t PageHeap<M, Map>::ReleaseFreePages(uint64_t bytes) {
  const uint64_t page_bytes = uint64_t{1} << page_shift_;
  const uint64_t pages = (bytes >> page_shift_) + ((bytes & (page_bytes - 1)) != 0);
  return ReleaseLongest(pages, /*whole=*/true) << page_shift_;
}

// Until `pages` went. `whole`: of the last span all goes.
template <Memory M, PageMap Map>
uint64_t PageHeap<M, Map>::ReleaseLongest(uint64_t pages, bool whole) {
  uint64_t released_pages = 0;
  ForEachReady([&](SpanRef ref, const Span& span) {
    if (released_pages >= pages) return;
    released_pages += ReleaseSpan(ref, whole ? span.pages : pages - released_pages);
  });
  return released_pages;
}

template <Memory M, PageMap Map>
void PageHeap<M, Map>::ReleaseIdle(uint64_t age_ns) {
  ForEachReady([&](SpanRef ref, const Span& span) {
    if (now_ns_ - span.free_since_ns >= age_ns) ReleaseSpan(ref, span.pages);
  });
}

// Spans by their age in epochs: one walk counts them, one lets the oldest go. Without memory of its own.
template <Memory M, PageMap Map>
void PageHeap<M, Map>::ReleaseOldest(uint64_t pages) {
  uint64_t by_age[DecayCurve::kEpochs + 1] = {};
  const auto age_of = [&](const Span& span) {
    return std::min((now_ns_ - span.free_since_ns) / decay_.epoch_ns(), DecayCurve::kEpochs);
  };
  ForEachReady([&](SpanRef, const Span& span) {
    by_age[age_of(span)] += span.pages;
  });
  uint64_t youngest = DecayCurve::kEpochs;  // of those that go
  uint64_t older_pages = 0;
  while (youngest > 0 && older_pages + by_age[youngest] < pages) older_pages += by_age[youngest--];
  uint64_t from_youngest_pages = pages - older_pages;
  ForEachReady([&](SpanRef ref, const Span& span) {
    const uint64_t age = age_of(span);
    if (age < youngest || (age == youngest && from_youngest_pages == 0)) return;
    const uint64_t released_pages = ReleaseSpan(ref, span.pages);
    if (age == youngest) from_youngest_pages -= std::min(from_youngest_pages, released_pages);
  });
}

// gperftools 2.10, PageHeap::IncrementalScavenge and ReleaseAtLeastNPages: the lengths take turns; after one span the
// pages to wait for are a multiple of its own, after none 2^18; never more than 2^20.
template <Memory M, PageMap Map>
void PageHeap<M, Map>::ReleaseByRate() {
  constexpr uint64_t kNothingToRelease = 1 << 18, kMostWait = 1 << 20;
  uint64_t released_pages = 0;
  for (int n = 0; n < kLists && released_pages == 0; ++n) {
    rate_list_ = (rate_list_ + 1) % kLists;
    const SpanRef ref = free_[kReady].lists[rate_list_].first;
    if (ref) released_pages = ReleaseSpan(ref, memory_->template Read<Span>(ref).pages);
  }
  const uint64_t wait_pages = std::min(released_pages * release_.pages_freed_per_page, kMostWait);
  freed_pages_left_ = static_cast<int64_t>(released_pages == 0 ? kNothingToRelease : wait_pages);
}

// --- giving back ---------------------------------------------------------------------------------

// Gives back the last `most_pages` of a free span, or a little more: whole OS pages. How many; 0: it has none, there is
// no record for its rest, or the OS refused.
template <Memory M, PageMap Map>
uint64_t PageHeap<M, Map>::ReleaseSpan(SpanRef ref, uint64_t most_pages) {
  const Span whole = memory_->template Read<Span>(ref);
  const uint64_t os_page_bytes = os_->os_page_bytes();
  const Addr whole_end = whole.end(page_shift_);
  const Addr end = RoundDown(whole_end, os_page_bytes);
  Addr start = RoundUp(whole.start, os_page_bytes);
  if (most_pages < whole.pages) {
    start = std::max(start, RoundDown(whole_end - (most_pages << page_shift_), os_page_bytes));
  }
  if (start >= end) return 0;
  const bool has_rest = start != whole.start || end != whole_end;
  if (has_rest && !records_->Ensure(2).ok()) return 0;
  const AddrRange range{start, end - start};
  is_refused_ = !GiveBackByParts(range);
  if (is_refused_) return 0;
  RemoveFree(ref);
  Span& span = memory_->template Write<Span>(ref);
  span.start = start;
  span.pages = static_cast<uint32_t>(range.bytes >> page_shift_);
  span.state = SpanState::kDiscarded;  // before its rests look for neighbours
  const uint64_t pages = span.pages;
  totals_.free -= pages;
  totals_.discarded += pages;
  InsertRest(whole.start, start, whole.free_since_ns, SpanState::kFree);
  InsertRest(end, whole_end, whole.free_since_ns, SpanState::kFree);
  InsertJoined(ref, SpanState::kDiscarded);
  return pages;
}

// A free span may have joined pieces that the OS handed out one by one, and windows gives back or commits
// within one of them only (MEM_DECOMMIT, MEM_COMMIT over two allocations: ERROR_INVALID_ADDRESS). So a
// refusal is tried again with halves, down to a heap page, as Go does since 30b8af98c (issue 7143).
template <Memory M, PageMap Map>
template <class Call>
OsResult<Done> PageHeap<M, Map>::ByParts(AddrRange range, uint64_t* done_bytes, Call call) const {
  const uint64_t page_bytes = std::max(uint64_t{1} << page_shift_, os_->os_page_bytes());
  while (range.bytes > 0) {
    uint64_t part_bytes = range.bytes;
    OsResult<Done> result = call({range.start, part_bytes});
    while (!result.ok() && part_bytes > page_bytes) {
      part_bytes = RoundUp(part_bytes / 2, page_bytes);
      result = call({range.start, part_bytes});
    }
    if (!result.ok()) return result;
    *done_bytes += part_bytes;
    range = {range.start + part_bytes, range.bytes - part_bytes};
  }
  return Done();
}

// False: nothing was given back. A part counts for the whole: the next reuse makes all of it usable.
template <Memory M, PageMap Map>
bool PageHeap<M, Map>::GiveBackByParts(AddrRange range) const {
  uint64_t done_bytes = 0;
  const bool decommit = release_.method == ReleaseMethod::kDecommit;
  const OsResult<Done> result = ByParts(
      range, &done_bytes, [&](AddrRange part) { return decommit ? os_->Decommit(part) : os_->Discard(part); });
  return result.ok() || done_bytes > 0;
}

template <Memory M, PageMap Map>
OsResult<Done> PageHeap<M, Map>::ReuseByParts(AddrRange range) const {
  uint64_t done_bytes = 0;
  const bool commit = release_.method == ReleaseMethod::kDecommit;
  return ByParts(range, &done_bytes, [&](AddrRange part) {
    return commit ? os_->Commit(part, access_, commit_method_) : os_->Reuse(part);
  });
}

// --- using again ---------------------------------------------------------------------------------

// A span to cut `pages` out of, usable there; none where discarded spans, with what is free between them, are too
// short.
template <Memory M, PageMap Map>
OsResult<SpanRef> PageHeap<M, Map>::FindReused(uint64_t searched_pages, uint64_t pages, uint64_t alignment_pages) {
  SpanRef ref = FindFree(kGone, searched_pages);
  // An OS page that two spans share cannot be committed for one of them without wiping the other's part.
  const bool by_parts = os_->os_page_bytes() <= uint64_t{1} << page_shift_;
  if (ref && by_parts) {
    const Addr start = RoundUp(memory_->template Read<Span>(ref).start, alignment_pages << page_shift_);
    const OsResult<Done> reused = ReuseByParts({start, pages << page_shift_});
    return reused.ok() ? OsResult<SpanRef>(ref) : reused.refusal();
  }
  if (!ref) ref = FindRun(searched_pages);
  if (!ref) return SpanRef();
  // The whole run, from its first discarded span on; what joins at the left lies before it.
  while (ref) {
    const OsResult<Done> reused = ReuseWhole(ref);
    if (!reused.ok()) return reused.refusal();
    const Span& span = memory_->template Read<Span>(ref);
    if (span.pages >= searched_pages) return ref;
    ref = RightOf(span, SpanState::kDiscarded);
  }
  return FindFree(kReady, searched_pages);
}

template <Memory M, PageMap Map>
OsResult<Done> PageHeap<M, Map>::ReuseWhole(SpanRef ref) {
  const Span span = memory_->template Read<Span>(ref);
  const OsResult<Done> reused = ReuseByParts({span.start, uint64_t{span.pages} << page_shift_});
  if (!reused.ok()) return reused;
  RemoveFree(ref);
  totals_.discarded -= span.pages;
  totals_.free += span.pages;
  memory_->template Write<Span>(ref).free_since_ns = now_ns_;
  InsertJoined(ref, SpanState::kFree);
  return Done();
}

// The first discarded span of a run of free and discarded ones that has `pages` together; none: there is no such run.
template <Memory M, PageMap Map>
SpanRef PageHeap<M, Map>::FindRun(uint64_t pages) const {
  if (totals_.free + totals_.discarded < pages) return SpanRef();
  for (const SpanList& list : free_[kGone].lists) {
    for (SpanRef first = list.first; first;) {
      const Span& span = memory_->template Read<Span>(first);
      const SpanRef left = LeftOf(span, SpanState::kFree);
      const Span before = left ? memory_->template Read<Span>(left) : Span{};
      // A run is walked from its first discarded span alone.
      uint64_t run_pages = before.pages;
      SpanRef at = left && LeftOf(before, SpanState::kDiscarded) ? SpanRef() : first;
      while (at) {
        const Span& piece = memory_->template Read<Span>(at);
        run_pages += piece.pages;
        if (run_pages >= pages) return first;
        const SpanRef free = RightOf(piece, SpanState::kFree);
        at = free ? free : RightOf(piece, SpanState::kDiscarded);
      }
      first = span.next;
    }
  }
  return SpanRef();
}

}  // namespace reheap

#endif  // REHEAP_ALLOC_PAGE_HEAP_RELEASE_INL_H_
