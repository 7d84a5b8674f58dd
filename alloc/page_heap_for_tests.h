// PageHeapTest: a page heap of 256 pages on the real kernel, spans named by where they start. Test-only.
#ifndef REHEAP_ALLOC_PAGE_HEAP_FOR_TESTS_H_
#define REHEAP_ALLOC_PAGE_HEAP_FOR_TESTS_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <map>

#include "alloc/flat_page_map.h"
#include "alloc/page_heap.h"
#include "alloc/scripted_os.h"
#include "alloc/strategies_for_tests.h"

namespace reheap {

class PageHeapTest : public testing::Test {
 public:
  static constexpr uint32_t kShift = 12;
  static constexpr Addr kHeap = Addr(0xf840000000);

 protected:
  PageHeapTest()
      : strategy_(Go201102Pretend()),
        arena_(os_, strategy_),
        map_(memory_),
        chunks_(os_, 128 * kKiB, Access::kReadWrite) {
    REHEAP_CHECK(arena_.Start().ok());
    PageMapSetup setup;
    setup.os = &os_;
    setup.strategy = &strategy_;
    setup.heap_range = arena_.heap_range();
    REHEAP_CHECK(map_.Init(setup).ok());
    records_.Init(memory_, chunks_, sizeof(Span));
    heap_.Init(os_, memory_, map_, arena_, records_, kShift);
    REHEAP_CHECK(heap_.Grow(256).ok());
  }
  ~PageHeapTest() override {
    heap_.CheckInvariants();
    EXPECT_TRUE(heap_.RecountSlow(0) == heap_.totals());
  }

  // Where the span starts, in pages from the heap's start; -1: refused.
  int64_t Take(uint64_t pages, uint64_t alignment_pages = 1) {
    const OsResult<SpanRef> span = heap_.Allocate(pages, alignment_pages, SpanState::kLarge);
    if (!span.ok()) return -1;
    const int64_t at = static_cast<int64_t>((memory_.Read<Span>(span.value()).start - kHeap) >> kShift);
    spans_[at] = span.value();
    return at;
  }
  void Give(int64_t at) {
    heap_.Free(spans_.at(at));
    spans_.erase(at);
  }

  ScriptedOs os_;
  DirectMemory memory_;
  ReservationStrategy strategy_;
  Arena arena_;
  FlatPageMap<DirectMemory> map_;
  ChunkStream chunks_;
  RecordPool<DirectMemory> records_;
  PageHeap<DirectMemory, FlatPageMap<DirectMemory>> heap_;
  std::map<int64_t, SpanRef> spans_;
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_PAGE_HEAP_FOR_TESTS_H_
