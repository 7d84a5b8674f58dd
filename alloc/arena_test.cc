// Arena: what becomes of a plan when addresses are taken, room ends or the OS says no. On the running kernel.
#include "alloc/arena.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>

#include "alloc/real_os.h"
#include "alloc/scripted_os.h"
#include "alloc/strategies_for_tests.h"

namespace reheap {
namespace {

constexpr Addr kHint(0xf800000000);
constexpr Addr kHeap(0xf840000000);

// Somebody who is there already.
class Squatter {
 public:
  explicit Squatter(Addr at, uint64_t bytes = 64 * kKiB)
      : bytes_(bytes),
        at_(mmap(reinterpret_cast<void*>(at.value()), bytes, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0)) {
    REHEAP_CHECK_EQ(reinterpret_cast<uint64_t>(at_), at.value());
  }
  ~Squatter() { munmap(at_, bytes_); }

 private:
  uint64_t bytes_;
  void* at_;
};

ReservationStrategy WithConflict(ReservationStrategy s, OnConflict on_conflict) {
  s.on_conflict = on_conflict;
  return s;
}

TEST(ArenaConflict, RelocateTakesWhatIsOffered) {
  const Squatter squatter(kHeap);
  ScriptedOs os;
  const ReservationStrategy s = WithConflict(Go201102Reserve17g(), OnConflict::kRelocate);
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  EXPECT_NE(arena.heap_range().start, kHeap);
  EXPECT_EQ(arena.heap_range().bytes, 16 * kGiB);
  const OsResult<AddrRange> piece = arena.Grow(1);
  ASSERT_TRUE(piece.ok());
  EXPECT_EQ(piece.value().start, arena.heap_range().start);
  arena.CheckInvariants();
}

TEST(ArenaConflict, DieNamesBothAddressesAndKeepsNothing) {
  const Squatter squatter(kHeap);
  ScriptedOs os;
  const ReservationStrategy s = WithConflict(Go201102Reserve17g(), OnConflict::kDie);
  Arena arena(os, s);
  const OsResult<Done> started = arena.Start();
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.refusal().rule, Rule::kAddressTaken);
  EXPECT_EQ(started.refusal().wanted, kHint);
  EXPECT_TRUE(started.refusal().obtained);
  EXPECT_NE(started.refusal().obtained, kHint);
  EXPECT_TRUE(os.mapped().empty());
}

TEST(ArenaConflict, NextHintIsTriedInOrder) {
  ReservationStrategy s = WithConflict(Go201102Reserve17g(), OnConflict::kNextHint);
  s.hints.stride_bytes = kTiB;
  s.hints.count = 3;
  const Squatter first(kHint + kGiB), second(kHint + kTiB);
  ScriptedOs os;
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  EXPECT_EQ(arena.heap_range().start, kHint + 2 * kTiB + kGiB);
  EXPECT_EQ(os.calls(OsOperation::kReserve), 3);
  EXPECT_EQ(os.calls(OsOperation::kRelease), 2);
  EXPECT_EQ(arena.held_bytes(), 17 * kGiB);
}

TEST(ArenaConflict, AfterTheLastHintTheOfferIsTaken) {
  ReservationStrategy s = WithConflict(Go201102Reserve17g(), OnConflict::kNextHint);
  s.hints.stride_bytes = kTiB;
  s.hints.count = 2;
  const Squatter first(kHint), second(kHint + kTiB);
  ScriptedOs os;
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  EXPECT_EQ(os.calls(OsOperation::kReserve), 2);
  EXPECT_EQ(arena.heap_range().bytes, 16 * kGiB);
}

TEST(ArenaConflict, PretendFindsOutWhenItGetsThere) {
  ScriptedOs os;
  const ReservationStrategy s = Go201102Pretend();
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  ASSERT_TRUE(arena.Grow(kMiB).ok());
  {
    const Squatter squatter(kHeap + kMiB, 4096);
    const OsResult<AddrRange> piece = arena.Grow(4096);
    ASSERT_FALSE(piece.ok());
    EXPECT_EQ(piece.refusal().rule, Rule::kAddressTaken);
    EXPECT_EQ(piece.refusal().wanted, kHeap + kMiB);
    EXPECT_NE(piece.refusal().obtained, kHeap + kMiB);
    EXPECT_EQ(os.calls(OsOperation::kMapReadyAt), 3)
        << "heap, bitmap, and one refusal: a conflict is not tried again";
  }
  ASSERT_TRUE(arena.Grow(4096).ok()) << "gone again";
  arena.CheckInvariants();
}

TEST(ArenaConflict, PretendFindsAnybodyInItsBitmapToo) {
  ScriptedOs os;
  const ReservationStrategy s = Go201102Pretend();
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  const Squatter squatter(kHeap - 64 * kKiB, 4096);
  const OsResult<AddrRange> piece = arena.Grow(kMiB);
  ASSERT_FALSE(piece.ok());
  EXPECT_EQ(piece.refusal().rule, Rule::kAddressTaken);
  EXPECT_EQ(arena.heap_bytes(), 0);
  EXPECT_EQ(arena.held_bytes(), 0);
  EXPECT_TRUE(os.mapped().empty()) << "the heap's piece is given back";
}

TEST(ArenaGrowth, SizesFollowThePlan) {
  struct Case {
    const char* name;
    uint64_t need_bytes, got_bytes;
  };
  const Case cases[] = {
      {"OneByte", 1, kMiB},
      {"JustTheMinimum", kMiB, kMiB},
      {"OneMore", kMiB + 1, kMiB + 64 * kKiB},
      {"RoundedUp", 3 * kMiB + 70 * kKiB, 3 * kMiB + 128 * kKiB},
  };
  ScriptedOs os;
  const ReservationStrategy s = Go201102Reserve17g();
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  Addr next = kHeap;
  for (const Case& c : cases) {
    const OsResult<AddrRange> piece = arena.Grow(c.need_bytes);
    ASSERT_TRUE(piece.ok()) << c.name;
    EXPECT_EQ(piece.value().start, next) << c.name;
    EXPECT_EQ(piece.value().bytes, c.got_bytes) << c.name;
    next = piece.value().end();
    EXPECT_EQ(arena.bitmap().bytes, RoundUp((next - kHeap) / 16, 8 * kKiB)) << c.name;
    EXPECT_EQ(arena.bitmap().end(), kHeap) << c.name;
  }
}

TEST(ArenaGrowth, TheEndOfThePlanIsUsedToTheLastPiece) {
  ScriptedOs os;
  ReservationStrategy s = Go201102Reserve17g();
  s.heap_bytes = 2 * kMiB + 128 * kKiB;
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  ASSERT_TRUE(arena.Grow(1).ok());
  ASSERT_TRUE(arena.Grow(1).ok());
  const OsResult<AddrRange> last = arena.Grow(100 * kKiB);
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(last.value().bytes, 128 * kKiB);
  const OsResult<AddrRange> beyond = arena.Grow(1);
  ASSERT_FALSE(beyond.ok());
  EXPECT_EQ(beyond.refusal().rule, Rule::kAddressSpaceExhausted);
  EXPECT_EQ(beyond.refusal().asked_bytes, 64 * kKiB);
  EXPECT_EQ(beyond.refusal().in_use_bytes, s.heap_bytes);
  EXPECT_EQ(beyond.refusal().allowed_bytes, s.heap_bytes);
  EXPECT_FALSE(arena.Grow(~uint64_t{0}).ok());
  EXPECT_FALSE(arena.Grow(~uint64_t{0} - kMiB).ok());
}

// Records among the blocks: less of each growth for the heap, and still one piece beside the other.
TEST(ArenaGrowth, TheAllocatorsOwnBytesAreTakenOffEachGrowth) {
  for (ReservationStrategy s : {Go201102Reserve17g(), Go201102Pretend()}) {
    s.grow_own_bytes = 68 * kKiB;
    s.heap_bytes = 3 * kMiB + 128 * kKiB;
    ScriptedOs os;
    Arena arena(os, s);
    ASSERT_TRUE(arena.Start().ok()) << s.name;
    Addr next = kHeap;
    // The last has no room for them.
    for (const uint64_t need_bytes : {uint64_t{1}, kMiB - 68 * kKiB, kMiB}) {
      const AddrRange piece = arena.Grow(need_bytes).value();
      EXPECT_EQ(piece.start, next) << s.name;
      EXPECT_GE(piece.bytes, need_bytes) << s.name;
      next = piece.end();
      arena.CheckInvariants();
    }
    EXPECT_EQ(arena.heap_bytes(), 3 * kMiB - 2 * 68 * kKiB) << s.name;
    EXPECT_EQ(arena.bitmap().bytes, 3 * kMiB / 16) << s.name << ": it covers the records";
    // The rest is less than a growth: all of it for what is asked.
    const AddrRange last = arena.Grow(64 * kKiB).value();
    EXPECT_EQ(last.bytes, 64 * kKiB) << s.name;
    EXPECT_EQ(last.start, next) << s.name;
    // Given back, the records stay where they are, and the place comes again.
    arena.GiveBack(last);
    EXPECT_EQ(arena.heap_bytes(), 3 * kMiB - 2 * 68 * kKiB) << s.name;
    EXPECT_EQ(arena.held_bytes(), os.mapped_bytes()) << s.name;
    arena.CheckInvariants();
    EXPECT_EQ(arena.Grow(64 * kKiB).value().start, next) << s.name;
  }
}

TEST(ArenaGrowth, OwnBytesThatNeverFindRoomAreAGrowthInTheEnd) {
  ReservationStrategy s = Go201102Pretend();
  s.grow_own_bytes = 256 * kKiB;
  ScriptedOs os;
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  for (int n = 0; n < 10; ++n) ASSERT_EQ(arena.Grow(kMiB).value().bytes, kMiB);
  EXPECT_EQ(arena.held_bytes() - arena.bitmap().bytes, 12 * kMiB) << "two of them are the records";
  EXPECT_EQ(arena.heap_bytes(), 10 * kMiB);
  arena.CheckInvariants();
}

TEST(ArenaStart, AReservationBelievedInIsFoundMissingAtItsFirstUse) {
  for (const OnRefusal on_refusal : {OnRefusal::kDie, OnRefusal::kBelieveReserved}) {
    ReservationStrategy s = Go201102Reserve17g();
    s.on_refusal = on_refusal;
    ScriptedOs os;
    os.RefuseAfter(0);
    Arena arena(os, s);
    const OsResult<Done> started = arena.Start();
    ASSERT_FALSE(started.ok());
    EXPECT_EQ(started.refusal().operation,
              on_refusal == OnRefusal::kDie ? OsOperation::kReserve : OsOperation::kCommit);
    EXPECT_EQ(started.refusal().asked_bytes, 17 * kGiB);
  }
}

TEST(ArenaGrowth, GiveBackUndoesAGrowth) {
  const ReservationStrategy plans[] = {Go2010Radix(), Go201101Reserve16g(), Go201102Reserve17g(),
                                       Go201102Pretend(), Go111Arenas()};
  for (const ReservationStrategy& s : plans) {
    ScriptedOs os;
    Arena arena(os, s);
    ASSERT_TRUE(arena.Start().ok()) << s.name;
    ASSERT_TRUE(arena.Grow(kMiB).ok()) << s.name;
    EXPECT_EQ(arena.held_bytes(), os.mapped_bytes()) << s.name;
    const uint64_t held_bytes = arena.held_bytes(), bitmap_bytes = arena.bitmap().bytes;
    arena.GiveBack(arena.Grow(kMiB).value());
    // The bitmap stays grown, for the next piece.
    const bool pretends = s.firmness == Firmness::kPretend;
    EXPECT_EQ(arena.held_bytes(), held_bytes + (pretends ? arena.bitmap().bytes - bitmap_bytes : 0))
        << s.name;
    EXPECT_EQ(arena.held_bytes(), os.mapped_bytes()) << s.name;
    EXPECT_EQ(arena.heap_bytes(), kMiB) << s.name;
    EXPECT_EQ(arena.lost_bytes(), 0) << s.name;
    arena.CheckInvariants();
    EXPECT_TRUE(arena.Grow(kMiB).ok()) << s.name;
  }
}

TEST(ArenaGrowth, WhatTheOsDoesNotTakeBackIsHeldAndLost) {
  const ReservationStrategy s = Go2010Radix();
  ScriptedOs os;
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  const AddrRange piece = arena.Grow(kMiB).value();
  os.RefuseReleases();
  arena.GiveBack(piece);
  EXPECT_EQ(arena.heap_bytes(), 0);
  EXPECT_EQ(arena.lost_bytes(), piece.bytes);
  EXPECT_EQ(arena.held_bytes(), piece.bytes);
  EXPECT_EQ(arena.held_bytes(), os.mapped_bytes());
  arena.CheckInvariants();
}

TEST(ArenaGrowth, ARefusedBitmapLeavesTheRangeWhereItWas) {
  const ReservationStrategy s = Go201102Pretend();
  ScriptedOs os;
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  os.RefuseAfter(1);  // the heap's piece is mapped, its bitmap is not
  ASSERT_FALSE(arena.Grow(kMiB).ok());
  EXPECT_EQ(arena.held_bytes(), 0);
  EXPECT_EQ(arena.heap_bytes(), 0);
  EXPECT_EQ(arena.Grow(kMiB).value().start, kHeap) << "the same place again";
  arena.CheckInvariants();
}

TEST(ArenaGrowth, LengthsNearTwoToThe64AreRefusedAndChangeNothing) {
  for (const ReservationStrategy& s : {Go2010Radix(), Go201102Reserve17g(), Go201102Pretend(), Go111Arenas()}) {
    ScriptedOs os;
    Arena arena(os, s);
    ASSERT_TRUE(arena.Start().ok()) << s.name;
    const uint64_t held_bytes = arena.held_bytes();
    // Rounded up to a chunk, or with room for alignment, each of them passes 2^64.
    for (uint64_t short_by : {uint64_t{0}, 4 * kKiB, 64 * kKiB, kMiB, 4 * kMiB, 64 * kMiB, 128 * kMiB, kGiB}) {
      EXPECT_FALSE(arena.Grow(uint64_t{0} - short_by - 1).ok()) << s.name << " " << short_by;
      EXPECT_FALSE(arena.Grow(uint64_t{0} - std::max<uint64_t>(short_by, 1)).ok()) << s.name << " " << short_by;
    }
    EXPECT_EQ(arena.held_bytes(), held_bytes) << s.name;
    arena.CheckInvariants();
  }
}

// The plan of 32-bit Go with a small reservation; the scripted OS maps from 256 MiB upward.
ReservationStrategy WindowPlan(Addr hint, uint64_t window_bytes) {
  ReservationStrategy s = Go201102Linux386();
  s.hints = {};
  s.hints.base = hint;
  s.hints.count = 1;
  s.heap_bytes = kMiB;
  s.window_bytes = window_bytes;
  s.bitmap_bytes = 32 * kMiB;
  return s;
}

TEST(ArenaWindow, BeyondTheReservationTheOsChooses) {
  ScriptedOs os;
  os.PlaceLow();
  const ReservationStrategy s = WindowPlan(Addr(160 * kMiB), 256 * kMiB);
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  ASSERT_EQ(arena.heap_range(), (AddrRange{Addr(192 * kMiB), 256 * kMiB}));
  ASSERT_EQ(arena.Grow(1).value().start, Addr(192 * kMiB));
  const OsResult<AddrRange> outside = arena.Grow(1);
  ASSERT_TRUE(outside.ok());
  EXPECT_GE(outside.value().start, Addr(256 * kMiB));
  // 4 bits for each 4-byte word up to the new end.
  EXPECT_EQ(arena.bitmap().bytes, RoundUp((outside.value().end() - Addr(192 * kMiB)) / 8, 8 * kKiB));
  arena.CheckInvariants();
}

TEST(ArenaWindow, OutsideTheWindowIsRefusedByName) {
  const Addr hints[] = {Addr(96 * kMiB),
                        Addr(512 * kMiB)};  // the OS's choice is above the window; below the heap
  for (Addr hint : hints) {
    ScriptedOs os;
    os.PlaceLow();
    const ReservationStrategy s = WindowPlan(hint, 64 * kMiB);
    Arena arena(os, s);
    ASSERT_TRUE(arena.Start().ok());
    ASSERT_TRUE(arena.Grow(1).ok());
    const OsResult<AddrRange> outside = arena.Grow(1);
    ASSERT_FALSE(outside.ok());
    EXPECT_EQ(outside.refusal().rule, Rule::kOutOfUserRange);
    EXPECT_EQ(outside.refusal().wanted, hint + 32 * kMiB);
    EXPECT_GE(outside.refusal().obtained, Addr(256 * kMiB));
    EXPECT_EQ(outside.refusal().allowed_bytes, 64 * kMiB);
    EXPECT_EQ(os.mapped().size(), 1) << "given back";
  }
}

TEST(ArenaChunks, TheSecondChunkContinuesTheFirst) {
  ScriptedOs os;
  const ReservationStrategy s = Go111Arenas();
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  const AddrRange first = arena.Grow(40 * kMiB).value();
  const AddrRange second = arena.Grow(40 * kMiB).value();
  EXPECT_EQ(first.start, Addr(0xc000000000));
  EXPECT_EQ(second.start, first.end()) << "the rest of the first chunk is not lost";
  EXPECT_EQ(arena.held_bytes(), 128 * kMiB);
  const AddrRange long_piece = arena.Grow(200 * kMiB).value();
  EXPECT_EQ(long_piece.start, second.end());
  EXPECT_EQ(os.calls(OsOperation::kReserve), 3);
}

TEST(ArenaChunks, AHintThatFailsIsNeverTriedAgain) {
  ScriptedOs os;
  const ReservationStrategy s = Go111Arenas();
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  ASSERT_TRUE(arena.Grow(64 * kMiB).ok());
  Addr next;
  {
    const Squatter squatter(Addr(0xc000000000) + 64 * kMiB);
    const AddrRange piece = arena.Grow(64 * kMiB).value();
    EXPECT_EQ(piece.start, Addr(0xc000000000) + kTiB);
    next = piece.end();
  }
  EXPECT_EQ(arena.Grow(64 * kMiB).value().start, next);
}

TEST(ArenaChunks, AfterTheHintsAnyAlignedPlaceWillDo) {
  RealOs os;
  ReservationStrategy s = Go111Arenas();
  s.hints.count = 1;
  const Squatter squatter(Addr(0xc000000000));
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  const uint64_t vsize_bytes = os.Usage().vsize_bytes;
  const AddrRange piece = arena.Grow(1).value();
  EXPECT_NE(piece.start, Addr(0xc000000000));
  EXPECT_EQ(piece.start.value() % (64 * kMiB), 0);
  EXPECT_EQ(os.Usage().vsize_bytes - vsize_bytes, 64 * kMiB) << "the slack is given back";
  EXPECT_EQ(arena.held_bytes(), 64 * kMiB);
}

TEST(ArenaAlignment, HeapPagesLargerThanTheOsPage) {
  RealOs os;
  ReservationStrategy s = Go2010Radix();
  s.heap_page_shift = 13;
  s.grow_min_bytes = s.grow_round_bytes = 72 * kKiB;  // odd numbers of OS pages between the pieces
  Arena arena(os, s);
  ASSERT_FALSE(arena.Start().ok()) << "a round that is no power of two";
  s.grow_min_bytes = s.grow_round_bytes = 64 * kKiB;
  for (int n = 0; n < 10; ++n) {
    const AddrRange piece = arena.Grow(1).value();
    EXPECT_EQ(piece.start.value() % (8 * kKiB), 0);
  }
  EXPECT_EQ(arena.lost_bytes(), 0);
  arena.CheckInvariants();
}

}  // namespace
}  // namespace reheap
