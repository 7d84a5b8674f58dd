// PageBits against std::set, and its memory over a terabyte.
#include "sim/os/page_bits.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>
#include <vector>

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;

TEST(PageBitsTest, AddIsIdempotent) {
  PageBits set(kPage);
  EXPECT_TRUE(set.Add(Addr(0xf800000000)));
  EXPECT_FALSE(set.Add(Addr(0xf800000fff)));
  EXPECT_TRUE(set.Add(Addr(0xf800001000)));
  EXPECT_EQ(set.count(), 2u);
  EXPECT_TRUE(set.Contains(Addr(0xf800000123)));
  EXPECT_FALSE(set.Contains(Addr(0xf800002000)));
}

TEST(PageBitsTest, ClearTakesTheRangeAndNoMore) {
  PageBits set(kPage);
  for (uint64_t i = 0; i < 2000; ++i) set.Add(Addr(kGiB - 1000 * kPage + i * kPage));
  EXPECT_EQ(set.Clear({Addr(kGiB - 600 * kPage), 1200 * kPage}), 1200u);
  EXPECT_EQ(set.count(), 800u);
  EXPECT_EQ(set.Recount(), 800u);
  EXPECT_TRUE(set.Contains(Addr(kGiB - 601 * kPage)));
  EXPECT_FALSE(set.Contains(Addr(kGiB - 600 * kPage)));
  EXPECT_FALSE(set.Contains(Addr(kGiB + 599 * kPage)));
  EXPECT_TRUE(set.Contains(Addr(kGiB + 600 * kPage)));
}

TEST(PageBitsTest, AllButOnePageOf2MiB) {
  for (uint64_t kept : {uint64_t{0}, uint64_t{511}}) {
    PageBits set(kPage);
    for (uint64_t i = 0; i < 512; ++i) set.Add(Addr(kGiB + i * kPage));
    EXPECT_EQ(set.Clear({Addr(kGiB + (kept == 0 ? kPage : 0)), 511 * kPage}), 511u);
    EXPECT_TRUE(set.Contains(Addr(kGiB + kept * kPage)));
    EXPECT_EQ(set.Recount(), 1u);
  }
}

TEST(PageBitsTest, LargerPagesCountOnce) {
  PageBits set(16384);
  EXPECT_TRUE(set.Add(Addr(16384)));
  EXPECT_FALSE(set.Add(Addr(32767)));
  EXPECT_EQ(set.Clear({Addr(16384), 16384}), 1u);
}

// Two million pages all over 1 TiB, then all of it forgotten by one call.
TEST(PageBitsTest, ATerabyteOfSparseTouchesComesAndGoes) {
  PageBits set(kPage);
  for (uint64_t at = 0; at < kTiB; at += 512 * kKiB) set.Add(Addr(at));
  EXPECT_EQ(set.count(), kTiB / (512 * kKiB));
  // 1,024 branches and 524,288 leaves: below the 50 MiB that the header promises.
  EXPECT_LT(set.memory_bytes(), 50 * kMiB);
  EXPECT_EQ(set.Clear({Addr(0), kTiB}), kTiB / (512 * kKiB));
  EXPECT_EQ(set.count(), 0u);
  EXPECT_EQ(set.memory_bytes(), 0u);
}

TEST(PageBitsTest, RandomOperationsAgreeWithASet) {
  const char* given = std::getenv("REHEAP_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device()();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  PageBits set(kPage);
  std::set<uint64_t> model;
  for (int i = 0; i < 50'000; ++i) {
    // Around three borders of branches.
    const uint64_t page = (1 + random() % 3) * (kGiB / kPage) - 700 + random() % 1400;
    if (random() % 20 != 0) {
      ASSERT_EQ(set.Contains(Addr(page * kPage)), model.count(page) == 1);
      ASSERT_EQ(set.Add(Addr(page * kPage)), model.insert(page).second);
      continue;
    }
    const uint64_t count = 1 + random() % 1500;
    const AddrRange range{Addr(page * kPage), count * kPage};
    const auto from = model.lower_bound(page), to = model.lower_bound(page + count);
    std::vector<uint64_t> visited;
    set.ForEach(range, [&visited](Addr a) { visited.push_back(a.value() / kPage); });
    ASSERT_EQ(visited, std::vector<uint64_t>(from, to));
    if (random() % 2 == 0) {
      set.AddAll(range);
      for (uint64_t n = page; n < page + count; ++n) model.insert(n);
      ASSERT_EQ(set.count(), model.size());
      continue;
    }
    ASSERT_EQ(set.Clear(range), static_cast<uint64_t>(std::distance(from, to)));
    model.erase(from, to);
    ASSERT_EQ(set.count(), model.size());
    ASSERT_EQ(set.Recount(), model.size());
  }
}

}  // namespace
}  // namespace reheap
