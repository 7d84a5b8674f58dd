#include "alloc/heap_bitmap.h"

#include <cstdint>
#include <map>
#include <random>

#include "alloc/scripted_os.h"
#include "gtest/gtest.h"

namespace reheap {
namespace {

constexpr uint64_t kChunk = 8 * kKiB;

TEST(HeapBitmapLayoutTest, SizesOfTheMail) {
  EXPECT_EQ(HeapBitmapLayout(Addr(0xf840000000), 8, kChunk).BytesFor(16 * kGiB), 1 * kGiB);
  EXPECT_EQ(HeapBitmapLayout(Addr(0x20000000), 4, kChunk).BytesFor(4 * kGiB), 512 * kMiB);
}

TEST(HeapBitmapLayoutTest, GrowsDownwardInWholeChunks) {
  const HeapBitmapLayout layout(Addr(0xf840000000), 8, kChunk);
  const struct {
    const char* name;
    uint64_t old_heap, new_heap;
    AddrRange expected;
  } kCases[] = {
      // The first growth of the 2011 runtime: 1 MiB of heap, 64 KiB of bitmap.
      {"FirstMebibyte", 0, kMiB, {Addr(0xf840000000 - 64 * kKiB), 64 * kKiB}},
      {"OneByte", 0, 1, {Addr(0xf840000000 - kChunk), kChunk}},
      {"FitsInTheChunk", 1, 16 * kChunk, {Addr(0xf840000000 - kChunk), 0}},
      {"OneWordMore", 16 * kChunk, 16 * kChunk + 8, {Addr(0xf840000000 - 2 * kChunk), kChunk}},
      {"NoGrowth", kMiB, kMiB, {Addr(0xf840000000 - 64 * kKiB), 0}},
  };
  for (const auto& c : kCases) EXPECT_EQ(layout.GrowthFor(c.old_heap, c.new_heap), c.expected) << c.name;
}

TEST(HeapBitmapLayoutTest, UnitsLieBelowTheHeapInReverse) {
  const HeapBitmapLayout layout(Addr(0x100000), 8, kChunk);
  EXPECT_EQ(layout.UnitOf(0), Addr(0x100000 - 8));
  EXPECT_EQ(layout.UnitOf(15), Addr(0x100000 - 8));
  EXPECT_EQ(layout.UnitOf(16), Addr(0x100000 - 16));
  EXPECT_EQ(layout.ShiftOf(0), 0u);
  EXPECT_EQ(layout.ShiftOf(17), 4u);
  EXPECT_EQ(layout.WordOf(Addr(0x100000 + 8 * 33 + 7)), 33u);
}

class HeapBitmapTest : public testing::TestWithParam<uint64_t> {
 protected:
  static constexpr uint64_t kHeapBytes = 4 * kMiB;
  const uint64_t word_bytes_ = GetParam();
  ScriptedOs os_;
  DirectMemory memory_;
  const AddrRange both_ = os_.MapReady(2 * kHeapBytes, Access::kReadWrite).value();
  const Addr heap_ = both_.start + kHeapBytes;
  HeapBitmap<DirectMemory> bitmap_{memory_, HeapBitmapLayout(heap_, word_bytes_, kChunk)};
};
INSTANTIATE_TEST_SUITE_P(WordBytes, HeapBitmapTest, testing::Values(4, 8));

TEST_P(HeapBitmapTest, AgreesWithAnOracle) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  std::map<uint64_t, uint8_t> oracle;  // heap word -> bits
  const uint64_t words = kHeapBytes / word_bytes_;
  const auto address = [&](uint64_t word) { return heap_ + word * word_bytes_; };
  for (int step = 0; step < 20'000; ++step) {
    const uint64_t word = random() % 4 == 0 ? random() % words : random() % 100;
    const uint8_t bits = static_cast<uint8_t>(random() % 16);
    switch (random() % 3) {
      case 0:
        bitmap_.Set(address(word), bits);
        oracle[word] |= bits;
        break;
      case 1:
        bitmap_.Clear(address(word), bits);
        oracle[word] = static_cast<uint8_t>(oracle[word] & ~bits);
        break;
      default: {
        const uint64_t n = std::min(random() % 70, words - word);
        bitmap_.ClearRange({address(word), n * word_bytes_});
        oracle.erase(oracle.lower_bound(word), oracle.lower_bound(word + n));
      }
    }
    const uint64_t probe = random() % 128;
    ASSERT_EQ(bitmap_.Get(address(probe)), oracle.contains(probe) ? oracle[probe] : 0) << "step " << step;
  }
  for (uint64_t word = 0; word < words; ++word) {
    const auto it = oracle.find(word);
    ASSERT_EQ(bitmap_.Get(address(word)), it == oracle.end() ? 0 : it->second) << word;
  }
  uint64_t marked = 0;
  for (const auto& [word, bits] : oracle) marked += (bits & kHeapBitMarked) != 0;
  EXPECT_EQ(bitmap_.CountSlow({heap_, kHeapBytes}, kHeapBitMarked), marked);
}

TEST_P(HeapBitmapTest, StaysWithinTheBytesThatTheLayoutAsksFor) {
  for (uint64_t word = 0; word < kHeapBytes / word_bytes_; ++word) {
    bitmap_.Set(heap_ + word * word_bytes_, kHeapBitAllocated);
  }
  const uint64_t bitmap_bytes = bitmap_.layout().BytesFor(kHeapBytes);
  EXPECT_EQ(bitmap_bytes, kHeapBytes / word_bytes_ / 2);
  EXPECT_EQ(os_.CountResidentPages(), bitmap_bytes / 4096);
}

TEST_P(HeapBitmapTest, ClearingFreeHeapWritesNothing) {
  bitmap_.Set(heap_ + kHeapBytes - word_bytes_, kHeapBitSpecial);
  bitmap_.ClearRange({heap_, kHeapBytes - word_bytes_});
  EXPECT_EQ(bitmap_.Get(heap_ + kHeapBytes - word_bytes_), kHeapBitSpecial);
}

TEST(HeapBitmapDeathTest, AMisalignedHeapIsOurMistake) {
  EXPECT_DEATH(HeapBitmapLayout(Addr(0x1008), 8, kChunk), "CHECK failed");
  EXPECT_DEATH(HeapBitmapLayout(Addr(0x1000), 2, kChunk), "CHECK failed");
}

}  // namespace
}  // namespace reheap
