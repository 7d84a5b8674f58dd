#include "alloc/request_runner.h"

#include <gtest/gtest.h>

#include "alloc/arena.h"
#include "alloc/scripted_os.h"
#include "alloc/strategies_for_tests.h"

namespace reheap {
namespace {

MapRequest Request(uint64_t bytes) {
  MapRequest request;
  request.purpose = "thing";
  request.bytes = bytes;
  return request;
}

struct Bench {
  ScriptedOs os;
  RangeTaker taker{os};
  RequestRunner runner{os, taker};
  OsResult<Done> Run(const MapRequest& request) { return runner.Run({request}, CommitMethod::kProtect); }
};

TEST(RequestRunner, SizesAreRoundedUpToOsPages) {
  Bench bench;
  ASSERT_TRUE(bench.Run(Request(2165776)).ok());
  EXPECT_EQ(bench.runner.held_bytes(), 2166784u);
  EXPECT_EQ(bench.os.mapped_bytes(), 2166784u);
}

TEST(RequestRunner, AlignmentIsFoundByMappingMoreAndTheRestGoesBack) {
  Bench bench;
  MapRequest request = Request(64 * kMiB);
  request.alignment_bytes = 64 * kMiB;
  request.ready_bytes = 132 * kKiB;
  RealOs usage;
  const uint64_t before = usage.Usage().vsize_bytes;
  ASSERT_TRUE(bench.Run(request).ok());
  EXPECT_EQ(usage.Usage().vsize_bytes - before, 64 * kMiB);
  EXPECT_EQ(bench.os.mapped()[0].bytes, 128 * kMiB) << "for a moment";
  EXPECT_EQ(bench.os.calls(OsOperation::kCommit), 1u);
}

TEST(RequestRunner, RefusedWithSpareTheBareSizeIsGoodWhenAligned) {
  Bench bench;
  MapRequest request = Request(4096);
  request.alignment_bytes = 8192;
  request.exact_second = true;
  bench.os.RefuseAfter(0);
  const OsResult<Done> done = bench.Run(request);
  // By chance of the place: held and aligned, or refused and given back.
  EXPECT_EQ(bench.os.calls(OsOperation::kReserve), 2u);
  EXPECT_EQ(done.ok(), bench.runner.held_bytes() == 4096);
  EXPECT_EQ(bench.os.mapped_bytes(), bench.runner.held_bytes());
}

TEST(RequestRunner, SmallerSizesComeInOrderAndAreAMode) {
  Bench bench;
  MapRequest request = Request(4 * kMiB);
  request.smaller_bytes = {2 * kMiB, kMiB};
  request.degraded_mode = "small thing";
  bench.os.RefuseAfter(0);
  ASSERT_TRUE(bench.Run(request).ok());
  EXPECT_EQ(bench.runner.held_bytes(), 2 * kMiB);
  EXPECT_EQ(bench.runner.degraded_mode(), "small thing");
  EXPECT_FALSE(bench.runner.is_degraded());
}

TEST(RequestRunner, WhatStandsInsteadIsAsked) {
  Bench bench;
  MapRequest request = Request(4 * kMiB);
  request.instead = {Request(kMiB), Request(8 * kKiB)};
  bench.os.RefuseAfter(0);
  ASSERT_TRUE(bench.Run(request).ok());
  EXPECT_EQ(bench.runner.held_bytes(), kMiB + 8 * kKiB);
}

TEST(RequestRunner, FailNamesThePurposeSkipGoesOnBelieveDiesLater) {
  {
    Bench bench;
    bench.os.RefuseAfter(0);
    const OsResult<Done> done = bench.Run(Request(kMiB));
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.refusal().operation, OsOperation::kReserve);
    EXPECT_EQ(bench.runner.failed(), "thing");
  }
  {
    Bench bench;
    MapRequest request = Request(kMiB);
    request.if_refused = IfRefused::kSkip;
    request.degraded_mode = "no thing";
    request.is_degraded = true;
    bench.os.RefuseAfter(0);
    ASSERT_TRUE(bench.Run(request).ok());
    EXPECT_EQ(bench.runner.held_bytes(), 0u);
    EXPECT_EQ(bench.runner.degraded_mode(), "no thing");
    EXPECT_TRUE(bench.runner.is_degraded());
  }
  {
    Bench bench;
    MapRequest request = Request(kMiB);
    request.if_refused = IfRefused::kBelieve;
    bench.os.RefuseAfter(0);
    const OsResult<Done> done = bench.Run(request);
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.refusal().operation, OsOperation::kCommit);
    EXPECT_EQ(done.refusal().rule, Rule::kAddressLimit);
  }
}

TEST(RequestRunner, AProbeIsGivenBackAndHintOnlyTakesNoOtherPlace) {
  Bench bench;
  MapRequest request = Request(64 * kKiB);
  request.hints.base = Addr(0xd800000000);
  request.hints.count = 1;
  request.hint_only = true;
  request.released = true;
  ASSERT_TRUE(bench.Run(request).ok());
  EXPECT_EQ(bench.os.mapped_bytes(), 0u);

  request.released = false;
  ASSERT_TRUE(bench.Run(request).ok());
  const OsResult<Done> again = bench.Run(request);
  ASSERT_FALSE(again.ok()) << "the first one is there";
  EXPECT_EQ(again.refusal().rule, Rule::kAddressTaken);
  EXPECT_EQ(again.refusal().wanted, Addr(0xd800000000));
  EXPECT_EQ(bench.os.mapped_bytes(), 64 * kKiB);
  bench.runner.Undo();
  EXPECT_EQ(bench.os.mapped_bytes(), 0u);
  EXPECT_EQ(bench.runner.held_bytes(), 0u);
}

TEST(RequestRunner, DrawnHintsKeepTheirTagAndComeAgainFromTheSameSeed) {
  HintList hints;
  hints.base = Addr(uint64_t{1} << 46);
  hints.random_mask = ((uint64_t{1} << 46) - 1) & ~(kGiB - 1);
  hints.count = 1000;
  hints.seed = 2011;
  RealOs os;
  EXPECT_NE(HintAt(hints, 0, os), HintAt(hints, 1, os));
  for (uint32_t n = 0; n < 1000; ++n) {
    const Addr hint = HintAt(hints, n, os);
    EXPECT_EQ(hint, HintAt(hints, n, os));
    EXPECT_EQ(hint.value() >> 46, 1u);
    EXPECT_EQ(hint.value() % kGiB, 0u);
  }
}

// --- what the arena does with them --------------------------------------------------------------

TEST(ArenaModes, ARefusedStartFallsBackFromNothing) {
  ReservationStrategy s = Go201102Reserve17g();
  s.startup_requests = {Request(kMiB)};
  ReservationStrategy small = Go201102Reserve17g();
  small.heap_bytes = kGiB;
  small.mode = "arena of 1 GiB";
  s.fallbacks = {small};
  ScriptedOs os;
  os.RefuseAfter(1);  // the reservation
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  EXPECT_EQ(arena.mode(), "arena of 1 GiB");
  EXPECT_EQ(arena.plan().heap_bytes, kGiB);
  EXPECT_EQ(os.mapped_bytes(), 2 * kGiB) << "the bitmap and the smaller heap; the request went back";
  EXPECT_EQ(arena.beside_bytes(), 0u);
  arena.CheckInvariants();
}

TEST(ArenaModes, FallbacksOfAnotherPageMapAreNoPlan) {
  ReservationStrategy s = Go201102Reserve17g();
  s.fallbacks = {Go2010Radix()};
  ScriptedOs os;
  Arena arena(os, s);
  const OsResult<Done> started = arena.Start();
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.refusal().rule, Rule::kInvalidArgument);
}

TEST(ArenaModes, SmallerRangesAreTriedInOrder) {
  ReservationStrategy s = Go201102Reserve17g();
  s.smaller_bytes = {8 * kGiB, 4 * kGiB};
  ScriptedOs os;
  os.RefuseAfter(0);
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  EXPECT_EQ(arena.heap_range().bytes, 8 * kGiB);
  EXPECT_EQ(arena.held_bytes(), 9 * kGiB);
}

TEST(ArenaModes, AProbedHintThatIsTakenGivesWayToTheNext) {
  ReservationStrategy s = Go201102Pretend();
  s.on_conflict = OnConflict::kNextHint;
  s.hints.stride_bytes = kTiB;
  s.hints.count = 4;
  s.probe_bytes = 64 * kKiB;
  ScriptedOs os;
  const OsResult<Done> squatter = os.MapReadyAt({s.hints.base, 4096}, Access::kReadWrite);
  ASSERT_TRUE(squatter.ok());
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  EXPECT_EQ(arena.heap_range().start, s.hints.base + kTiB + kGiB);
  EXPECT_EQ(os.mapped_bytes(), 4096u) << "probes are given back";
}

TEST(ArenaModes, ClobberingMapsOverWhoIsThereUnlessAWholeCheckedPieceIsTaken) {
  ReservationStrategy s = Go201102Pretend();
  s.clobbers = true;
  s.clobber_check_bytes = 16 * kMiB;
  const Addr heap = s.hints.base + s.bitmap_bytes;
  for (const uint64_t squatter_bytes : {64 * kKiB, kMiB}) {
    ScriptedOs os;
    ASSERT_TRUE(os.MapReadyAt({heap, squatter_bytes}, Access::kReadWrite).ok());
    *reinterpret_cast<char*>(heap.value()) = 'x';
    Arena arena(os, s);
    ASSERT_TRUE(arena.Start().ok());
    const OsResult<AddrRange> piece = arena.Grow(1);
    const char left = *reinterpret_cast<char*>(heap.value());
    if (squatter_bytes < kMiB) {
      ASSERT_TRUE(piece.ok());
      EXPECT_EQ(left, '\0') << "overwritten";
    } else {
      ASSERT_FALSE(piece.ok()) << "no page of the growth is free";
      EXPECT_EQ(piece.refusal().rule, Rule::kAddressTaken);
      EXPECT_EQ(left, 'x');
    }
  }
}

TEST(ArenaModes, StepsRiseAsTheSeriesOfJemallocDoes) {
  ReservationStrategy s = Go2010Radix();
  s.grow_min_bytes = 2 * kMiB;
  s.grow_round_bytes = 4 * kKiB;
  s.grow_steps_per_doubling = 4;
  s.grow_most_bytes = 5 * kMiB;
  ScriptedOs os;
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  for (const uint64_t half_mib : {4, 5, 6, 7, 8, 10, 10}) {
    EXPECT_EQ(arena.Grow(1).value().bytes, half_mib * kMiB / 2);
  }
}

TEST(ArenaModes, ChunksShrinkBeforeTheyFailAndHaveAHead) {
  ReservationStrategy s = Go111Arenas();
  s.hints = {};
  s.chunk_head_bytes = 512 * kKiB;
  s.smaller_bytes = {4 * kMiB};
  s.chunk_requests = {Request(64 * kKiB)};
  s.grow_min_bytes = s.grow_round_bytes = 64 * kKiB;
  ScriptedOs os;
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  const AddrRange first = arena.Grow(1).value();
  EXPECT_EQ(first.start.value() % (64 * kMiB), 512 * kKiB);
  EXPECT_EQ(arena.beside_bytes(), 64 * kKiB);
  os.RefuseAfter(0);
  const AddrRange second = arena.Grow(64 * kMiB - 512 * kKiB).value();
  EXPECT_EQ(second.start.value() % (4 * kMiB), 512 * kKiB) << "64 MiB and its head, in pieces of 4 MiB";
  EXPECT_EQ(arena.held_bytes(), 128 * kMiB);
  arena.CheckInvariants();
}

TEST(ArenaModes, ThreadRequestsBeginWhereThePlanSaysAndEnd) {
  ReservationStrategy s = Go2010Radix();
  s.thread_requests = {Request(kMiB)};
  s.thread_requests_from = 2;
  s.thread_requests_most = 2;
  ScriptedOs os;
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  for (const uint64_t mib : {0, 1, 2, 2}) {
    ASSERT_TRUE(arena.StartThread().ok());
    EXPECT_EQ(arena.beside_bytes(), mib * kMiB);
  }
}

TEST(ArenaModes, TablesGrowWithTheHeap) {
  ReservationStrategy s = Go2010Radix();
  s.growth_tables = {{"bitmap", 16, 64 * kKiB}};
  ScriptedOs os;
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  ASSERT_TRUE(arena.Grow(kMiB).ok());
  EXPECT_EQ(arena.beside_bytes(), 64 * kKiB);
  ASSERT_TRUE(arena.Grow(3 * kMiB).ok());
  EXPECT_EQ(arena.beside_bytes(), 256 * kKiB);
}

TEST(ArenaModes, TheRangeGoesOnBehindItsEndWhileNobodyIsThere) {
  ReservationStrategy s = Go201102Reserve17g();
  s.hints.base = Addr(0xd800000000);
  s.heap_bytes = kMiB;
  s.bitmap_bytes = kMiB;
  s.window_bytes = 16 * kMiB;
  s.extend_bytes = 4 * kMiB;
  ScriptedOs os;
  Arena arena(os, s);
  ASSERT_TRUE(arena.Start().ok());
  const AddrRange first = arena.Grow(kMiB).value();
  const AddrRange second = arena.Grow(2 * kMiB).value();
  EXPECT_EQ(second.start, first.end());
  EXPECT_EQ(arena.held_bytes(), 6 * kMiB);
  arena.CheckInvariants();
}

}  // namespace
}  // namespace reheap
