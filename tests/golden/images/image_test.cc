// Processes that start from the images of the 2011 binaries, against the figures measured on them.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "sim/os/platform_catalog.h"
#include "sim/os/shadow_memory.h"
#include "sim/os/virtual_os.h"

namespace reheap {
namespace {

constexpr Addr kArena(0xf800000000);

std::vector<ImageMapping> Image(const std::string& name) {
  const std::string path = "tests/golden/images/" + name + ".maps";
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  auto image = ParseMaps(text.str(), path);
  EXPECT_TRUE(image.ok()) << image.status();
  EXPECT_FALSE(image->empty()) << path;
  return *image;
}

VirtualProcess Process(const char* platform) {
  VirtualProcess process;
  process.platform = Platforms().Find(platform);
  EXPECT_NE(process.platform, nullptr) << platform;
  return process;
}

TEST(VirtualOsTest, ImageOf2011HasItsMeasuredVsize) {
  VirtualProcess process = Process("linux-amd64");
  process.image = Image("go-2011-02-reserve17g");
  VirtualOs os(process);
  EXPECT_EQ(os.Usage().vsize_bytes, 33'168 * kKiB);
  EXPECT_EQ(os.Usage().mapping_count, 7u);
  EXPECT_EQ(os.image_end(), Addr(0x243b000));
}

TEST(VirtualOsTest, SeventeenGiBAreRefusedUnderFourByTheAddressLimit) {
  VirtualProcess process = Process("linux-amd64");
  process.image = Image("go-2011-02-reserve17g");
  process.limits.address_bytes = 4 * kGiB;
  VirtualOs os(process);
  const auto got = os.Reserve(17 * kGiB, kArena);
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.refusal().rule, Rule::kAddressLimit);
  EXPECT_EQ(got.refusal().operation, OsOperation::kReserve);
  EXPECT_EQ(got.refusal().os_error, 12);
  EXPECT_EQ(got.refusal().asked_bytes, 17 * kGiB);
  EXPECT_EQ(got.refusal().allowed_bytes, 4 * kGiB);
  EXPECT_EQ(got.refusal().in_use_bytes, 33'168 * kKiB);
  EXPECT_EQ(got.refusal().wanted, kArena);
  EXPECT_EQ(os.Usage().vsize_bytes, 33'168 * kKiB);
}

TEST(VirtualOsTest, SeventeenGiBComeWhereTheyAreWantedWithoutLimit) {
  VirtualProcess process = Process("linux-amd64");
  process.image = Image("go-2011-02-reserve17g");
  VirtualOs os(process);
  const auto got = os.Reserve(17 * kGiB, kArena);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got.value(), (AddrRange{kArena, 17 * kGiB}));
  EXPECT_EQ(os.Usage().vsize_bytes, 17 * kGiB + 33'168 * kKiB);
  EXPECT_EQ(os.Usage().commit_bytes, VirtualOs(process).Usage().commit_bytes);
  os.CheckInvariants();
}

TEST(VirtualOsTest, PlatformsDisagreeAboutTheLimitOf2011) {
  const struct {
    const char* platform;
    bool survives;
  } cases[] = {{"linux-amd64", false},     {"freebsd-amd64", false}, {"darwin-amd64-11", true},
               {"darwin-amd64-12", false}, {"darwin-amd64", true},   {"windows-amd64", true}};
  for (const auto& c : cases) {
    VirtualProcess process = Process(c.platform);
    process.limits.address_bytes = 4 * kGiB;
    VirtualOs os(process);
    EXPECT_EQ(os.Reserve(17 * kGiB, kArena).ok(), c.survives) << c.platform;
  }
}

// Grows as a C allocator does beside the arena, 64 MiB at a time, until `total_bytes`.
uint64_t BytesUntilArenaIsHit(const char* platform, uint64_t total_bytes) {
  VirtualOs os(Process(platform));
  const AddrRange arena{kArena, 0xfc40000000 - kArena.value()};
  for (uint64_t bytes = 0; bytes < total_bytes; bytes += 64 * kMiB) {
    const auto got = os.MapReady(64 * kMiB, Access::kReadWrite);
    if (!got.ok() || arena.Overlaps(got.value())) return bytes;
  }
  return total_bytes;
}

TEST(VirtualOsTest, CAllocatorNeverLandsInTheArenaUpTo512GiB) {
  EXPECT_EQ(BytesUntilArenaIsHit("linux-amd64", 512 * kGiB), 512 * kGiB);
  EXPECT_EQ(BytesUntilArenaIsHit("freebsd-amd64", 512 * kGiB), 512 * kGiB);
}

// 0xf800000000 - (0x425000 + 32 GiB) = 960 GiB less the binary: the 15,360th map of 64 MiB reaches in.
TEST(VirtualOsTest, BottomUpPlacementReachesTheArenaAfter960GiB) {
  EXPECT_EQ(BytesUntilArenaIsHit("freebsd-amd64", 2 * kTiB), 960 * kGiB - 64 * kMiB);
}

TEST(VirtualOsTest, ImageBssIsTakenFromItsEndOnce) {
  VirtualProcess process = Process("linux-amd64");
  process.image = Image("go-2011-02-reserve17g");
  VirtualOs os(process);
  EXPECT_EQ(os.TakeImageBss(33 * kMiB), std::nullopt);
  const auto taken = os.TakeImageBss(32 * kMiB);
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->end(), Addr(0x243b000));
  EXPECT_EQ(taken->bytes, 32 * kMiB);
  EXPECT_EQ(os.Usage().vsize_bytes, 33'168 * kKiB);
  EXPECT_EQ(os.TakeImageBss(4096), std::nullopt);
}

TEST(VirtualOsTest, ShadowMemoryKeepsBytesAndCountsPages) {
  VirtualOs os(Process("linux-amd64"));
  ShadowMemory memory(&os);
  const Addr a = os.MapReady(kMiB, Access::kReadWrite).value().start;
  const uint64_t before = os.Usage().rss_anonymous_bytes;
  EXPECT_EQ(memory.Read<uint64_t>(a), 0u);
  EXPECT_EQ(os.Usage().rss_anonymous_bytes, before);
  memory.Write<uint64_t>(a) = 42;
  EXPECT_EQ(memory.Read<uint64_t>(a), 42u);
  memory.Touch(a + 4096, 3 * 4096);
  EXPECT_EQ(os.Usage().rss_anonymous_bytes, before + 4 * 4096);
  ASSERT_TRUE(os.Discard({a, kMiB}).ok());
  EXPECT_EQ(memory.Read<uint64_t>(a), 0u);
  EXPECT_EQ(os.Usage().rss_anonymous_bytes, before);
  EXPECT_EQ(memory.host_pages(), 0u);
}

TEST(VirtualOsDeathTest, WritingReservedMemoryNamesTheAddress) {
  VirtualOs os(Process("linux-amd64"));
  ShadowMemory memory(&os);
  ASSERT_TRUE(os.Reserve(kMiB, kArena).ok());
  EXPECT_DEATH(memory.Write<uint64_t>(kArena) = 1, "wrote to 0xf800000000");
  EXPECT_DEATH(memory.Read<uint64_t>(Addr(0x10)), "read 0x10");
}

}  // namespace
}  // namespace reheap
