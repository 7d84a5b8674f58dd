// Arena: carries out a ReservationStrategy as the heap grows (row 8 of the walk).
//
// It owns the heap's address space: what is held at startup, which piece is made usable next, and the bitmap
// that grows beside it. What the pieces are used for is the page heap's business.
//
//   kReserve, kPretend   [ span table | bitmap, grows down <-][-> heap grows up ........ ]  one range
//   kPerChunk            [-> heap ... ][-> heap ... ]   ...   [-> heap ... ]                 chunk by chunk
//   kNothing             wherever the OS puts each growth; neighbours join by themselves
//
// kReserve holds that range really, kPretend only believes in it and finds out at each growth. What the plan
// maps beside the heap (request_runner.h) is asked for here too. A start that is refused is tried again with
// the plan's fallbacks, from nothing each time.
//
// Ownership: the address space lives until the process ends, as it did in the runtimes retold here. Threads:
// one at a time. Limits: a bitmap or a table in the reservation needs kReserve or kPretend.
#ifndef REHEAP_ALLOC_ARENA_H_
#define REHEAP_ALLOC_ARENA_H_

#include <cstdint>
#include <string>
#include <vector>

#include "alloc/addr.h"
#include "alloc/arena_plan.h"
#include "alloc/os.h"
#include "alloc/range_taker.h"
#include "alloc/request_runner.h"
#include "alloc/reservation_strategy.h"

namespace reheap {

class Arena {
 public:
  // Neither is owned; both outlive the arena.
  Arena(Os& os, const ReservationStrategy& strategy)
      : os_(&os), strategy_(&strategy), taker_(os), requests_(os, taker_) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Takes what the plan holds from the start; makes nothing usable. Call once, first. A plan that contradicts
  // itself (a bitmap without a range to lie in) is refused with kInvalidArgument.
  OsResult<Done> Start();

  // What the plan maps after the heap's first growth. Call once, then.
  OsResult<Done> FinishStart();

  // What the plan maps for one more thread. A refusal: that thread can have nothing.
  OsResult<Done> StartThread();

  // The plan, or the fallback that is carried out in its place.
  const ReservationStrategy& plan() const { return *strategy_; }
  // Fallback, requests in smaller sizes or skipped, in words; empty = as meant.
  std::string mode() const;
  // That is noticeably worse than it was meant to be.
  bool is_degraded() const { return strategy_->is_degraded || requests_.is_degraded(); }
  // The purpose of the request whose refusal was the last answer; empty = the heap's own range or growth.
  const std::string& failed_purpose() const { return requests_.failed(); }

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
  uint64_t held_bytes() const { return held_bytes_ + taker_.lost_bytes(); }
  // Held, but unusable for ever: an OS that refused to take back what did not fit.
  uint64_t lost_bytes() const { return lost_bytes_ + taker_.lost_bytes(); }
  // Mapped beside the heap by the plan's requests and growth tables.
  uint64_t beside_bytes() const { return requests_.held_bytes() + growth_tables_bytes_; }
  uint64_t growths() const { return growths_; }

  void CheckInvariants() const;

 private:
  OsResult<Done> StartPlan();
  OsResult<AddrRange> ReserveRange(uint64_t before_heap_bytes);
  OsResult<AddrRange> ReserveAtHints(uint64_t bytes);
  OsResult<Addr> ProbeHints();

  void RaiseStep();
  OsResult<AddrRange> Extend(uint64_t bytes, uint64_t need_bytes);
  OsResult<AddrRange> ExtendRange(uint64_t bytes, uint64_t need_bytes);
  OsResult<AddrRange> ExtendBreak(uint64_t bytes);
  OsResult<AddrRange> ExtendAnywhere(uint64_t bytes);
  bool ReserveBehind(uint64_t bytes);
  OsResult<AddrRange> ExtendWindow(uint64_t bytes);
  OsResult<AddrRange> ExtendChunk(uint64_t bytes);
  OsResult<Done> NextChunk(uint64_t bytes);
  OsResult<AddrRange> ReserveChunk(uint64_t bytes);
  OsResult<Done> MakeReady(AddrRange part);
  OsResult<Done> MapPretended(AddrRange part);
  bool IsSeenTaken(AddrRange part) const;
  OsResult<Done> GrowBitmap(Addr heap_end);
  OsResult<Done> GrowTables();
  // Bytes that ExtendRange or ExtendChunk can still take from what is held or pretended.
  uint64_t RoomBytes() const { return limit_ - next_ - own_bytes_; }
  Refusal Exhausted(uint64_t bytes) const;

  MapTraits Traits(bool ready) const {
    MapTraits traits;
    traits.ready = ready;
    traits.access = strategy_->access;
    traits.no_reserve = strategy_->no_reserve;
    return traits;
  }
  uint64_t page_bytes() const { return uint64_t{1} << strategy_->heap_page_shift; }

  Os* os_;
  const ReservationStrategy* strategy_;

  AddrRange heap_range_;
  AddrRange table_range_;
  Addr next_;          // where the next piece of the range or chunk starts
  // The allocator's own records (grow_own_bytes), Ready, at next_: they move up with every growth, so that
  // pieces touch and a block can lie over where two meet, as when one allocator places records and blocks.
  uint64_t own_bytes_ = 0;
  uint64_t owed_bytes_ = 0;  // of them, what no growth has had room for yet
  Addr limit_;         // the end of that range or chunk
  uint32_t hint_ = 0;  // kPerChunk: the hint in use
  Addr hint_next_;     // kPerChunk: beside the last chunk at that hint; zero = at the hint itself

  uint64_t bitmap_ready_bytes_ = 0;
  uint64_t heap_bytes_ = 0;
  uint64_t held_bytes_ = 0;
  uint64_t lost_bytes_ = 0;
  uint64_t growths_ = 0;

  RangeTaker taker_;
  RequestRunner requests_;
  uint64_t step_bytes_ = 0;  // grow_min_bytes as it has risen
  uint32_t threads_ = 0;     // started
  uint64_t growth_tables_bytes_ = 0;
  std::vector<uint64_t> table_bytes_;  // mapped so far, of each growth table
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_ARENA_H_
