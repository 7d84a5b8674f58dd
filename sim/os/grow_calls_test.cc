// GrowCalls: one memory that grows by granules, up to its maximum, and keeps everything.
#include "sim/os/grow_calls.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "sim/os/platform_catalog.h"
#include "sim/os/shadow_memory.h"
#include "sim/os/virtual_os.h"

namespace reheap {
namespace {

constexpr uint64_t kWasmPage = 65536;

VirtualProcess Wasm() {
  VirtualProcess process;
  process.platform = Platforms().Find("wasm32");
  return process;
}

TEST(GrowCallsTest, GrowAnswersTheOldEndAndCountsInWholeGranules) {
  VirtualOs os(Wasm());
  const Addr end = os.MemoryGrow(0).value();
  EXPECT_EQ(end.value() % kWasmPage, 0u);
  EXPECT_EQ(os.Usage().vsize_bytes, end.value()) << "memory begins at 0 and has no holes";
  EXPECT_EQ(os.MemoryGrow(1).value(), end);
  EXPECT_EQ(os.MemoryGrow(2 * kWasmPage).value(), end + kWasmPage);
  EXPECT_EQ(os.MemoryGrow(0).value(), end + 3 * kWasmPage);
  EXPECT_TRUE(os.Touch(end + 3 * kWasmPage - 1, true));
  EXPECT_FALSE(os.Touch(end + 3 * kWasmPage, false)) << "an access out of bounds traps";
}

TEST(GrowCallsTest, FourGibibytesAreTheMost) {
  VirtualOs os(Wasm());
  const uint64_t rest = 4 * kGiB - os.MemoryGrow(0).value().value();
  const auto refused = os.MemoryGrow(rest + 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.refusal().rule, Rule::kAddressSpaceExhausted);
  EXPECT_TRUE(os.MemoryGrow(rest).ok());
  EXPECT_FALSE(os.MemoryGrow(1).ok());
}

TEST(GrowCallsTest, ADeclaredMaximumIsKept) {
  VirtualProcess process = Wasm();
  process.limits.address_bytes = 16 * kMiB;
  VirtualOs os(process);
  const uint64_t rest = 16 * kMiB - os.MemoryGrow(0).value().value();
  const auto refused = os.MemoryGrow(rest + kWasmPage);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.refusal().rule, Rule::kMemoryMaximum);
  EXPECT_EQ(refused.refusal().allowed_bytes, 16 * kMiB);
  EXPECT_TRUE(os.MemoryGrow(rest).ok());
}

TEST(GrowCallsTest, NothingBeginsBehindAHole) {
  VirtualOs os(Wasm());
  const Addr end = os.MemoryGrow(0).value();
  const auto beyond = os.MapReadyAt({end + kMiB, kMiB}, Access::kReadWrite);
  ASSERT_FALSE(beyond.ok());
  EXPECT_EQ(beyond.refusal().rule, Rule::kOutOfUserRange);
  EXPECT_EQ(os.MemoryGrow(0).value(), end);
  EXPECT_TRUE(os.MapReadyAt({end, kMiB}, Access::kReadWrite).ok());
}

// Whatever is asked: memory stays one piece, never shrinks, and what a range held comes back as zero or as it
// was.
TEST(GrowCallsTest, RandomRequestsKeepOneMemory) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  VirtualOs os(Wasm());
  ShadowMemory memory(&os);
  std::vector<AddrRange> ranges;
  uint64_t vsize = os.Usage().vsize_bytes;
  for (int i = 0; i < 3000; ++i) {
    const uint64_t bytes = 4096 * (1 + random() % 64);
    if (ranges.empty() || random() % 4 == 0) {
      const auto got = random() % 2 == 0 ? os.Reserve(bytes, Addr()) : os.MapReady(bytes, Access::kReadWrite);
      ASSERT_TRUE(got.ok());
      EXPECT_EQ(got.value().start.value(), vsize);
      ranges.push_back(got.value());
    }
    const AddrRange range = ranges[random() % ranges.size()];
    switch (random() % 5) {
      case 0:
        EXPECT_TRUE(os.Commit(range, Access::kReadWrite, CommitMethod::kProtect).ok());
        EXPECT_EQ(memory.Read<uint64_t>(range.start), 0u);
        break;
      case 1:
        EXPECT_TRUE(os.Discard(range).ok());
        EXPECT_TRUE(os.Reuse(range).ok());
        EXPECT_EQ(memory.Read<uint64_t>(range.end() - 8), 0u);
        break;
      case 2:
        EXPECT_TRUE(os.Decommit(range).ok());
        break;
      case 3:
        memory.Write<uint64_t>(range.start) = 7;
        EXPECT_EQ(os.Release(range).refusal().rule, Rule::kOnlyGrows);
        EXPECT_EQ(memory.Read<uint64_t>(range.start), 7u);
        break;
      default:
        memory.Write<uint64_t>(range.end() - 8) = 7;
    }
    EXPECT_GE(os.Usage().vsize_bytes, vsize);
    vsize = os.Usage().vsize_bytes;
    EXPECT_EQ(vsize, os.MemoryGrow(0).value().value());
  }
  os.CheckInvariants();
}

}  // namespace
}  // namespace reheap
