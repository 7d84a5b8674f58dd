// VirtualOs: commit charges as measured, the break, the stack, and what tests may ask of it.
#include "sim/os/virtual_os.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "sim/os/platform_catalog.h"

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;
constexpr int kRw = kProtRead | kProtWrite;
constexpr int kPrivate = 0x22, kShared = 0x21, kFixed = 0x10, kNoReserve = 0x4000;  // linux
constexpr Addr kAt(0xf800000000);

VirtualProcess Linux() {
  VirtualProcess process;
  process.platform = Platforms().Find("linux-amd64");
  return process;
}

// The commit counter's rules, each measured on linux 6.12 with 64 MiB.
class CommitChargeTest : public testing::Test {
 protected:
  uint64_t charged() { return os_.Usage().commit_bytes - before_; }
  void Map(int protection, int flags) { ASSERT_TRUE(os_.Mmap(kAt, 64 * kMiB, protection, flags).ok()); }
  void Protect(int protection) { ASSERT_TRUE(os_.Mprotect(kAt, 64 * kMiB, protection).ok()); }
  VirtualOs os_{Linux()};
  const uint64_t before_ = os_.Usage().commit_bytes;
};

TEST_F(CommitChargeTest, WritablePrivateIsChargedUnlessNotReserved) {
  Map(0, kPrivate);
  EXPECT_EQ(charged(), 0u);
  Protect(kRw);
  EXPECT_EQ(charged(), 64 * kMiB);
  Map(kRw, kPrivate | kFixed | kNoReserve);
  EXPECT_EQ(charged(), 0u);
  Map(kRw, kPrivate | kFixed);
  EXPECT_EQ(charged(), 64 * kMiB);
  Map(0, kPrivate | kFixed);
  EXPECT_EQ(charged(), 0u);
}

TEST_F(CommitChargeTest, NoReserveIsIgnoredInModeTwo) {
  ProcessLimits limits = os_.limits();
  limits.overcommit = OvercommitMode::kNever;
  os_.set_limits(limits);
  Map(kRw, kPrivate | kNoReserve);
  EXPECT_EQ(charged(), 64 * kMiB);
}

TEST_F(CommitChargeTest, SharedIsChargedAtOnce) {
  Map(0, kShared);
  EXPECT_EQ(charged(), 64 * kMiB);
}

TEST_F(CommitChargeTest, ProtectingDownGivesBackOnlyWhatWasNeverWritten) {
  Map(kRw, kPrivate);
  Protect(kProtRead);
  EXPECT_EQ(charged(), 0u);
  Protect(kRw);
  ASSERT_TRUE(os_.Touch(kAt, true));
  Protect(kProtRead);
  EXPECT_EQ(charged(), 64 * kMiB);
  ASSERT_TRUE(os_.Madvise(kAt, 64 * kMiB, 4).ok());
  EXPECT_EQ(charged(), 64 * kMiB);
  ASSERT_TRUE(os_.Munmap(kAt + 32 * kMiB, 32 * kMiB).ok());
  EXPECT_EQ(charged(), 32 * kMiB);
}

TEST(VirtualOsTest, TheBreakGrowsFromTheEndOfTheImageBesideItsBss) {
  VirtualOs os(Linux());
  const uint64_t mappings = os.Usage().mapping_count, vsize = os.Usage().vsize_bytes;
  const Addr start = os.program_break();
  EXPECT_EQ(start, os.image_end());
  ASSERT_TRUE(os.Brk(start + kMiB + 1).ok());
  EXPECT_EQ(os.Usage().vsize_bytes - vsize, kMiB + kPage);
  EXPECT_EQ(os.Usage().mapping_count, mappings + 1) << "the BSS stays by itself";
  ASSERT_TRUE(os.Brk(start + kMiB + kPage + 1).ok());
  EXPECT_EQ(os.Usage().mapping_count, mappings + 1) << "more of the same";
  ASSERT_TRUE(os.Brk(start + kMiB + 1).ok());
  EXPECT_FALSE(os.Brk(start - kPage).ok());
  EXPECT_EQ(os.program_break(), start + kMiB + 1);
  os.Squat({start + 2 * kMiB, kPage});
  const auto refused = os.Brk(start + 2 * kMiB);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.refusal().rule, Rule::kAddressTaken);
  ASSERT_TRUE(os.Brk(start).ok());
  EXPECT_EQ(os.Usage().vsize_bytes - vsize, kPage);  // the squatter
}

TEST(VirtualOsTest, TheStackGrowsToItsLimit) {
  VirtualOs os(Linux());
  const Addr top(0x7ffffffff000);
  EXPECT_TRUE(os.Touch(top - 8 * kMiB, true));
  EXPECT_FALSE(os.Touch(top - 8 * kMiB - 1, true));
  os.CheckInvariants();
}

TEST(VirtualOsTest, RefuseAfterRefusesFromThenOn) {
  VirtualOs os(Linux());
  os.RefuseAfter(2);
  const auto range = os.Reserve(kMiB, Addr());
  ASSERT_TRUE(range.ok());
  EXPECT_TRUE(os.Commit(range.value(), Access::kReadWrite, CommitMethod::kProtect).ok());
  for (int i = 0; i < 2; ++i) {
    const auto refused = os.Reserve(kMiB, kAt);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.refusal().rule, Rule::kUnknown);
    EXPECT_EQ(refused.refusal().os_error, 12);
    EXPECT_EQ(refused.refusal().wanted, kAt);
  }
}

// linux 6.1 names the BSS [heap], too: a process that starts from such a text has its break where it was.
TEST(VirtualOsTest, WhatTouchesTheHeapHasItsNameOnSomeReleases) {
  const auto heaps = [](const VirtualOs& os) {
    const std::string text = os.MapsText();
    int count = 0;
    for (size_t at = text.find("[heap]"); at != std::string::npos; at = text.find("[heap]", at + 1)) ++count;
    return count;
  };
  for (const auto& [name, named] : {std::pair{"linux-amd64@6.1", 1}, std::pair{"linux-amd64@6.12", 0}}) {
    VirtualProcess process;
    process.platform = Platforms().Find(name);
    VirtualOs os(process);
    const Addr start = os.break_start();
    EXPECT_EQ(heaps(os), named) << name;
    process.image = *ParseMaps(os.MapsText(), "maps");
    EXPECT_EQ(VirtualOs(process).break_start(), start) << name;
    EXPECT_EQ(VirtualOs(process).program_break(), start) << name;
    ASSERT_TRUE(os.Brk(start + 3 * kPage).ok());
    EXPECT_EQ(heaps(os), named + 1) << name;
    process.image = *ParseMaps(os.MapsText(), "maps");
    const VirtualOs copy(process);
    EXPECT_EQ(copy.break_start(), start) << name;
    EXPECT_EQ(copy.program_break(), start + 3 * kPage) << name;
    EXPECT_EQ(copy.MapsText(), os.MapsText());
  }
}

TEST(VirtualOsTest, AProcessStartsAgainFromItsOwnMapsText) {
  VirtualOs os(Linux());
  ASSERT_TRUE(os.Reserve(17 * kGiB, kAt).ok());
  VirtualProcess process = Linux();
  process.image = *ParseMaps(os.MapsText(), "maps");
  VirtualOs copy(process);
  EXPECT_EQ(copy.MapsText(), os.MapsText());
  EXPECT_EQ(copy.Usage().vsize_bytes, os.Usage().vsize_bytes);
}

// What alloc asks for beyond reserving and mapping (Os::Map, Os::GrowBreak, Os::IsWhollyMapped).
TEST(VirtualOsTest, MapCarriesOutItsTraits) {
  VirtualProcess process;
  process.platform = Platforms().Find("linux-amd64");
  VirtualOs os(process);
  const uint64_t charged = os.Usage().commit_bytes;
  MapTraits traits;
  traits.no_reserve = true;
  const auto uncharged = os.Map(64 * kMiB, Addr(), traits);
  ASSERT_TRUE(uncharged.ok());
  EXPECT_TRUE(os.Touch(uncharged.value().start, true)) << "usable at once";
  EXPECT_LT(os.Usage().commit_bytes, charged + kMiB);

  traits = MapTraits();
  traits.low = true;
  const auto low = os.Map(kMiB, Addr(), traits);
  ASSERT_TRUE(low.ok());
  EXPECT_LT(low.value().end().value(), 4 * kGiB);

  traits = MapTraits();
  traits.ready = false;
  const auto reserved = os.Map(kMiB, Addr(), traits);
  ASSERT_TRUE(reserved.ok());
  EXPECT_FALSE(os.Touch(reserved.value().start, true));

  traits = MapTraits();
  traits.over = true;
  ASSERT_TRUE(os.Map(kMiB, reserved.value().start, traits).ok());
  EXPECT_TRUE(os.Touch(reserved.value().start, true)) << "what was there is gone";
  os.CheckInvariants();
}

TEST(VirtualOsTest, TheBreakOfTheProgramGrowsForItsAllocatorAndTheLimitCountsIt) {
  VirtualProcess process;
  process.platform = Platforms().Find("linux-amd64");
  process.limits.data_bytes = 32 * kMiB;
  VirtualOs os(process);
  const auto first = os.GrowBreak(132 * kKiB);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first.value().start, os.break_start());
  const auto second = os.GrowBreak(132 * kKiB);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second.value().start, first.value().end());
  const auto refused = os.GrowBreak(32 * kMiB);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.refusal().rule, Rule::kDataLimit);
  EXPECT_EQ(refused.refusal().operation, OsOperation::kMapReady);
  EXPECT_EQ(os.calls(OsOperation::kMapReady), 3u);

  process.platform = Platforms().Find("windows-amd64");
  VirtualOs windows(process);
  const auto none = windows.GrowBreak(64 * kKiB);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.refusal().rule, Rule::kInvalidArgument) << "there is no such thing";
}

TEST(VirtualOsTest, WhollyMappedMeansEveryPageAnybodys) {
  VirtualProcess process;
  process.platform = Platforms().Find("linux-amd64");
  VirtualOs os(process);
  const Addr a(0xf800000000);
  os.Squat({a, 64 * kKiB});
  os.Squat({a + 128 * kKiB, 64 * kKiB});
  EXPECT_TRUE(os.IsWhollyMapped({a, 64 * kKiB}));
  EXPECT_FALSE(os.IsWhollyMapped({a, 68 * kKiB}));
  EXPECT_FALSE(os.IsWhollyMapped({a, 192 * kKiB})) << "a hole between";
  EXPECT_FALSE(os.IsWhollyMapped({a - 4 * kKiB, 8 * kKiB}));
  os.Squat({a + 64 * kKiB, 64 * kKiB});
  EXPECT_TRUE(os.IsWhollyMapped({a, 192 * kKiB}));
}

}  // namespace
}  // namespace reheap
