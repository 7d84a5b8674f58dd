#include "alloc/touched_pages.h"

#include <cstdint>
#include <memory>
#include <random>
#include <set>

#include "gtest/gtest.h"

namespace reheap {
namespace {

TEST(TouchedPagesTest, AgreesWithASet) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  const auto touched = std::make_unique<TouchedPages>();
  std::set<uint64_t> oracle;
  uint64_t regions[20];
  for (uint64_t& region : regions) region = random() >> 17;
  for (int step = 0; step < 50'000; ++step) {
    const Addr a(regions[random() % 20] + random() % (8 * kMiB));
    EXPECT_EQ(touched->Contains(a), oracle.contains(a.value() / 4096)) << "step " << step;
    if (random() % 2 == 0) continue;
    touched->Add(a);
    oracle.insert(a.value() / 4096);
    ASSERT_EQ(touched->count(), oracle.size()) << "step " << step;
  }
  EXPECT_TRUE(touched->exact());
  EXPECT_EQ(touched->CountSlow(), oracle.size());
}

TEST(TouchedPagesTest, OsPagesOf16KiBAreCountedOnce) {
  TouchedPages touched;
  touched.set_os_page_bytes(16 * kKiB);
  for (uint64_t offset = 0; offset < 64 * kKiB; offset += kKiB) touched.Add(Addr(kMiB + offset));
  EXPECT_EQ(touched.count(), 4u);
}

TEST(TouchedPagesTest, PageZeroIsAPage) {
  TouchedPages touched;
  EXPECT_FALSE(touched.Contains(Addr(0)));
  touched.Add(Addr(0));
  EXPECT_TRUE(touched.Contains(Addr(0)));
  EXPECT_EQ(touched.count(), 1u);
}

// Scattered as widely as can be, it says when it stops being exact, and never loses what it knows.
TEST(TouchedPagesTest, WhenFullItIsALowerBoundAndSaysSo) {
  TouchedPages touched;
  constexpr uint64_t kGroupBytes = 64 * 4096;
  constexpr uint64_t kMaxGroups = 3584;
  for (uint64_t i = 0; i < kMaxGroups; ++i) touched.Add(Addr(i * kGroupBytes));
  EXPECT_TRUE(touched.exact());
  touched.Add(Addr(kMaxGroups * kGroupBytes));
  EXPECT_FALSE(touched.exact());
  touched.Add(Addr(4096));  // a known group still has room
  EXPECT_EQ(touched.count(), kMaxGroups + 1);
  EXPECT_EQ(touched.CountSlow(), kMaxGroups + 1);
  EXPECT_FALSE(touched.Contains(Addr(kMaxGroups * kGroupBytes)));
}

}  // namespace
}  // namespace reheap
