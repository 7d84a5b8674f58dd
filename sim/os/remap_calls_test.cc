// RemapCalls: what mremap of linux does, case by case. What is measured was measured on 6.18.
#include "sim/os/remap_calls.h"

#include <gtest/gtest.h>

#include "sim/os/platform_catalog.h"
#include "sim/os/shadow_memory.h"
#include "sim/os/virtual_os.h"

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;
constexpr int kRw = kProtRead | kProtWrite;
// linux
constexpr int kShared = 0x21, kPrivate = 0x22, kFixed = 0x10;
constexpr int kMayMove = 1, kMoveTo = 1 | 2, kKeepOld = 1 | 4;
constexpr int kInvalid = 22, kNoMemory = 12, kFault = 14;
constexpr Addr kAt(0xf800000000), kTo(0xe800000000);

class RemapCallsTest : public testing::Test {
 protected:
  static VirtualProcess Linux() {
    VirtualProcess process;
    process.platform = Platforms().Find("linux-amd64");
    return process;
  }
  void Map(Addr at, uint64_t pages, int protection = kRw, int flags = kPrivate) {
    ASSERT_TRUE(os_.Mmap(at, pages * kPage, protection, flags | kFixed).ok());
  }
  int Error(Addr old, uint64_t old_bytes, uint64_t new_bytes, int flags, Addr to = {}) {
    const auto got = os_.Mremap(old, old_bytes, new_bytes, flags, to);
    return got.ok() ? 0 : got.refusal().os_error;
  }
  Addr Remap(Addr old, uint64_t old_bytes, uint64_t new_bytes, int flags, Addr to = {}) {
    const auto got = os_.Mremap(old, old_bytes, new_bytes, flags, to);
    EXPECT_TRUE(got.ok()) << got.refusal().os_error;
    return got.ok() ? got.value() : Addr();
  }
  uint64_t mappings() { return os_.space().count(); }
  uint64_t resident() { return os_.Usage().rss_anonymous_bytes; }

  VirtualOs os_{Linux()};
};

TEST_F(RemapCallsTest, GrowsWhereItIsWhenThereIsRoom) {
  Map(kAt, 4);
  const uint64_t count = mappings();
  EXPECT_EQ(Remap(kAt, 4 * kPage, 8 * kPage, 0), kAt);
  EXPECT_EQ(mappings(), count);
  Map(kAt + 9 * kPage, 1);
  EXPECT_EQ(Remap(kAt + 4 * kPage, 4 * kPage, 5 * kPage, 0), kAt + 4 * kPage);
  EXPECT_EQ(mappings(), count);  // met the other one and joined it
  EXPECT_EQ(Error(kAt, 4 * kPage, 5 * kPage, 0), kNoMemory);  // not at its end
  os_.CheckInvariants();
}

TEST_F(RemapCallsTest, ShrinksByUnmapping) {
  Map(kAt, 8);
  EXPECT_EQ(Remap(kAt, 8 * kPage, 3 * kPage, 0), kAt);
  EXPECT_FALSE(os_.space().Overlaps({kAt + 3 * kPage, 5 * kPage}));
}

// Measured on 6.18, on a machine of another size: the last that fits is a difference of all RAM.
TEST_F(RemapCallsTest, AShrunkMoveAsksForWhatItCutsOff) {
  Map(kAt, 1);
  EXPECT_EQ(Error(kAt, 16 * kGiB + 2 * kPage, kPage, kMoveTo, kTo), kNoMemory);
  EXPECT_TRUE(os_.space().Overlaps({kAt, kPage}));
  EXPECT_EQ(Remap(kAt, 16 * kGiB + kPage, kPage, kMoveTo, kTo), kTo);
  Map(kAt, 1, kProtRead);
  EXPECT_EQ(Remap(kAt, 32 * kGiB, kPage, kMoveTo, kTo), kTo) << "not accounted";
}

TEST_F(RemapCallsTest, AMoveTakesThePagesAlong) {
  ShadowMemory memory(&os_);
  Map(kAt, 4);
  memory.Write<int>(kAt + kPage) = 42;
  const uint64_t before = resident();
  EXPECT_EQ(Remap(kAt, 4 * kPage, 6 * kPage, kMoveTo, kTo), kTo);
  EXPECT_EQ(resident(), before);
  EXPECT_EQ(memory.Read<int>(kTo + kPage), 42);
  EXPECT_FALSE(os_.space().Overlaps({kAt, 4 * kPage}));
  ASSERT_TRUE(os_.Munmap(kTo, 6 * kPage).ok());
  EXPECT_EQ(resident(), before - kPage);
}

TEST_F(RemapCallsTest, WrittenPagesKeepTheirOffsetAndDoNotJoin) {
  for (const bool written : {false, true}) {
    Map(kAt, 2);
    Map(kTo, 2);
    if (written) {
      ASSERT_TRUE(os_.Touch(kAt, true));
    }
    const uint64_t count = mappings();
    Remap(kAt, 2 * kPage, 2 * kPage, kMoveTo, kTo + 2 * kPage);
    EXPECT_EQ(mappings(), count - (written ? 0 : 1));
    ASSERT_TRUE(os_.Munmap(kTo, 4 * kPage).ok());
  }
  // Back at its own offset it joins again.
  Map(kAt, 4);
  ASSERT_TRUE(os_.Touch(kAt, true));
  const uint64_t count = mappings();
  Remap(kAt + 2 * kPage, 2 * kPage, 2 * kPage, kMoveTo, kTo);
  EXPECT_EQ(mappings(), count + 1);
  Remap(kTo, 2 * kPage, 2 * kPage, kMoveTo, kAt + 2 * kPage);
  EXPECT_EQ(mappings(), count);
  os_.CheckInvariants();
}

TEST_F(RemapCallsTest, OldSizeZeroDuplicatesSharedMemoryOnly) {
  Map(kAt, 4, kRw, kShared);
  const uint64_t charged = os_.Usage().commit_bytes;
  Remap(kAt, 0, 4 * kPage, kMoveTo, kTo);
  EXPECT_EQ(os_.Usage().commit_bytes, charged);
  ASSERT_TRUE(os_.Munmap(kAt, 4 * kPage).ok());
  EXPECT_EQ(os_.Usage().commit_bytes, charged);
  // Longer than the object: the rest is a bus error.
  Remap(kTo, 4 * kPage, 6 * kPage, 0);
  EXPECT_TRUE(os_.Touch(kTo + 3 * kPage, true));
  EXPECT_FALSE(os_.Touch(kTo + 4 * kPage, true));
  ASSERT_TRUE(os_.Munmap(kTo, 6 * kPage).ok());
  EXPECT_EQ(os_.Usage().commit_bytes, charged - 4 * kPage);
  Map(kAt, 4);
  EXPECT_EQ(Error(kAt, 0, 4 * kPage, kMayMove), kInvalid);
  os_.CheckInvariants();
}

TEST_F(RemapCallsTest, KeepingTheOldPlaceLeavesItEmpty) {
  Map(kAt, 4);
  ASSERT_TRUE(os_.Touch(kAt, true));
  const uint64_t before = resident(), vsize = os_.Usage().vsize_bytes, charged = os_.Usage().commit_bytes;
  EXPECT_EQ(Remap(kAt, 4 * kPage, 4 * kPage, kKeepOld, kTo), kTo);  // a hint
  EXPECT_EQ(resident(), before);
  EXPECT_EQ(os_.Usage().vsize_bytes, vsize + 4 * kPage);
  EXPECT_EQ(os_.Usage().commit_bytes, charged + 4 * kPage);
  ASSERT_TRUE(os_.Touch(kAt, true));
  EXPECT_EQ(resident(), before + kPage);
  EXPECT_EQ(Error(kAt, 4 * kPage, 2 * kPage, kKeepOld, kTo), kInvalid);
}

TEST_F(RemapCallsTest, SeveralMappingsMoveTogetherWithTheirDistances) {
  Map(kAt, 2);
  Map(kAt + 2 * kPage, 1, kProtRead);
  Map(kAt + 5 * kPage, 2);
  Map(kTo + 3 * kPage, 1, kProtRead);  // in the gap at the target: stays
  EXPECT_EQ(Remap(kAt, 8 * kPage, 8 * kPage, kMoveTo, kTo), kTo);
  EXPECT_FALSE(os_.space().Overlaps({kAt, 8 * kPage}));
  EXPECT_TRUE(os_.Touch(kTo + kPage, true));
  EXPECT_FALSE(os_.Touch(kTo + 2 * kPage, true));
  EXPECT_TRUE(os_.Touch(kTo + 3 * kPage, false));
  EXPECT_FALSE(os_.Touch(kTo + 4 * kPage, false));
  EXPECT_TRUE(os_.Touch(kTo + 6 * kPage, true));
  // Not when the size changes, nor when nothing is at the start.
  EXPECT_EQ(Error(kTo, 3 * kPage, 4 * kPage, kMoveTo, kAt), kFault);
  EXPECT_EQ(Error(kTo + 4 * kPage, 3 * kPage, 3 * kPage, kMoveTo, kAt), kFault);
}

TEST_F(RemapCallsTest, ArgumentsComeBeforeTheMapping) {
  EXPECT_EQ(Error(kAt, kPage, kPage, kMayMove), kFault);
  EXPECT_EQ(Error(kAt, kPage, 0, kMayMove), kInvalid);
  EXPECT_EQ(Error(kAt + 1, kPage, kPage, kMayMove), kInvalid);
  EXPECT_EQ(Error(kAt, kPage, kPage, 8), kInvalid);
  EXPECT_EQ(Error(kAt, kPage, kPage, 2, kTo), kInvalid);  // fixed, but may not move
  EXPECT_EQ(Error(kAt, kPage, kPage, kMoveTo, kTo + 1), kInvalid);
  EXPECT_EQ(Error(kAt, kPage, 1ull << 60, kMayMove), kInvalid);
  Map(kAt, 4);
  EXPECT_EQ(Error(kAt, 4 * kPage, 4 * kPage, kMoveTo, kAt + 3 * kPage), kInvalid);  // overlaps
  EXPECT_EQ(Error(kAt, 5 * kPage, 6 * kPage, kMayMove), kFault);  // crosses its end
  EXPECT_EQ(Error(kAt, 9 * kPage, 9 * kPage, 0), 0);              // nothing to do, nothing looked at
}

TEST_F(RemapCallsTest, OnlyWhatIsAddedCountsAgainstTheLimits) {
  Map(kAt, 1024);
  ProcessLimits limits = os_.limits();
  limits.address_bytes = os_.Usage().vsize_bytes + 16 * kPage;
  os_.set_limits(limits);
  Remap(kAt, 1024 * kPage, 1024 * kPage, kMoveTo, kTo);
  Remap(kTo, 1024 * kPage, 1040 * kPage, kMoveTo, kAt);
  const auto refused = os_.Mremap(kAt, 1040 * kPage, 1041 * kPage, kMayMove, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.refusal().rule, Rule::kAddressLimit);
  EXPECT_EQ(Error(kAt, 1040 * kPage, 1040 * kPage, kKeepOld), kNoMemory);
}

}  // namespace
}  // namespace reheap
