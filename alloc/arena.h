// Arena: carries out a ReservationStrategy as the heap grows (row 8 of the walk).
//
// It owns the heap's address space: what is held at startup, which piece is made usable next, and the bitmap
// that grows beside it. What the pieces are used for is the page heap's business.
//
//   kReserve, kPretend   [ span table | bitmap, grows down <-][-> heap grows up ........ ]  one range
//   kPerChunk            [-> heap ... ][-> heap ... ]   ...   [-> heap ... ]                 chunk by chunk
//   kNothing             wherever the OS puts each growth; neighbours join by themselves
//
// kReserve holds that range really, kPretend only believes in it and finds out at each growth.
//
// Ownership: the address space lives until the process ends, as it did in the runtimes retold here. Threads:
// one at a time. Limits: a bitmap or a table in the reservation needs kReserve or kPretend.
#ifndef REHEAP_ALLOC_ARENA_H_
#define REHEAP_ALLOC_ARENA_H_

#include <cstdint>

#include "alloc/addr.h"
#include "alloc/os.h"
#include "alloc/reservation_strategy.h"

namespace reheap {

// The largest OS page that the plan can be carried out with: whatever it maps at a time is whole OS pages.
uint64_t LargestOsPageBytes(const ReservationStrategy& strategy);

class Arena {
 public:
  // Neither is owned; both outlive the arena.
  Arena(Os& os, const ReservationStrategy& strategy) : os_(&os), strategy_(&strategy) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Takes what the plan holds from the start; makes nothing usable. Call once, first. A plan that contradicts
  // itself (a bitmap without a range to lie in) is refused with kInvalidArgument.
  OsResult<Done> Start();

  // A new piece of heap, at least `need_bytes`, Ready and zero; its part of the bitmap is Ready too. Asks for
  // max(grow_min_bytes, need rounded to grow_round_bytes) first. Preconditions: need_bytes > 0.
  OsResult<AddrRange> Grow(uint64_t need_bytes);

  // Undoes the growth that answered `piece`. Preconditions: it was the last one.
  void GiveBack(AddrRange piece);

  // The pages that can ever be heap; empty when the plan has no bound (kNothing, kPerChunk).
  AddrRange heap_range() const { return heap_range_; }
  // The page map's place in the reservation (TablePlace::kInReservation), else empty.
  AddrRange table_range() const { return table_range_; }
  // Usable part of the bitmap: directly below the heap's start, empty when there is none.
  AddrRange bitmap() const { return {heap_range_.start - bitmap_ready_bytes_, bitmap_ready_bytes_}; }

  // Usable heap, in all pieces.
  uint64_t heap_bytes() const { return heap_bytes_; }
  // Address space really held for the heap, its bitmap and table: reserved or usable; pretended space is not.
  uint64_t held_bytes() const { return held_bytes_; }
  // Held, but unusable for ever: an OS that refused to take back what did not fit.
  uint64_t lost_bytes() const { return lost_bytes_; }
  uint64_t growths() const { return growths_; }

  void CheckInvariants() const;

 private:
  Addr Hint(uint32_t n) const;
  uint32_t HintCount() const;
  OsResult<Done> CheckPlan() const;
  uint64_t TableBytes() const;

  OsResult<AddrRange> ReserveAtHints(uint64_t bytes);
  OsResult<AddrRange> TakeAligned(uint64_t bytes, uint64_t alignment, bool ready);
  OsResult<AddrRange> TrimTo(AddrRange got, uint64_t bytes, uint64_t alignment);

  OsResult<AddrRange> Extend(uint64_t bytes);
  OsResult<AddrRange> ExtendRange(uint64_t bytes);
  OsResult<AddrRange> ExtendAnywhere(uint64_t bytes);
  OsResult<AddrRange> ExtendWindow(uint64_t bytes);
  OsResult<AddrRange> ExtendChunk(uint64_t bytes);
  OsResult<AddrRange> ReserveChunk(uint64_t bytes);
  OsResult<Done> MakeReady(AddrRange part);
  OsResult<Done> GrowBitmap(Addr heap_end);
  // Bytes that ExtendRange or ExtendChunk can still take from what is held or pretended.
  uint64_t RoomBytes() const { return limit_ - next_; }
  void ReleaseOrLose(AddrRange range);
  Refusal Exhausted(uint64_t bytes) const;

  uint64_t page_bytes() const { return uint64_t{1} << strategy_->heap_page_shift; }

  Os* os_;
  const ReservationStrategy* strategy_;

  AddrRange heap_range_;
  AddrRange table_range_;
  Addr next_;          // where the next piece of the range or chunk starts
  Addr limit_;         // the end of that range or chunk
  uint32_t hint_ = 0;  // kPerChunk: the hint in use
  Addr hint_next_;     // kPerChunk: beside the last chunk at that hint; zero = at the hint itself

  uint64_t bitmap_ready_bytes_ = 0;
  uint64_t heap_bytes_ = 0;
  uint64_t held_bytes_ = 0;
  uint64_t lost_bytes_ = 0;
  uint64_t growths_ = 0;
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_ARENA_H_
