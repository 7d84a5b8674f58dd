#include "traces/address_relocation.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace reheap {
namespace {

constexpr uint64_t kKept = 2u << 20;
constexpr uint64_t kApart = uint64_t{4} << 30;
constexpr uint64_t kTib = uint64_t{1} << 40;

TEST(AddressRelocationTest, TheUsualPlacesOfAProcess) {
  AddressRelocation addresses;
  addresses.Add(0x400000, 0x2000);           // a program that is not position-independent
  addresses.Add(0x563a1c8f1000, 0x30000);    // one that is
  addresses.Add(0x563a1d4c2000, 0x21000);    // its heap
  addresses.Add(0x7f31c4a00000, 0x5c0b000);  // libraries
  addresses.Add(0x7ffd3b1a7000, 0x21000);    // stack
  addresses.Settle();
  EXPECT_EQ(addresses.At(0x400000), 0x400000u);
  EXPECT_EQ(addresses.At(0x563a1c8f1000), 0x56ffff2f1000u);
  EXPECT_EQ(addresses.At(0x563a1d4c2000) - addresses.At(0x563a1c8f1000), 0x563a1d4c2000u - 0x563a1c8f1000u);
  EXPECT_EQ(addresses.At(0x7ffd3b1a7000), 0x7ffffffa7000u);
  EXPECT_LE(addresses.At(0x7f31ca60b000), addresses.At(0x7ffd3b1a7000) - kApart + kKept);
  EXPECT_GT(addresses.At(0x7f31ca60b000), addresses.At(0x7ffd3b1a7000) - kApart - kKept);
  EXPECT_EQ(addresses.At(0x10000000), 0u) << "nobody's";
}

TEST(AddressRelocationTest, OrderOffsetsAndDistancesStayAtRandom) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 200; ++round) {
    AddressRelocation addresses;
    std::vector<uint64_t> places;
    for (int i = 0; i < 60; ++i) {
      const uint64_t start = random() >> (17 + random() % 30) & ~uint64_t{0xfff};
      const uint64_t bytes = random() >> (24 + random() % 40);
      ASSERT_TRUE(addresses.Add(start, bytes));
      places.insert(places.end(), {start, start + bytes / 2, start + bytes});
    }
    addresses.Settle();
    std::sort(places.begin(), places.end());
    for (size_t i = 1; i < places.size(); ++i) {
      const uint64_t from = places[i - 1], to = places[i];
      const uint64_t new_from = addresses.At(from), new_to = addresses.At(to);
      ASSERT_EQ(new_to % kKept, to % kKept) << std::hex << to;
      if (to == from) continue;
      ASSERT_LT(new_from, new_to) << std::hex << from << " " << to;
      // Nothing comes nearer than 4 GiB that was not, and what was keeps its distance.
      const uint64_t distance = std::min(to - from, kApart - kKept);
      ASSERT_GE(new_to - new_from, distance) << std::hex << from << " " << to;
      ASSERT_TRUE(to - from >= kApart || new_to - new_from == to - from) << std::hex << from << " " << to;
    }
  }
}

TEST(AddressRelocationTest, WhereItWasDrawnIsGone) {
  // The same process, placed twice by ASLR: what differs afterwards is below 2 MiB.
  std::vector<uint64_t> moved[2];
  const uint64_t slides[2][2] = {{0x1a2b000, 0x2c4d5e000}, {0x6666666000, 0x5555000}};
  for (int i = 0; i < 2; ++i) {
    const uint64_t program = 0x55 * kTib + slides[i][0], libraries = 0x7f * kTib + slides[i][1];
    AddressRelocation addresses;
    addresses.Add(program, 0x100000);
    addresses.Add(libraries, 0x100000);
    addresses.Settle();
    moved[i] = {addresses.At(program), addresses.At(libraries)};
  }
  for (int place = 0; place < 2; ++place)
    EXPECT_EQ(moved[0][place] / (2 * kKept), moved[1][place] / (2 * kKept));
}

TEST(AddressRelocationTest, AddressesThatNoProcessHasAreNone) {
  AddressRelocation addresses;
  EXPECT_TRUE(addresses.Add(~uint64_t{0}, 1));
  EXPECT_TRUE(addresses.Add(uint64_t{1} << 63, 4096));
  EXPECT_TRUE(addresses.Add(4096, ~uint64_t{0}));
  addresses.Settle();
  EXPECT_EQ(addresses.At(~uint64_t{0}), 0u);
  EXPECT_EQ(addresses.At(4096), 0u);
  AddressRelocation many;
  bool fits = true;
  for (uint64_t i = 0; i <= 65536; ++i) fits = many.Add(i * 2 * kApart, 1);
  EXPECT_FALSE(fits);
}

}  // namespace
}  // namespace reheap
