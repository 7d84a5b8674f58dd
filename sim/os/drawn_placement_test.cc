// DrawnPlacement: aligned and bounded places against a search page by page.
#include "sim/os/drawn_placement.h"

#include <gtest/gtest.h>

#include <random>

#include "sim/os/platform_catalog.h"
#include "sim/os/virtual_os.h"

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kWindow = 0xf800000000;
constexpr uint64_t kWindowPages = 256;
constexpr int kRw = kProtRead | kProtWrite;
constexpr int kAnon = 0x1002, kFixed = kAnon | 0x10;

// A process with a comb of mappings in the window.
void MakeComb(VirtualOs* os, std::mt19937_64* random) {
  for (uint64_t page = 0; page < kWindowPages; page += 1 + (*random)() % 24) {
    ASSERT_TRUE(os->Mmap(Addr(kWindow + page * kPage), kPage, kRw, kFixed).ok());
  }
}

bool IsFree(const VirtualOs& os, uint64_t start, uint64_t bytes) {
  return !os.space().Overlaps({Addr(start), bytes});
}

TEST(DrawnPlacementTest, AlignedUpwardsIsTheLowestAlignedFit) {
  std::mt19937_64 random(20110216);
  VirtualProcess process;
  process.platform = Platforms().Find("freebsd-amd64");
  for (int round = 0; round < 100; ++round) {
    VirtualOs os(process);
    MakeComb(&os, &random);
    const uint64_t log2 = 12 + random() % 6, bytes = (1 + random() % 12) * kPage;
    const uint64_t hint = kWindow + random() % kWindowPages * kPage;
    uint64_t expected = (hint + (uint64_t{1} << log2) - 1) >> log2 << log2;
    while (!IsFree(os, expected, bytes)) expected += uint64_t{1} << log2;
    const auto got = os.Mmap(Addr(hint), bytes, kRw, kAnon | static_cast<int>(log2 << 24));
    ASSERT_TRUE(got.ok());
    EXPECT_EQ(got.value().value(), expected) << "round " << round;
  }
}

TEST(DrawnPlacementTest, AlignedDownwardsIsTheHighestAlignedFit) {
  std::mt19937_64 random(20110216);
  VirtualProcess process;
  process.platform = Platforms().Find("netbsd-amd64");
  for (int round = 0; round < 100; ++round) {
    VirtualOs os(process);
    MakeComb(&os, &random);
    const uint64_t log2 = 12 + random() % 6, bytes = (1 + random() % 12) * kPage;
    const uint64_t hint = kWindow + random() % kWindowPages * kPage;
    uint64_t expected = hint >> log2 << log2;
    while (!IsFree(os, expected, bytes)) expected -= uint64_t{1} << log2;
    const auto got = os.Mmap(Addr(hint), bytes, kRw, kAnon | static_cast<int>(log2 << 24));
    ASSERT_TRUE(got.ok());
    EXPECT_EQ(got.value().value(), expected) << "round " << round;
  }
}

TEST(DrawnPlacementTest, WhatNeitherDrawsNorAsksIsNotItsBusiness) {
  for (const char* name : {"linux-amd64", "freebsd-amd64", "darwin-amd64-12"}) {
    const Platform& platform = *Platforms().Find(name);
    const MapFlags flags = ReadMapFlags(platform, kAnon);
    EXPECT_EQ(flags.alignment_bytes, 0u) << name;
    EXPECT_EQ(flags.end, 0u) << name;
    EXPECT_FALSE(flags.guard || flags.gap_stack || flags.try_fixed) << name;
    EXPECT_EQ(CheckMapFlags(platform, {Addr(), kPage}, kRw, kAnon, -1).rule, Rule::kNone) << name;
  }
}

TEST(DrawnPlacementTest, AnonymousMemoryOfAFileIsRefusedWhereThePlatformLooks) {
  const AddrRange asked{Addr(), kPage};
  EXPECT_NE(CheckMapFlags(*Platforms().Find("freebsd-amd64"), asked, kRw, kAnon, 3).rule, Rule::kNone);
  EXPECT_NE(CheckMapFlags(*Platforms().Find("netbsd-amd64"), asked, kRw, kAnon, 3).rule, Rule::kNone);
  EXPECT_EQ(CheckMapFlags(*Platforms().Find("linux-amd64"), asked, kRw, kAnon, 3).rule, Rule::kNone);
}

}  // namespace
}  // namespace reheap
