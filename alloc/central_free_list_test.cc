// CentralFreeList and ThreadCache's layout: which span objects come from, and how much a cache may hold.
#include "alloc/central_free_list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "alloc/flat_page_map.h"
#include "alloc/scripted_os.h"
#include "alloc/strategies_for_tests.h"

namespace reheap {
namespace {

constexpr uint32_t kShift = 12;

class CentralFreeListTest : public testing::Test {
 protected:
  using Map = FlatPageMap<DirectMemory>;

  CentralFreeListTest()
      : strategy_(Go201102Pretend()),
        arena_(os_, strategy_),
        map_(memory_),
        chunks_(os_, 128 * kKiB, Access::kReadWrite),
        bit_chunks_(os_, 4 * kKiB, Access::kReadWrite) {
    REHEAP_CHECK(arena_.Start().ok());
    PageMapSetup setup;
    setup.os = &os_;
    setup.strategy = &strategy_;
    setup.heap_range = arena_.heap_range();
    REHEAP_CHECK(map_.Init(setup).ok());
    records_.Init(memory_, chunks_, sizeof(Span));
    bits_.Init(memory_, bit_chunks_);
    pages_.Init(os_, memory_, map_, arena_, records_, kShift);
    slots_ = os_.MapReady(64 * kKiB, Access::kReadWrite).value().start;
    Use(64);
  }
  ~CentralFreeListTest() override {
    list_.CheckInvariants();
    pages_.CheckInvariants();
    bits_.CheckInvariants();
  }

  void Use(uint64_t bytes) {
    size_class_ = classes_.ClassFor(bytes);
    list_.Init(memory_, map_, pages_, bits_, classes_, kShift, size_class_);
  }
  std::vector<CacheSlot> Take(uint32_t count) {
    const OsResult<uint32_t> got = list_.Take(slots_, count);
    std::vector<CacheSlot> taken;
    for (uint32_t n = 0; got.ok() && n < got.value(); ++n) {
      taken.push_back(memory_.Read<CacheSlot>(slots_ + n * sizeof(CacheSlot)));
    }
    return taken;
  }
  void Give(const std::vector<CacheSlot>& given) {
    for (size_t n = 0; n < given.size(); ++n)
      memory_.Write<CacheSlot>(slots_ + n * sizeof(CacheSlot)) = given[n];
    list_.Give(slots_, static_cast<uint32_t>(given.size()));
  }

  ScriptedOs os_;
  DirectMemory memory_;
  ReservationStrategy strategy_;
  Arena arena_;
  Map map_;
  ChunkStream chunks_;
  ChunkStream bit_chunks_;
  RecordPool<DirectMemory> records_;
  BitRecords<DirectMemory> bits_;
  PageHeap<DirectMemory, Map> pages_;
  const SizeClasses& classes_ = SizeClasses::ForHeapPageShift(kShift);
  CentralFreeList<DirectMemory, Map> list_;
  int size_class_ = 0;
  Addr slots_;
};

TEST_F(CentralFreeListTest, LowAddressesAreHandedOutFirst) {
  const std::vector<CacheSlot> slots = Take(8);
  ASSERT_EQ(slots.size(), 8);
  for (size_t n = 1; n < slots.size(); ++n) EXPECT_EQ(slots[n - 1].object, slots[n].object + 64);
  EXPECT_EQ(slots.back().object.value() % 4096, 0);
}

TEST_F(CentralFreeListTest, EveryClassFillsItsSpanExactly) {
  for (int c = 1; c < classes_.count(); ++c) {
    const uint32_t objects = classes_[c].objects_per_span;
    CentralFreeList<DirectMemory, Map> list;
    list.Init(memory_, map_, pages_, bits_, classes_, kShift, c);
    ASSERT_EQ(list.Take(slots_, objects).value(), objects) << c;
    EXPECT_EQ(list.totals().spans, 1) << c;
    list.CheckInvariants();
    std::vector<uint64_t> marks;
    for (uint32_t n = 0; n < objects; ++n) {
      const CacheSlot slot = memory_.Read<CacheSlot>(slots_ + n * sizeof(CacheSlot));
      EXPECT_FALSE(IsMarked(memory_.Read<uint32_t>(MarkWord(slot.mark)), slot.mark));
      marks.push_back(slot.mark);
    }
    std::sort(marks.begin(), marks.end());
    EXPECT_EQ(std::unique(marks.begin(), marks.end()), marks.end())
        << "two objects share a bit in class " << c;
    list.Give(slots_, objects);
    EXPECT_EQ(list.totals().spans, 0) << c;
  }
  EXPECT_EQ(bits_.live_bytes(), 0);
  EXPECT_EQ(pages_.totals().small, 0);
}

TEST_F(CentralFreeListTest, TheFullestSpanIsUsedFirst) {
  Use(1024);  // four to a page
  std::vector<CacheSlot> all;
  for (int n = 0; n < 3; ++n) {
    const std::vector<CacheSlot> some = Take(12);
    ASSERT_EQ(some.size(), 4) << "a fresh span is not cut up for the rest of a batch";
    all.insert(all.end(), some.begin(), some.end());
  }
  const uint32_t per_span = classes_[size_class_].objects_per_span;
  ASSERT_EQ(list_.totals().spans, 12 / per_span);
  auto span_of = [&](const CacheSlot& slot) { return map_.Get(PageId::Containing(slot.object, kShift)); };
  // One object left in the first span, all but one in the last.
  std::vector<CacheSlot> back;
  for (const CacheSlot& slot : all) {
    const bool first = span_of(slot) == span_of(all[0]), last = span_of(slot) == span_of(all.back());
    if (first && back.size() + 1 < per_span) back.push_back(slot);
    if (last && slot.object == all.back().object) back.push_back(slot);
  }
  Give(back);
  EXPECT_EQ(span_of(Take(1)[0]), span_of(all.back()));
  EXPECT_EQ(span_of(Take(1)[0]), span_of(all[0]));
}

TEST_F(CentralFreeListTest, ARefusalLeavesNothingBehind) {
  strategy_.grow_retry_exact = false;
  // The chunk of span records; then it is there, and the heap's piece is refused; then that and its bitmap are
  // there, and the chunk of bits is refused.
  for (uint64_t n = 0; n < 3; ++n) {
    os_.RefuseAfter(n);
    ASSERT_TRUE(Take(1).empty()) << n;
    EXPECT_EQ(pages_.totals().small, 0);
    EXPECT_EQ(list_.totals().spans, 0);
    pages_.CheckInvariants();
  }
  os_.RefuseAfter(1000);
  EXPECT_EQ(Take(1).size(), 1);
}

TEST(CacheLayout, SlotsOfAllClassesFitAndHoldABatch) {
  for (uint32_t shift : {12u, 13u}) {
    ScriptedOs os;
    DirectMemory memory;
    const Addr cache = os.MapReady(kCacheBytes, Access::kReadWrite).value().start;
    const SizeClasses& classes = SizeClasses::ForHeapPageShift(shift);
    CacheLayout(classes).InitCache(memory, cache);
    Addr next = ClassAddr(cache, classes.count());
    for (int c = 1; c < classes.count(); ++c) {
      const CacheClass& slots = memory.Read<CacheClass>(ClassAddr(cache, c));
      EXPECT_EQ(slots.begin, next) << c;
      EXPECT_EQ(slots.length(), 0);
      EXPECT_EQ(slots.limit(), 0);
      EXPECT_GE(slots.capacity(), classes[c].objects_to_move) << c;
      next = slots.most_end;
    }
    EXPECT_LE(next, cache + kCacheBytes);
  }
}

TEST(CacheLimit, RisesSlowlyThenByBatchesThenNotAtAll) {
  ScriptedOs os;
  DirectMemory memory;
  const Addr cache = os.MapReady(kCacheBytes, Access::kReadWrite).value().start;
  const SizeClasses& classes = SizeClasses::ForHeapPageShift(12);
  CacheLayout(classes).InitCache(memory, cache);
  const int c = classes.ClassFor(64);
  auto limit = [&] { return memory.Read<CacheClass>(ClassAddr(cache, c)).limit(); };
  for (uint32_t n = 1; n <= 32; ++n) {
    EXPECT_TRUE(RaiseLimit(memory, cache, c, 32));
    EXPECT_EQ(limit(), n);
  }
  EXPECT_TRUE(RaiseLimit(memory, cache, c, 32));
  EXPECT_EQ(limit(), 64);
  EXPECT_TRUE(RaiseLimit(memory, cache, c, 32));
  EXPECT_EQ(limit(), 96);
  EXPECT_FALSE(RaiseLimit(memory, cache, c, 32));
  EXPECT_EQ(limit(), memory.Read<CacheClass>(ClassAddr(cache, c)).capacity());
}

}  // namespace
}  // namespace reheap
