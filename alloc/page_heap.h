// PageHeap: spans of heap pages, free and large, below the central lists (row 7 of the walk).
//
//   Allocate  best fit among free spans, the lowest of equal ones from 256 pages on; the rest is split off;
//             nothing fits: so much of a discarded span is made usable again, then the Arena grows
//   Free      joins free neighbours, found through the page map
//
// The page map holds a span in use at each of its pages, a free one at its first and last page. Pages inside
// a free span may still name the record of an earlier span: a reader checks that the span covers the page.
//
// Free memory goes back to the OS by the strategy's ReleasePlan (page_heap_release_inl.h), on Advance or when a span
// becomes free, and on ReleaseFreePages; the runtimes of early 2011 never gave any back. Discarded spans, which the
// plan's method may have made inaccessible, do not join others: Ready memory must not be confused with them
// (alloc/os.h).
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
#include "alloc/decay_curve.h"
#include "alloc/memory.h"
#include "alloc/os.h"
#include "alloc/page_map.h"
#include "alloc/record_pool.h"
#include "alloc/reservation_strategy.h"
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

  // When memory goes back, and how it is made usable again; until then never. Once, after the arena's Start.
  void SetRelease(const ReservationStrategy& plan);

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
    const SpanRef ref = NewSpan(piece.value().start, got_pages);
    memory_->template Write<Span>(ref).free_since_ns = now_ns_;
    InsertJoined(ref, SpanState::kFree);
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
    SpanRef ref = FindFree(kReady, searched_pages);
    if (!ref && totals_.discarded > 0) {
      const OsResult<SpanRef> reused = FindReused(searched_pages, pages, alignment_pages);
      if (!reused.ok()) return reused;
      ref = reused.value();
    }
    if (!ref) {
      const OsResult<Done> grown = Grow(searched_pages);
      if (!grown.ok()) return grown.refusal();
      const OsResult<Done> again = records_->Ensure(3);
      if (!again.ok()) return again.refusal();
      ref = FindFree(kReady, searched_pages);
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
    span.free_since_ns = now_ns_;
    totals_.free += pages;
    InsertJoined(ref, SpanState::kFree);
    NoteFreed(pages);
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
    const SpanRef tail_ref = NewSpan(tail, tail_pages);
    memory_->template Write<Span>(tail_ref).free_since_ns = now_ns_;
    InsertJoined(tail_ref, SpanState::kFree);
    NoteFreed(tail_pages);
    return true;
  }

  void SetLargeBytes(SpanRef ref, uint64_t bytes) {
    Span& span = memory_->template Write<Span>(ref);
    totals_.large_requested_bytes += bytes - span.large_bytes;
    span.large_bytes = bytes;
  }

  // Gives free spans back, the longest first, until `bytes` are; the bytes that were.
  uint64_t ReleaseFreePages(uint64_t bytes);

  // The time is `now_ns` (an earlier one than before counts as that): what the plan says for it goes back.
  void Advance(uint64_t now_ns);

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
    if (const SpanRef left = LeftOf(span, state)) {
      span.start = memory_->template Read<Span>(left).start;
      Absorb(span, left);
    }
    if (const SpanRef right = RightOf(span, state)) Absorb(span, right);
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

  // The span in `state` that ends where `span` begins, or begins where it ends; none: there is no such. (A page may
  // name a record that is older.)
  SpanRef LeftOf(const Span& span, SpanState state) const {
    const SpanRef left = map_->Get(PageOf(span.start) - PageCount(1));
    if (!left) return left;
    const Span& is = memory_->template Read<Span>(left);
    return is.state == state && is.end(page_shift_) == span.start ? left : SpanRef();
  }
  SpanRef RightOf(const Span& span, SpanState state) const {
    const Addr end = span.end(page_shift_);
    const SpanRef right = map_->Get(PageOf(end));
    if (!right) return right;
    const Span& is = memory_->template Read<Span>(right);
    return is.state == state && is.start == end ? right : SpanRef();
  }

  void Absorb(Span& span, SpanRef neighbour) {
    RemoveFree(neighbour);
    Span& gone = memory_->template Write<Span>(neighbour);
    REHEAP_CHECK_LT(uint64_t{span.pages} + gone.pages, kMostPages);
    span.pages += gone.pages;
    span.free_since_ns = std::max(span.free_since_ns, gone.free_since_ns);
    gone = Span{};
    records_->Free(neighbour);
  }

  // The shortest free span of at least `pages`; among long ones of equal length the lowest. Preconditions:
  // pages > 0, or list 0 would count as the shortest.
  SpanRef FindFree(Kind kind, uint64_t pages) const {
    const FreeSpans& free = free_[kind];
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

  // --- what went back to the OS, and comes again (page_heap_release_inl.h) --------------------------

  template <class Call>
  OsResult<Done> ByParts(AddrRange range, uint64_t* done_bytes, Call call) const;
  bool GiveBackByParts(AddrRange range) const;
  OsResult<Done> ReuseByParts(AddrRange range) const;
  OsResult<SpanRef> FindReused(uint64_t searched_pages, uint64_t pages, uint64_t alignment_pages);
  OsResult<Done> ReuseWhole(SpanRef ref);
  SpanRef FindRun(uint64_t pages) const;
  uint64_t ReleaseSpan(SpanRef ref, uint64_t most_pages);
  template <class Visit>
  void ForEachReady(Visit visit);
  uint64_t ReleaseLongest(uint64_t pages, bool whole);
  void ReleaseIdle(uint64_t age_ns);
  void ReleaseOldest(uint64_t pages);
  void ReleaseByRate();
  // A plan that is no rate has more left than any heap can free.
  void NoteFreed(uint64_t pages) {
    freed_pages_left_ -= static_cast<int64_t>(pages);
    if (freed_pages_left_ < 0) [[unlikely]] ReleaseByRate();
  }
  uint64_t PagesInUse() const { return totals_.small + totals_.large; }

  // Makes the free span `ref` a span in use of `pages`; what is before and behind it stays free, since when it is, or
  // discarded. Preconditions: it is long enough for the alignment; two records can be had; of a discarded one the
  // part is usable.
  SpanRef Cut(SpanRef ref, uint64_t pages, uint64_t alignment_pages, SpanState state) {
    RemoveFree(ref);
    Span& span = memory_->template Write<Span>(ref);
    const SpanState was = span.state;
    const uint64_t since_ns = span.free_since_ns;
    span.state = state;
    const Addr whole_start = span.start;
    const Addr whole_end = span.end(page_shift_);
    span.start = RoundUp(whole_start, alignment_pages << page_shift_);
    span.pages = static_cast<uint32_t>(pages);
    const Addr start = span.start;
    const Addr end = span.end(page_shift_);
    REHEAP_CHECK_LE(end.value(), whole_end.value());
    map_->Set(PageOf(start), PageCount(pages), ref);
    span.free_since_ns = 0;
    InsertRest(whole_start, start, since_ns, was);
    InsertRest(end, whole_end, since_ns, was);
    (was == SpanState::kFree ? totals_.free : totals_.discarded) -= pages;
    if (state == SpanState::kLarge) {
      large_.Push(*memory_, ref);
      totals_.large += pages;
      ++totals_.large_objects;
    } else {
      totals_.small += pages;
    }
    return ref;
  }

  // What is left of a free span, if anything. Preconditions: a record can be had.
  void InsertRest(Addr start, Addr end, uint64_t since_ns, SpanState state) {
    if (start == end) return;
    const SpanRef ref = NewSpan(start, (end - start) >> page_shift_);
    memory_->template Write<Span>(ref).free_since_ns = since_ns;
    InsertJoined(ref, state);
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
    REHEAP_CHECK(!RightOf(span, span.state));
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

  ReleasePlan release_;
  Access access_ = Access::kReadWrite;
  CommitMethod commit_method_ = CommitMethod::kMapFixed;
  uint64_t now_ns_ = 0;                       // as far as it was told
  uint64_t look_ns_ = ~uint64_t{0};           // when the plan looks next
  int64_t freed_pages_left_ = kNoRate;        // ReleasePolicy::kRate: until a span goes back
  int rate_list_ = 0;                         // whose turn it is then
  bool is_refused_ = false;                   // the OS did not take the last span
  DecayCurve decay_;
  static constexpr int64_t kNoRate = int64_t{1} << 62;
};

}  // namespace reheap

#include "alloc/page_heap_release_inl.h"

#endif  // REHEAP_ALLOC_PAGE_HEAP_H_
