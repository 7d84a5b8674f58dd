// ShadowMemory against a plain map of words, across everything that takes contents away.
#include "sim/os/shadow_memory.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>

#include "sim/os/platform_catalog.h"

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;

VirtualProcess Process(const char* platform) {
  VirtualProcess process;
  process.platform = Platforms().Find(platform);
  return process;
}

class ShadowMemoryTest : public testing::Test {
 protected:
  uint64_t rss() { return os_.Usage().rss_anonymous_bytes; }
  VirtualOs os_{Process("linux-amd64")};
  ShadowMemory memory_{&os_};
};
using ShadowMemoryDeathTest = ShadowMemoryTest;

TEST_F(ShadowMemoryTest, ReadingMakesNothing) {
  const Addr a = os_.MapReady(kMiB, Access::kReadWrite).value().start;
  const uint64_t before = rss();
  for (uint64_t at = 0; at < kMiB; at += 8) ASSERT_EQ(memory_.Read<uint64_t>(a + at), 0u);
  EXPECT_EQ(rss(), before);
  EXPECT_EQ(memory_.host_pages(), 0u);
}

TEST_F(ShadowMemoryTest, AWriteAfterAReadIsSeen) {
  const Addr a = os_.MapReady(kPage, Access::kReadWrite).value().start;
  EXPECT_EQ(memory_.Read<uint32_t>(a + 4), 0u);
  memory_.Write<uint32_t>(a + 4) = 5;
  EXPECT_EQ(memory_.Read<uint32_t>(a + 4), 5u);
  EXPECT_EQ(memory_.Read<uint64_t>(a), uint64_t{5} << 32);
}

// Pages 512 apart share a place in the cache.
TEST_F(ShadowMemoryTest, PagesThatShareACacheSlotStayApart) {
  const Addr a = os_.MapReady(8 * kMiB, Access::kReadWrite).value().start;
  for (int round = 0; round < 3; ++round) {
    for (uint64_t i = 0; i < 4; ++i) memory_.Write<uint64_t>(a + i * 512 * kPage) += i + 1;
  }
  for (uint64_t i = 0; i < 4; ++i) EXPECT_EQ(memory_.Read<uint64_t>(a + i * 512 * kPage), 3 * (i + 1));
}

TEST_F(ShadowMemoryTest, TouchMarksPagesWithoutHostMemory) {
  const Addr a = os_.MapReady(16 * kGiB, Access::kReadWrite).value().start;
  const uint64_t before = rss();
  memory_.Touch(a + kPage - 1, 2);
  EXPECT_EQ(rss() - before, 2 * kPage);
  memory_.Touch(a, 0);
  memory_.Touch(a, kGiB);
  memory_.Touch(a, kGiB);
  EXPECT_EQ(rss() - before, kGiB);
  EXPECT_EQ(memory_.host_pages(), 0u);
  ASSERT_TRUE(os_.Discard({a, kGiB}).ok());
  EXPECT_EQ(rss(), before);
  memory_.Touch(a + kGiB - kPage, kPage);
  EXPECT_EQ(rss() - before, kPage);
}

TEST_F(ShadowMemoryTest, UnmappedPagesComeBackZeroed) {
  const AddrRange range = os_.MapReady(4 * kPage, Access::kReadWrite).value();
  memory_.Write<uint64_t>(range.start) = 7;
  ASSERT_TRUE(os_.Release(range).ok());
  EXPECT_EQ(memory_.host_pages(), 0u);
  ASSERT_TRUE(os_.MapReadyAt(range, Access::kReadWrite).ok());
  EXPECT_EQ(memory_.Read<uint64_t>(range.start), 0u);
}

TEST_F(ShadowMemoryTest, ProtectedPagesKeepTheirContents) {
  const AddrRange range = os_.MapReady(4 * kPage, Access::kReadWrite).value();
  memory_.Write<uint64_t>(range.start) = 7;
  ASSERT_TRUE(os_.Mprotect(range.start, kPage, 0).ok());
  ASSERT_TRUE(os_.Mprotect(range.start, kPage, kProtRead).ok());
  EXPECT_EQ(memory_.Read<uint64_t>(range.start), 7u);
}

TEST_F(ShadowMemoryDeathTest, CachedPagesAreAskedAboutAgainAfterProtection) {
  const AddrRange range = os_.MapReady(4 * kPage, Access::kReadWrite).value();
  memory_.Write<uint64_t>(range.start) = 7;
  memory_.Touch(range.start, kPage);
  ASSERT_TRUE(os_.Mprotect(range.start, kPage, kProtRead).ok());
  EXPECT_DEATH(memory_.Write<uint64_t>(range.start) = 8, "wrote to 0x");
  EXPECT_DEATH(memory_.Touch(range.start, 1), "touched 0x");
  ASSERT_TRUE(os_.Mprotect(range.start, kPage, 0).ok());
  EXPECT_DEATH(memory_.Read<uint64_t>(range.start), "read 0x");
}

TEST(ShadowMemoryPlatformTest, ADiscardThatKeepsPagesStillLosesContents) {
  VirtualOs os(Process("freebsd-amd64"));
  ShadowMemory memory(&os);
  const AddrRange range = os.MapReady(4 * kPage, Access::kReadWrite).value();
  memory.Write<uint64_t>(range.start) = 7;
  const uint64_t before = os.Usage().rss_anonymous_bytes;
  ASSERT_TRUE(os.Discard(range).ok());
  EXPECT_EQ(memory.Read<uint64_t>(range.start), 0u);
  EXPECT_EQ(os.Usage().rss_anonymous_bytes, before);
}

TEST_F(ShadowMemoryTest, RandomUseAgreesWithAMapOfWords) {
  const char* given = std::getenv("REHEAP_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device()();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  constexpr uint64_t kPages = 2048;  // four times the cache
  const AddrRange whole = os_.MapReady(kPages * kPage, Access::kReadWrite).value();
  const uint64_t before = rss();
  std::map<uint64_t, uint64_t> words;  // offset -> value, as written
  std::map<uint64_t, bool> resident;   // page -> true
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t page = random() % kPages;
    const uint64_t offset = page * kPage + random() % 4 * 8;
    const auto found = words.find(offset);
    switch (random() % 50) {
      case 0: {
        const uint64_t count = 1 + random() % std::min<uint64_t>(kPages - page, 200);
        const AddrRange range{whole.start + page * kPage, count * kPage};
        ASSERT_TRUE((random() % 2 == 0 ? os_.Discard(range)
                                       : os_.Commit(range, Access::kReadWrite, CommitMethod::kMapFixed))
                        .ok());
        words.erase(words.lower_bound(page * kPage), words.lower_bound((page + count) * kPage));
        resident.erase(resident.lower_bound(page), resident.lower_bound(page + count));
        break;
      }
      case 1:
        memory_.Touch(whole.start + offset, 8);
        resident[page] = true;
        break;
      default:
        ASSERT_EQ(memory_.Read<uint64_t>(whole.start + offset), found == words.end() ? 0 : found->second);
        if (random() % 2 == 0) continue;
        memory_.Write<uint64_t>(whole.start + offset) = words[offset] = random();
        resident[page] = true;
    }
    ASSERT_EQ(rss() - before, resident.size() * kPage) << i;
  }
  os_.CheckInvariants();
}

TEST(ShadowMemoryKillTest, AKillIsToldApartFromAFault) {
  VirtualProcess process = Process("linux-amd64");
  VirtualOs os(process);
  process.limits.memory_max_bytes = os.Usage().rss_anonymous_bytes + 16 * kPage;
  os.set_limits(process.limits);
  ShadowMemory memory(&os);
  const AddrRange range = os.MapReady(kMiB, Access::kReadWrite).value();
  memory.Touch(range.start, 10 * kPage);
  EXPECT_EQ(memory.killed(), nullptr);
  memory.Write<int>(range.start + 20 * kPage) = 7;
  memory.Touch(range.start, kMiB);
  ASSERT_NE(memory.killed(), nullptr);
  EXPECT_EQ(memory.killed()->rule, Rule::kMemoryCgroup);
  EXPECT_EQ(memory.Read<int>(range.start + 20 * kPage), 7) << "the step that was under way can be finished";
}

}  // namespace
}  // namespace reheap
