// Heap: what Malloc, Free and Resize promise, case by case, on the running kernel.
#include "alloc/heap.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "alloc/heap_direct.h"
#include "alloc/heap_stats_for_tests.h"
#include "alloc/scripted_os.h"
#include "alloc/strategies_for_tests.h"

namespace reheap {
namespace {

class HeapTest : public testing::Test {
 protected:
  using FlatHeap = Heap<DirectMemory, FlatPageMap>;

  HeapTest() : heap_(std::make_unique<FlatHeap>(os_, memory_, Go201102Pretend())) {
    REHEAP_CHECK(heap_->Start().ok());
    cache_ = heap_->NewCache().value();
  }
  ~HeapTest() override { Check(); }

  void Check() {
    heap_->CheckInvariants();
    ExpectSameStats(heap_->stats(), heap_->RecountSlow());
  }
  Addr Malloc(uint64_t bytes, uint64_t alignment = 1) { return heap_->Malloc(cache_, bytes, alignment); }
  FreeError Free(Addr object) { return heap_->Free(cache_, object); }

  ScriptedOs os_;
  DirectMemory memory_;
  std::unique_ptr<FlatHeap> heap_;
  CacheId cache_ = 0;
};

TEST_F(HeapTest, StartsAtTheFirstHeapByte) { EXPECT_EQ(Malloc(100000), Addr(0xf840000000)); }

TEST_F(HeapTest, ZeroBytesAreObjectsOfTheirOwn) {
  const Addr a = Malloc(0), b = Malloc(0);
  ASSERT_TRUE(a && b);
  EXPECT_NE(a, b);
  EXPECT_EQ(Free(a), FreeError::kNone);
  EXPECT_EQ(Free(b), FreeError::kNone);
}

TEST_F(HeapTest, AFreedObjectIsTheNextOne) {
  const Addr a = Malloc(64);
  EXPECT_EQ(Free(a), FreeError::kNone);
  EXPECT_EQ(Malloc(64), a);
}

TEST_F(HeapTest, EveryBadFreeIsNamedAndChangesNothing) {
  const Addr small = Malloc(48), large = Malloc(100000), freed = Malloc(48), freed_large = Malloc(200000);
  ASSERT_EQ(Free(freed), FreeError::kNone);
  ASSERT_EQ(Free(freed_large), FreeError::kNone);
  struct Case {
    const char* name;
    Addr object;
    FreeError expected;
  };
  const Case cases[] = {
      {"Null", Addr(), FreeError::kForeign},
      {"OurOwnStack", Addr(reinterpret_cast<uint64_t>(&cases)), FreeError::kForeign},
      {"BelowTheHeap", Addr(0xf840000000 - 4096), FreeError::kForeign},
      {"TopOfTheWorld", Addr(~uint64_t{0}), FreeError::kForeign},
      {"HeapNotGrownYet", Addr(0xf840000000 + 8 * kGiB), FreeError::kForeign},
      {"InsideAFreeSpan", freed_large + 5000, FreeError::kForeign},
      {"SmallByOneByte", small + 1, FreeError::kInterior},
      {"SmallByOneWord", small + 8, FreeError::kInterior},
      {"LargeByOnePage", large + 4096, FreeError::kInterior},
      {"LargeByOneByte", large + 1, FreeError::kInterior},
      {"SmallTwice", freed, FreeError::kDoubleFree},
      {"NeverHandedOut", small + 48 * 40, FreeError::kDoubleFree},
      {"LargeTwice", freed_large, FreeError::kDoubleFree},
  };
  const HeapStats before = heap_->stats();
  for (const Case& c : cases) EXPECT_EQ(Free(c.object), c.expected) << c.name;
  ExpectSameStats(heap_->stats(), before);
  EXPECT_EQ(Free(small), FreeError::kNone);
  EXPECT_EQ(Free(large), FreeError::kNone);
}

TEST_F(HeapTest, ADoubleFreeIsSeenAcrossCachesAndAfterAFlush) {
  const CacheId other = heap_->NewCache().value();
  const Addr keep = Malloc(1000), object = Malloc(1000);
  EXPECT_EQ(heap_->Free(other, object), FreeError::kNone);
  EXPECT_EQ(Free(object), FreeError::kDoubleFree);
  heap_->DropCache(other);
  EXPECT_EQ(Free(object), FreeError::kDoubleFree);
  EXPECT_EQ(Free(keep), FreeError::kNone);
}

TEST_F(HeapTest, AlignmentIsKeptUpToAGibibyte) {
  for (uint64_t alignment = 1; alignment <= kGiB; alignment *= 2) {
    for (uint64_t bytes : {uint64_t{1}, uint64_t{24}, uint64_t{1000}, uint64_t{5000}, uint64_t{70000}}) {
      const Addr a = Malloc(bytes, alignment);
      ASSERT_TRUE(a) << bytes << " at " << alignment;
      EXPECT_EQ(a.value() % alignment, 0) << bytes << " at " << alignment;
      EXPECT_GE(heap_->UsableBytes(a), bytes);
      EXPECT_EQ(Free(a), FreeError::kNone);
    }
  }
  EXPECT_FALSE(Malloc(8, 24));
  EXPECT_EQ(heap_->last_refusal().rule, Rule::kInvalidArgument);
}

TEST_F(HeapTest, TheSlackOfAnAlignedSpanIsFree) {
  const Addr a = Malloc(40000, 512 * kKiB);
  ASSERT_TRUE(a);
  EXPECT_EQ(heap_->stats().large_span_bytes, 40 * kKiB);
  EXPECT_EQ(heap_->stats().free_bytes + 40 * kKiB, heap_->stats().heap_bytes);
}

TEST_F(HeapTest, HugeRequestsAreRefused) {
  const HeapStats before = heap_->stats();
  const uint64_t requests[] = {uint64_t{1} << 63, ~uint64_t{0}, ~uint64_t{0} - 4095, uint64_t{1} << 47,
                               17 * kGiB};
  for (uint64_t bytes : requests) {
    EXPECT_FALSE(Malloc(bytes)) << bytes;
    EXPECT_NE(heap_->last_refusal().rule, Rule::kNone) << bytes;
    EXPECT_FALSE(Malloc(bytes, kGiB)) << bytes;
    EXPECT_FALSE(Malloc(1, uint64_t{1} << 63));
  }
  ExpectSameStats(heap_->stats(), before);
  EXPECT_TRUE(Malloc(100));
}

TEST_F(HeapTest, ResizeStaysWhereItCan) {
  struct Case {
    const char* name;
    uint64_t from_bytes, to_bytes;
    bool stays;
  };
  const Case cases[] = {
      {"SameClass", 100, 105, true},         {"LargerClass", 100, 1000, false},
      {"SmallerClass", 1000, 100, false},    {"SamePages", 40000, 40900, true},
      {"LargeShrinks", 100000, 40000, true}, {"LargeToSmall", 40000, 10, false},
      {"SmallToLarge", 10, 40000, false},    {"ToZero", 1000, 0, false},
  };
  for (const Case& c : cases) {
    const Addr from = Malloc(c.from_bytes);
    const Addr blocker = Malloc(c.from_bytes);
    FreeError error = FreeError::kForeign;
    const Addr to = heap_->Resize(cache_, from, c.to_bytes, &error);
    ASSERT_TRUE(to) << c.name;
    EXPECT_EQ(error, FreeError::kNone) << c.name;
    EXPECT_EQ(to == from, c.stays) << c.name;
    EXPECT_GE(heap_->UsableBytes(to), c.to_bytes) << c.name;
    EXPECT_EQ(heap_->UsableBytes(from) != 0, c.stays) << c.name;
    EXPECT_EQ(Free(to), FreeError::kNone) << c.name;
    EXPECT_EQ(Free(blocker), FreeError::kNone) << c.name;
    Check();
  }
}

TEST_F(HeapTest, ResizeNamesWhatIsNoObject) {
  const Addr a = Malloc(100);
  FreeError error = FreeError::kNone;
  EXPECT_FALSE(heap_->Resize(cache_, a + 8, 10, &error));
  EXPECT_EQ(error, FreeError::kInterior);
  EXPECT_FALSE(heap_->Resize(cache_, Addr(), 10, &error));
  EXPECT_EQ(error, FreeError::kForeign);
  // A refusal leaves the old object alone.
  EXPECT_FALSE(heap_->Resize(cache_, a, uint64_t{1} << 62, &error));
  EXPECT_EQ(error, FreeError::kNone);
  EXPECT_EQ(heap_->UsableBytes(a), 112);
}

TEST_F(HeapTest, SpanOfKnowsEveryByteOfAnObject) {
  const Addr small = Malloc(3000), large = Malloc(100000);
  for (uint64_t offset : {0, 1, 2999}) EXPECT_EQ(heap_->SpanOf(small + offset).state, SpanState::kSmall);
  for (uint64_t offset : {0, 50000, 99999}) {
    const SpanInfo info = heap_->SpanOf(large + offset);
    EXPECT_EQ(info.state, SpanState::kLarge);
    EXPECT_EQ(info.pages.start, large);
    EXPECT_EQ(info.pages.bytes, 25 * 4096);
  }
  EXPECT_EQ(heap_->SpanOf(large - 1 + 25 * 4096 + 1).state, SpanState::kNone);
}

TEST_F(HeapTest, EmptySpansGoBackToThePageHeap) {
  std::vector<Addr> objects;
  for (int n = 0; n < 20000; ++n) objects.push_back(Malloc(200));
  const uint64_t grown_bytes = heap_->stats().heap_bytes;
  for (Addr a : objects) ASSERT_EQ(Free(a), FreeError::kNone);
  heap_->DropCache(cache_);
  EXPECT_EQ(heap_->stats().small_spans, 0);
  EXPECT_EQ(heap_->stats().free_bytes, grown_bytes);
  EXPECT_EQ(heap_->stats().span_records, 1) << "all of it has joined";
  cache_ = heap_->NewCache().value();
}

TEST_F(HeapTest, DiscardedPagesAreUsedAgainBeforeTheHeapGrows) {
  const Addr a = Malloc(8 * kMiB);
  ASSERT_EQ(Free(a), FreeError::kNone);
  const uint64_t free_bytes = heap_->stats().free_bytes;
  EXPECT_EQ(heap_->ReleaseFreePages(1), free_bytes) << "whole spans";
  EXPECT_EQ(heap_->stats().discarded_bytes, free_bytes);
  EXPECT_EQ(heap_->stats().free_bytes, 0);
  EXPECT_EQ(os_.calls(OsOperation::kDiscard), 1);
  Check();
  const uint64_t grown_bytes = heap_->stats().heap_bytes;
  EXPECT_EQ(Malloc(8 * kMiB), a);
  EXPECT_EQ(os_.calls(OsOperation::kReuse), 1);
  EXPECT_EQ(heap_->stats().heap_bytes, grown_bytes);
  EXPECT_EQ(heap_->stats().discarded_bytes, free_bytes - 8 * kMiB) << "what nobody needs stays discarded";
}

TEST_F(HeapTest, GrowthRefusedIsTriedAgainWithTheNeedOnly) {
  ASSERT_TRUE(Malloc(kMiB));  // the startup heap is used up
  os_.RefuseAfter(0);
  ASSERT_TRUE(Malloc(100000));
  EXPECT_EQ(heap_->stats().heap_bytes, kMiB + 128 * kKiB);
}

TEST_F(HeapTest, ARefusalAnywhereLeavesTheHeapWhole) {
  for (uint64_t n = 0; n < 6; ++n) {
    os_.RefuseAfter(n);
    const Addr a = Malloc(3 * kMiB);
    Check();
    EXPECT_EQ(Free(a), a ? FreeError::kNone : FreeError::kForeign);
    os_.RefuseAfter(1000);
    const Addr b = Malloc((n + 4) * kMiB);
    ASSERT_TRUE(b);
    Check();
  }
}

TEST_F(HeapTest, TheBitmapMarksObjectsAndNothingElse) {
  const HeapBitmapLayout layout(Addr(0xf840000000), 8, 8 * kKiB);
  const HeapBitmap<DirectMemory> bitmap(memory_, layout);
  const Addr a = Malloc(64), b = Malloc(64), large = Malloc(100000);
  const AddrRange heap{Addr(0xf840000000), kMiB};
  EXPECT_EQ(bitmap.CountSlow(heap, kHeapBitAllocated), 3);
  EXPECT_TRUE(bitmap.Get(a) & kHeapBitAllocated);
  EXPECT_TRUE(bitmap.Get(large) & kHeapBitAllocated);
  EXPECT_EQ(Free(b), FreeError::kNone);
  EXPECT_EQ(Free(large), FreeError::kNone);
  EXPECT_EQ(bitmap.CountSlow(heap, kHeapBitAllocated), 1);
}

TEST_F(HeapTest, CachesAreReusedAndCounted) {
  std::vector<CacheId> ids;
  for (int n = 0; n < 100; ++n) ids.push_back(heap_->NewCache().value());
  EXPECT_EQ(heap_->stats().caches, 101);
  for (CacheId id : ids) heap_->DropCache(id);
  EXPECT_EQ(heap_->stats().caches, 1);
  EXPECT_EQ(heap_->NewCache().value(), ids[0]);
}

TEST_F(HeapTest, ARefusedCacheTakesNoNumber) {
  ASSERT_EQ(heap_->NewCache().value(), 1u) << "the second half of the first chunk";
  os_.RefuseAfter(0);
  ASSERT_FALSE(heap_->NewCache().ok());
  EXPECT_EQ(heap_->NewCache().value(), 2u);
}

}  // namespace
}  // namespace reheap
