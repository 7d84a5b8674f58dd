// Property: while one thread sets pages, readers see the old or the new span of a page, never anything else.
//
// Also run under ThreadSanitizer (tests/BUILD.bazel), which would call an unordered access to a table a race.
#include <atomic>
#include <cstdint>
#include <thread>

#include "alloc/flat_index_page_map.h"
#include "alloc/flat_page_map.h"
#include "alloc/radix2_page_map.h"
#include "alloc/radix3_page_map.h"
#include "alloc/scripted_os.h"
#include "alloc/sparse_arena_page_map.h"
#include "gtest/gtest.h"

namespace reheap {
namespace {

template <class Map>
class PageMapReadersTest : public testing::Test {};
using Maps =
    testing::Types<FlatPageMap<DirectMemory>, FlatIndexPageMap<DirectMemory>, Radix2PageMap<DirectMemory>,
                   Radix3PageMap<DirectMemory>, SparseArenaPageMap<DirectMemory>>;
TYPED_TEST_SUITE(PageMapReadersTest, Maps);

TYPED_TEST(PageMapReadersTest, SeeTheOldOrTheNewSpan) {
  constexpr bool kLow = TypeParam::kKind == PageMapKind::kRadix2;
  constexpr AddrRange kHeap{kLow ? Addr(kGiB) : Addr(0xf840000000), 512 * kMiB};
  constexpr uint64_t kPages = kHeap.bytes >> 12;
  constexpr uint64_t kStride = 509;  // a prime: new OS pages and new nodes all the time
  const PageId first = PageId::Containing(kHeap.start, 12);
  // Page i belongs, in turn, to nobody and to one of two spans that its number tells.
  const auto span_of = [](uint64_t i, uint64_t round) {
    return SpanRef((kLow ? 0x1000'0000 : 0x7f00'0000'0000) + 128 * i + 64 * (round & 1));
  };

  ScriptedOs os;
  if (kLow) os.PlaceLow();
  const ReservationStrategy strategy;
  DirectMemory memory;
  TypeParam map(memory);
  ASSERT_TRUE(map.Init({.os = &os, .strategy = &strategy, .heap_range = kHeap, .table = {}}).ok());

  std::atomic<bool> done = false;
  std::atomic<uint64_t> wrong = 0, seen = 0;
  const auto read = [&] {
    for (uint64_t i = 0; !done.load(std::memory_order_relaxed); i = (i + kStride) % kPages) {
      const SpanRef span = map.Get(first + PageCount(i));
      if (span == SpanRef()) continue;
      if (span != span_of(i, 0) && span != span_of(i, 1)) ++wrong;
      ++seen;
    }
  };
  std::thread one(read), two(read);
  // At least once through set, overwrite, clear, set; and on until the readers have seen something to judge.
  for (uint64_t round = 0; round < 4 || seen < 1000; ++round) {
    for (uint64_t i = 0; i < kPages; i += kStride) {
      REHEAP_CHECK(map.Prepare(first + PageCount(i), PageCount(1)).ok());
      map.Set(first + PageCount(i), PageCount(1), round % 4 == 2 ? SpanRef() : span_of(i, round));
    }
  }
  done = true;
  one.join();
  two.join();
  EXPECT_EQ(wrong, 0u);
  map.CheckInvariants();
}

}  // namespace
}  // namespace reheap
