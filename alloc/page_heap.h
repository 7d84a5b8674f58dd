// PageHeap: spans of heap pages, free and large, below the central lists (row 7 of the walk).
//
//   Allocate  best fit among free spans, the lowest of equal ones from 256 pages on; the rest is split off;
//             nothing fits: discarded spans are made usable again, then the Arena grows
//   Free      joins free neighbours, found through the page map
//
// The page map holds a span in use at each of its pages, a free one at its first and last page. Pages inside
// a free span may still name the record of an earlier span: a reader checks that the span covers the page.
//
// Free memory goes back to the OS only on ReleaseFreePages (the runtimes of early 2011 never gave any back).
// Discarded spans do not join others, because Prepared and Ready memory must not be confused (alloc/os.h).
//
// Ownership: span records from a pool that the heap owns. Threads: as the heap (one lock would guard this
// class). Limits: 2^32 - 1 pages in a span; the list of spans of 256 pages and more is searched to its end.
#ifndef REHEAP_ALLOC_PAGE_HEAP_H_
#define REHEAP_ALLOC_PAGE_HEAP_H_

#include <algorithm>
#include <bit>
#include <cstdint>

#include "alloc/addr.h"
#include "alloc/arena.h"
#include "alloc/check.h"
#include "alloc/memory.h"
#include "alloc/os.h"
#include "alloc/page_map.h"
#include "alloc/record_pool.h"
#include "alloc/span.h"

namespace reheap {

// Heap pages by what they hold.
struct PageTotals {
  uint64_t free = 0;
  uint64_t discarded = 0;
  uint64_t small = 0;
  uint64_t large = 0;
  uint64_t large_objects = 0;
  uint64_t large_requested_bytes = 0;

  uint64_t pages() const { return free + discarded + small + large; }
  friend bool operator==(const PageTotals&, const PageTotals&) = default;
};

template <Memory M, PageMap Map>
class PageHeap {
 public:
  // Nothing is owned.
  void Init(Os& os, M& memory, Map& map, Arena& arena, RecordPool<M>& records, uint32_t page_shift) {
    os_ = &os;
    memory_ = &memory;
    map_ = &map;
    arena_ = &arena;
    records_ = &records;
    page_shift_ = page_shift;
  }

  // Grows by at least `pages`, before anybody asks.
  OsResult<Done> Grow(uint64_t pages) {
    // The record first: a growth without a record would have to be undone.
    const OsResult<Done> record = records_->Ensure(1);
    if (!record.ok()) return record;
    const OsResult<AddrRange> piece = arena_->Grow(pages << page_shift_);
    if (!piece.ok()) return piece.refusal();
    const uint64_t got_pages = piece.value().bytes >> page_shift_;
    const OsResult<Done> prepared = map_->Prepare(PageOf(piece.value().start), PageCount(got_pages));
    if (!prepared.ok()) {
      arena_->GiveBack(piece.value());
      return prepared;
    }
    InsertJoined(NewSpan(piece.value().start, got_pages), SpanState::kFree);
    totals_.free += got_pages;
    return Done();
  }

  // A span in state `state` (kSmall or kLarge), `pages` long, its start a multiple of `alignment_pages`
  // pages. Preconditions: alignment_pages is a power of two.
  OsResult<SpanRef> Allocate(uint64_t pages, uint64_t alignment_pages, SpanState state) {
    const uint64_t searched_pages = pages + alignment_pages - 1;
    if (pages >= kMostPages || searched_pages >= kMostPages) return TooLong(searched_pages);
    // A span may be cut in three.
    const OsResult<Done> records = records_->Ensure(3);
    if (!records.ok()) return records.refusal();
    SpanRef ref = FindFree(searched_pages);
    if (!ref && totals_.discarded >= searched_pages) {
      const OsResult<Done> reused = ReuseDiscarded();
      if (!reused.ok()) return reused.refusal();
      ref = FindFree(searched_pages);
    }
    if (!ref) {
      const OsResult<Done> grown = Grow(searched_pages);
      if (!grown.ok()) return grown.refusal();
      const OsResult<Done> again = records_->Ensure(3);
      if (!again.ok()) return again.refusal();
      ref = FindFree(searched_pages);
    }
    REHEAP_CHECK(ref);
    return Cut(ref, pages, alignment_pages, state);
  }

  // Preconditions: `ref` is in use; a large one is on no list but ours, a small one on none.
  void Free(SpanRef ref) {
    Span& span = memory_->template Write<Span>(ref);
    const uint64_t pages = span.pages;
    if (span.state == SpanState::kLarge) {
      large_.Remove(*memory_, ref);
      totals_.large -= pages;
      --totals_.large_objects;
      totals_.large_requested_bytes -= span.large_bytes;
    } else {
      REHEAP_CHECK(span.state == SpanState::kSmall);
      totals_.small -= pages;
    }
    const Addr start = span.start;
    span = Span{};
    span.start = start;
    span.pages = static_cast<uint32_t>(pages);
    totals_.free += pages;
    InsertJoined(ref, SpanState::kFree);
  }

  // The tail of a large span beyond `pages` becomes free. False: there is no record for it, nothing changed.
  bool Shrink(SpanRef ref, uint64_t pages) {
    if (!records_->Ensure(1).ok()) return false;
    Span& span = memory_->template Write<Span>(ref);
    REHEAP_CHECK(span.state == SpanState::kLarge);
    REHEAP_CHECK_LT(pages, span.pages);
    const uint64_t tail_pages = span.pages - pages;
    const Addr tail = span.start + (pages << page_shift_);
    span.pages = static_cast<uint32_t>(pages);
    totals_.large -= tail_pages;
    totals_.free += tail_pages;
    InsertJoined(NewSpan(tail, tail_pages), SpanState::kFree);
    return true;
  }

  void SetLargeBytes(SpanRef ref, uint64_t bytes) {
    Span& span = memory_->template Write<Span>(ref);
    totals_.large_requested_bytes += bytes - span.large_bytes;
    span.large_bytes = bytes;
  }

  // Discards free spans, the longest first, until `bytes` are given back; the bytes that were.
  uint64_t ReleaseFreePages(uint64_t bytes) {
    uint64_t released = 0;
    for (int n = kLists; n > 0 && released < bytes;) {
      const int list = n % kLists;  // list 0 holds the longest
      const SpanRef ref = free_[kReady].lists[list].first;
      if (!ref) {
        --n;
        continue;
      }
      const Span& span = memory_->template Read<Span>(ref);
      const uint64_t pages = span.pages;
      if (!DiscardByParts({span.start, pages << page_shift_})) break;
      RemoveFree(ref);
      totals_.free -= pages;
      totals_.discarded += pages;
      InsertJoined(ref, SpanState::kDiscarded);
      released += pages << page_shift_;
    }
    return released;
  }

  const PageTotals& totals() const { return totals_; }

  // Counts by walking the lists; `small_pages` are those of the central lists.
  PageTotals RecountSlow(uint64_t small_pages) const {
    PageTotals totals;
    totals.small = small_pages;
    for (int kind = 0; kind < 2; ++kind) {
      for (const SpanList& list : free_[kind].lists) {
        list.ForEach(*memory_, [&](SpanRef, const Span& span) {
          (kind == kReady ? totals.free : totals.discarded) += span.pages;
        });
      }
    }
    large_.ForEach(*memory_, [&](SpanRef, const Span& span) {
      totals.large += span.pages;
      ++totals.large_objects;
      totals.large_requested_bytes += span.large_bytes;
    });
    return totals;
  }

  // Free and large spans.
  uint64_t CountSpans() const {
    uint64_t spans = large_.spans;
    for (const FreeSpans& free : free_) {
      for (const SpanList& list : free.lists) spans += list.spans;
    }
    return spans;
  }

  void CheckInvariants() const {
    for (int kind = 0; kind < 2; ++kind) {
      for (int n = 0; n < kLists; ++n) {
        const SpanList& list = free_[kind].lists[n];
        REHEAP_CHECK_EQ(list.first ? 1 : 0, (free_[kind].filled[n / 64] >> (n % 64)) & 1);
        list.ForEach(*memory_, [&](SpanRef ref, const Span& span) { CheckFree(kind, n, ref, span); });
      }
    }
    large_.ForEach(*memory_, [&](SpanRef ref, const Span& span) {
      REHEAP_CHECK(span.state == SpanState::kLarge);
      CheckMapped(ref, span);
    });
    REHEAP_CHECK_EQ(totals_.pages() << page_shift_, arena_->heap_bytes());
  }

  // Every page of a span in use names it.
  void CheckMapped(SpanRef ref, const Span& span) const {
    for (uint64_t n = 0; n < span.pages; ++n) {
      REHEAP_CHECK_EQ(map_->Get(PageOf(span.start) + PageCount(n)).value(), ref.value());
    }
  }

 private:
  // 1 .. 255 pages each its own, all longer ones (1 MiB of 4 KiB pages) in list 0.
  static constexpr int kLists = 256;
  static constexpr uint64_t kMostPages = ~uint32_t{0};
  enum Kind { kReady = 0, kGone = 1 };

  struct FreeSpans {
    SpanList lists[kLists];
    uint64_t filled[kLists / 64] = {};  // bit n: list n has a span
  };

  PageId PageOf(Addr a) const { return PageId::Containing(a, page_shift_); }
  static int ListOf(uint64_t pages) { return pages < kLists ? static_cast<int>(pages) : 0; }
  static int KindOf(SpanState state) { return state == SpanState::kFree ? kReady : kGone; }

  SpanRef NewSpan(Addr start, uint64_t pages) {
    const SpanRef ref = records_->Allocate().value();  // Ensure was called before
    Span& span = memory_->template Write<Span>(ref);
    span.start = start;
    span.pages = static_cast<uint32_t>(pages);
    return ref;
  }

  // --- the free lists ----------------------------------------------------------------------------

  void RemoveFree(SpanRef ref) {
    const Span& span = memory_->template Read<Span>(ref);
    FreeSpans& free = free_[KindOf(span.state)];
    const int n = ListOf(span.pages);
    free.lists[n].Remove(*memory_, ref);
    if (!free.lists[n].first) free.filled[n / 64] &= ~(uint64_t{1} << (n % 64));
  }

  // Puts a span on its list, joined with neighbours in the same state. The totals are the caller's.
  void InsertJoined(SpanRef ref, SpanState state) {
    Span& span = memory_->template Write<Span>(ref);
    const SpanRef left = map_->Get(PageOf(span.start) - PageCount(1));
    if (left && IsNeighbour(left, state, /*ends_at=*/span.start, Addr())) {
      span.start = memory_->template Read<Span>(left).start;
      Absorb(span, left);
    }
    const Addr end = span.end(page_shift_);
    const SpanRef right = map_->Get(PageOf(end));
    if (right && IsNeighbour(right, state, Addr(), /*starts_at=*/end)) Absorb(span, right);
    span.state = state;

    const PageId first = PageOf(span.start);
    const uint64_t pages = span.pages;
    map_->Set(first, PageCount(1), ref);
    if (pages > 1) map_->Set(first + PageCount(pages - 1), PageCount(1), ref);
    FreeSpans& free = free_[KindOf(state)];
    const int n = ListOf(pages);
    free.lists[n].Push(*memory_, ref);
    free.filled[n / 64] |= uint64_t{1} << (n % 64);
  }

  bool IsNeighbour(SpanRef ref, SpanState state, Addr ends_at, Addr starts_at) const {
    const Span& span = memory_->template Read<Span>(ref);
    if (span.state != state) return false;
    return ends_at ? span.end(page_shift_) == ends_at : span.start == starts_at;
  }

  void Absorb(Span& span, SpanRef neighbour) {
    RemoveFree(neighbour);
    Span& gone = memory_->template Write<Span>(neighbour);
    REHEAP_CHECK_LT(uint64_t{span.pages} + gone.pages, kMostPages);
    span.pages += gone.pages;
    gone = Span{};
    records_->Free(neighbour);
  }

  // The shortest free span of at least `pages`; among long ones of equal length the lowest. Preconditions:
  // pages > 0, or list 0 would count as the shortest.
  SpanRef FindFree(uint64_t pages) const {
    const FreeSpans& free = free_[kReady];
    if (pages < kLists) {
      for (uint64_t word = pages / 64; word < kLists / 64; ++word) {
        uint64_t filled = free.filled[word];
        if (word == pages / 64) filled &= ~uint64_t{0} << (pages % 64);
        if (filled != 0) return free.lists[word * 64 + static_cast<uint64_t>(std::countr_zero(filled))].first;
      }
    }
    SpanRef best;
    uint64_t best_pages = ~uint64_t{0};
    Addr best_start;
    for (SpanRef ref = free.lists[0].first; ref;) {
      const Span& span = memory_->template Read<Span>(ref);
      const bool better = span.pages < best_pages || (span.pages == best_pages && span.start < best_start);
      if (span.pages >= pages && better) {
        best = ref;
        best_pages = span.pages;
        best_start = span.start;
      }
      ref = span.next;
    }
    return best;
  }

  // A free span may have joined pieces that the OS handed out one by one, and windows gives back or commits
  // within one of them only (MEM_DECOMMIT, MEM_COMMIT over two allocations: ERROR_INVALID_ADDRESS). So a
  // refusal is tried again with halves, down to a heap page, as Go does since 30b8af98c (issue 7143).
  template <class Call>
  OsResult<Done> ByParts(AddrRange range, uint64_t* done_bytes, Call call) const {
    const uint64_t page_bytes = uint64_t{1} << page_shift_;
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

  // False: nothing was discarded. A part counts for the whole: the next Reuse makes all of it usable.
  bool DiscardByParts(AddrRange range) const {
    uint64_t done_bytes = 0;
    const OsResult<Done> result =
        ByParts(range, &done_bytes, [&](AddrRange part) { return os_->Discard(part); });
    return result.ok() || done_bytes > 0;
  }

  OsResult<Done> ReuseByParts(AddrRange range) const {
    uint64_t done_bytes = 0;
    return ByParts(range, &done_bytes, [&](AddrRange part) { return os_->Reuse(part); });
  }

  OsResult<Done> ReuseDiscarded() {
    for (SpanList& list : free_[kGone].lists) {
      while (list.first) {
        const SpanRef ref = list.first;
        const Span& span = memory_->template Read<Span>(ref);
        const uint64_t pages = span.pages;
        const OsResult<Done> reused = ReuseByParts({span.start, pages << page_shift_});
        if (!reused.ok()) return reused;
        RemoveFree(ref);
        totals_.discarded -= pages;
        totals_.free += pages;
        InsertJoined(ref, SpanState::kFree);
      }
    }
    return Done();
  }

  // Makes the free span `ref` a span in use of `pages`; what is before and behind it stays free.
  // Preconditions: it is long enough for the alignment; two records can be had.
  SpanRef Cut(SpanRef ref, uint64_t pages, uint64_t alignment_pages, SpanState state) {
    RemoveFree(ref);
    Span& span = memory_->template Write<Span>(ref);
    span.state = state;
    const Addr whole_start = span.start;
    const Addr whole_end = span.end(page_shift_);
    span.start = RoundUp(whole_start, alignment_pages << page_shift_);
    span.pages = static_cast<uint32_t>(pages);
    const Addr start = span.start;
    const Addr end = span.end(page_shift_);
    REHEAP_CHECK_LE(end.value(), whole_end.value());
    map_->Set(PageOf(start), PageCount(pages), ref);
    if (start > whole_start)
      InsertJoined(NewSpan(whole_start, (start - whole_start) >> page_shift_), SpanState::kFree);
    if (end < whole_end) InsertJoined(NewSpan(end, (whole_end - end) >> page_shift_), SpanState::kFree);
    totals_.free -= pages;
    if (state == SpanState::kLarge) {
      large_.Push(*memory_, ref);
      totals_.large += pages;
      ++totals_.large_objects;
    } else {
      totals_.small += pages;
    }
    return ref;
  }

  Refusal TooLong(uint64_t pages) const {
    Refusal refusal;
    refusal.rule = Rule::kOutOfUserRange;
    refusal.operation = OsOperation::kMapReady;
    refusal.asked_bytes = pages > (~uint64_t{0} >> page_shift_) ? ~uint64_t{0} : pages << page_shift_;
    refusal.in_use_bytes = arena_->heap_bytes();
    refusal.allowed_bytes = kMostPages << page_shift_;
    return refusal;
  }

  void CheckFree(int kind, int n, SpanRef ref, const Span& span) const {
    REHEAP_CHECK_EQ(KindOf(span.state), kind);
    REHEAP_CHECK(span.state == SpanState::kFree || span.state == SpanState::kDiscarded);
    REHEAP_CHECK_EQ(ListOf(span.pages), n);
    REHEAP_CHECK_EQ(span.small_bytes, 0);
    const PageId first = PageOf(span.start);
    REHEAP_CHECK_EQ(map_->Get(first).value(), ref.value());
    REHEAP_CHECK_EQ(map_->Get(first + PageCount(span.pages - 1)).value(), ref.value());
    const SpanRef right = map_->Get(first + PageCount(span.pages));
    if (right) REHEAP_CHECK(!IsNeighbour(right, span.state, Addr(), span.end(page_shift_)));
  }

  Os* os_ = nullptr;
  M* memory_ = nullptr;
  Map* map_ = nullptr;
  Arena* arena_ = nullptr;
  RecordPool<M>* records_ = nullptr;
  uint32_t page_shift_ = 0;
  FreeSpans free_[2];
  SpanList large_;
  PageTotals totals_;
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_PAGE_HEAP_H_
