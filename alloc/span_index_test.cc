#include "alloc/span_index.h"

#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace reheap {
namespace {

TEST(SpanIndexTest, ZeroIsNoSpan) {
  SpanIndex index;
  EXPECT_EQ(index.IndexOf(SpanRef()), 0u);
  EXPECT_EQ(index.SpanOf(0), SpanRef());
}

TEST(SpanIndexTest, TurnsBackAtEveryEdgeOfItsReach) {
  constexpr uint64_t kFirst = 0x7f12'3456'7000;
  const struct {
    const char* name;
    uint64_t address;
  } kCases[] = {
      {"First", kFirst},
      {"Next", kFirst + 64},
      {"NearBase", kFirst - 64 * kGiB},
      {"AboveNearBase", kFirst - 64 * kGiB + 64},
      {"LastNear", kFirst + 64 * kGiB - 64},
      {"FirstFarAbove", kFirst + 64 * kGiB},
      {"FarBelow", kFirst - 64 * kGiB - 64},
      {"Lowest", 64},
      {"Highest", ~uint64_t{63}},
      {"WindowStart", 0x10'0000'0000},
      {"WindowEnd", 0x10'4000'0000 - 64},
  };
  SpanIndex index;
  std::map<uint32_t, uint64_t> by_index;
  for (const auto& c : kCases) {
    const uint32_t i = index.IndexOf(SpanRef(c.address));
    EXPECT_NE(i, 0u) << c.name;
    EXPECT_TRUE(by_index.emplace(i, c.address).second) << c.name << " shares an index";
  }
  for (const auto& [i, address] : by_index) EXPECT_EQ(index.SpanOf(i).value(), address);
}

TEST(SpanIndexTest, RandomSpansTurnBack) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  SpanIndex index;
  std::vector<uint64_t> windows;
  for (int i = 0; i < 128; ++i) windows.push_back(random() >> 17 & ~(kGiB - 1));
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t address =
        (windows[random() % windows.size()] | (random() & (kGiB - 1) & ~uint64_t{63})) | 64;
    ASSERT_EQ(index.SpanOf(index.IndexOf(SpanRef(address))), SpanRef(address));
  }
}

TEST(SpanIndexDeathTest, MisalignedSpansAndTooManyWindowsAreOurMistake) {
  SpanIndex index;
  EXPECT_DEATH(index.IndexOf(SpanRef(100)), "CHECK failed");
  EXPECT_DEATH(
      {
        for (uint64_t i = 1; i <= 130; ++i) index.IndexOf(SpanRef(i * 256 * kGiB));
      },
      "CHECK failed");
}

}  // namespace
}  // namespace reheap
