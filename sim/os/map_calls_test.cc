// MapCalls: flags, files and shared memory as linux maps them. What is measured was measured on 6.18.
#include "sim/os/map_calls.h"

#include <gtest/gtest.h>

#include "sim/os/platform_catalog.h"
#include "sim/os/virtual_os.h"

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;
constexpr int kRw = kProtRead | kProtWrite;
// linux
constexpr int kShared = 1, kPrivate = 2, kValidate = 3, kDroppableType = 8, kAnonymous = 0x20;
constexpr int kFixed = 0x10, kLow = 0x40, kDown = 0x100, kStackFlag = 0x20000, kSyncFlag = 0x80000;
constexpr int kInvalid = 22, kNoMemory = 12, kBadDescriptor = 9, kOverflow = 75, kNotSupported = 95;
constexpr Addr kAt(0xf800000000);

class MapCallsTest : public testing::Test {
 protected:
  static VirtualProcess Linux() {
    VirtualProcess process;
    process.platform = Platforms().Find("linux-amd64");
    return process;
  }
  Addr Map(uint64_t bytes, int flags, MapFile file = {}, Addr addr = {}) {
    const auto got = os_.Mmap(addr, bytes, kRw, flags, file);
    EXPECT_TRUE(got.ok()) << got.refusal().os_error;
    return got.ok() ? got.value() : Addr();
  }
  int Error(uint64_t bytes, int flags, MapFile file = {}, Addr addr = {}) {
    const auto got = os_.Mmap(addr, bytes, kRw, flags, file);
    return got.ok() ? 0 : got.refusal().os_error;
  }
  uint64_t mappings() { return os_.space().count(); }
  uint64_t charged() { return os_.Usage().commit_bytes; }

  VirtualOs os_{Linux()};
};

TEST_F(MapCallsTest, FilesMergeByOffsetOnly) {
  const int file = os_.AddFile("data", 64 * kPage);
  EXPECT_EQ(file, 3);
  const uint64_t before = mappings();
  Map(2 * kPage, kPrivate | kFixed, {file, 8 * kPage}, kAt);
  Map(2 * kPage, kPrivate | kFixed, {file, 10 * kPage}, kAt + 2 * kPage);
  EXPECT_EQ(mappings(), before + 1);
  Map(2 * kPage, kPrivate | kFixed, {file, 10 * kPage}, kAt + 4 * kPage);
  EXPECT_EQ(mappings(), before + 2);
  const int other = os_.AddFile("data", 64 * kPage);
  Map(2 * kPage, kPrivate | kFixed, {other, 12 * kPage}, kAt + 6 * kPage);
  EXPECT_EQ(mappings(), before + 3);
  os_.CheckInvariants();
}

TEST_F(MapCallsTest, OnlyPrivateWritableFilesAreCharged) {
  const int file = os_.AddFile("data", 64 * kPage);
  const uint64_t before = charged();
  Map(4 * kPage, kShared, {file, 0});
  EXPECT_EQ(charged(), before);
  Map(4 * kPage, kPrivate, {file, 0});
  EXPECT_EQ(charged(), before + 4 * kPage);
}

TEST_F(MapCallsTest, BeyondTheEndOfAFileIsABusError) {
  const int file = os_.AddFile("data", kPage + 1);
  const Addr at = Map(4 * kPage, kPrivate, {file, 0});
  EXPECT_TRUE(os_.Touch(at + kPage, true));
  EXPECT_FALSE(os_.Touch(at + 2 * kPage, false));
  EXPECT_FALSE(os_.Touch(at + 2 * kPage, true));
}

TEST_F(MapCallsTest, FileArgumentsAreCheckedInTheKernelsOrder) {
  const int file = os_.AddFile("data", 64 * kPage);
  EXPECT_EQ(Error(kPage, kPrivate, {99, 0}), kBadDescriptor);
  EXPECT_EQ(Error(kPage, kPrivate, {99, 5}), kInvalid);
  EXPECT_EQ(Error(kPage, kPrivate | kAnonymous, {-1, 5}), kInvalid);
  EXPECT_EQ(Error(kPage, kPrivate | kAnonymous, {-1, kPage}), 0);
  EXPECT_EQ(Error(0, kPrivate, {file, 0}), kInvalid);
  EXPECT_EQ(Error(kPage, kPrivate, {file, 0x7ffffffffffff000}), kOverflow);
  EXPECT_EQ(Error(kPage, kPrivate, {file, 0x7fffffffffffe000}), 0);
  EXPECT_EQ(Error(kPage, kPrivate | kDown, {file, 0}), kInvalid);
  EXPECT_EQ(Error(kPage, kShared | 0x200000, {file, 0}), 0);
  EXPECT_EQ(Error(kPage, kValidate | 0x200000, {file, 0}), kNotSupported);
  EXPECT_EQ(Error(kPage, kValidate | kAnonymous), kInvalid);
}

TEST_F(MapCallsTest, ARefusalOfTheFileItselfLeavesAHole) {
  const int file = os_.AddFile("data", 64 * kPage);
  Map(kPage, kPrivate | kAnonymous | kFixed, {}, kAt);
  EXPECT_EQ(Error(kPage, kShared | kFixed | kSyncFlag, {file, 0}, kAt), kNotSupported);
  EXPECT_FALSE(os_.space().Overlaps({kAt, kPage}));
}

TEST_F(MapCallsTest, SharedMemoryIsOneObjectWhileAnyOfItIsMapped) {
  const uint64_t before = charged(), count = mappings();
  Map(8 * kPage, kShared | kAnonymous | kFixed, {}, kAt);
  EXPECT_EQ(charged(), before + 8 * kPage);
  ASSERT_TRUE(os_.Munmap(kAt, 6 * kPage).ok());
  EXPECT_EQ(charged(), before + 8 * kPage);
  Map(6 * kPage, kShared | kAnonymous | kFixed, {}, kAt);
  EXPECT_EQ(mappings(), count + 2);  // another object
  EXPECT_EQ(charged(), before + 14 * kPage);
  ASSERT_TRUE(os_.Mprotect(kAt + kPage, kPage, kProtRead).ok());
  ASSERT_TRUE(os_.Mprotect(kAt + kPage, kPage, kRw).ok());
  EXPECT_EQ(mappings(), count + 2);
  ASSERT_TRUE(os_.Munmap(kAt, 8 * kPage).ok());
  EXPECT_EQ(charged(), before);
  os_.CheckInvariants();
}

TEST_F(MapCallsTest, TheLowWindowIsFilledFromBelow) {
  EXPECT_EQ(Map(kPage, kPrivate | kAnonymous | kLow), Addr(0x40000000));
  EXPECT_EQ(Map(kPage, kPrivate | kAnonymous | kLow), Addr(0x40001000));
  EXPECT_EQ(Map(2 * kMiB, kPrivate | kAnonymous | kLow), Addr(0x40200000));
  // Room for one more huge page, whose aligned start is not taken.
  EXPECT_EQ(Map(2 * kMiB, kPrivate | kAnonymous | kLow), Addr(0x40600000));
  EXPECT_EQ(Map(kPage, kPrivate | kAnonymous | kLow, {}, Addr(0x100000)), Addr(0x100000));
  EXPECT_EQ(Map(kPage, kPrivate | kAnonymous | kLow, {}, Addr(0x80000000)), Addr(0x40002000));
  EXPECT_EQ(Error(kGiB, kPrivate | kAnonymous | kLow), kNoMemory);
}

TEST_F(MapCallsTest, FilesLieWhereTheirHugePagesCouldBe) {
  const int file = os_.AddFile("data", 64 * kMiB);
  EXPECT_EQ(Map(8 * kMiB, kPrivate, {file, 0}).value() % (2 * kMiB), 0u);
  EXPECT_EQ(Map(8 * kMiB + kPage, kShared, {file, 3 * kPage}).value() % (2 * kMiB), 3 * kPage);
  const uint64_t top = Map(kPage, kPrivate, {file, 0}).value();
  EXPECT_EQ(Map(8 * kMiB, kShared | kAnonymous).value() % kPage, 0u);
  EXPECT_EQ(Map(kPage, kPrivate, {file, 5 * kPage}).value(), top - kPage);
}

TEST_F(MapCallsTest, AMappingThatGrowsDownIsAStack) {
  const uint64_t stack_bytes = os_.space().totals().stack_bytes, data_bytes = os_.space().totals().data_bytes;
  const Addr at = Map(4 * kPage, kPrivate | kAnonymous | kDown | kFixed, {}, kAt);
  EXPECT_EQ(os_.space().totals().stack_bytes, stack_bytes + 4 * kPage);
  EXPECT_EQ(os_.space().totals().data_bytes, data_bytes);
  EXPECT_TRUE(os_.Touch(at - 2 * kMiB, true));
  EXPECT_EQ(os_.space().totals().stack_bytes, stack_bytes + 4 * kPage + 2 * kMiB);
  EXPECT_FALSE(os_.Touch(at - 9 * kMiB, true));  // RLIMIT_STACK
  // The guard gap is kept from what may choose, not from MAP_FIXED; the stack then keeps away from its neighbour.
  const Addr bottom = at - 2 * kMiB;
  EXPECT_NE(Map(kPage, kPrivate | kAnonymous, {}, bottom - kMiB), bottom - kMiB);
  EXPECT_EQ(Map(kPage, kPrivate | kAnonymous, {}, bottom - kMiB - kPage), bottom - kMiB - kPage);
  Map(kPage, kPrivate | kAnonymous | kFixed, {}, bottom - 4 * kPage);
  EXPECT_FALSE(os_.Touch(bottom - kPage, true));
  EXPECT_EQ(Error(kPage, kShared | kAnonymous | kDown), kInvalid);
  os_.CheckInvariants();
}

TEST_F(MapCallsTest, HugePagesNeedAPoolAndASizeThatThereIs) {
  const int huge = kPrivate | kAnonymous | 0x40000;
  EXPECT_EQ(Error(kPage, huge), kNoMemory);
  EXPECT_EQ(Error(0, huge), kInvalid);
  EXPECT_EQ(Error(kPage, huge | 21 << 26), kNoMemory);
  EXPECT_EQ(Error(kPage, huge | 30 << 26), kNoMemory);
  EXPECT_EQ(Error(kPage, huge | 14 << 26), kInvalid);
  EXPECT_EQ(Error(kPage, huge | kFixed, {}, Addr(0x10001000)), kInvalid);
  EXPECT_EQ(Error(kPage, kAnonymous | 0x40000), kInvalid);
}

TEST_F(MapCallsTest, FlagsKeepNeighboursApart) {
  const uint64_t before = mappings();
  Map(kPage, kPrivate | kAnonymous | kFixed, {}, kAt);
  Map(kPage, kPrivate | kAnonymous | kFixed | kStackFlag, {}, kAt + kPage);
  Map(kPage, kPrivate | kAnonymous | kFixed | kSyncFlag, {}, kAt + 2 * kPage);
  Map(kPage, kDroppableType | kAnonymous | kFixed, {}, kAt + 3 * kPage);
  EXPECT_EQ(mappings(), before + 4);
  Map(kPage, kDroppableType | kAnonymous | kFixed, {}, kAt + 4 * kPage);
  EXPECT_EQ(mappings(), before + 4);
}

TEST_F(MapCallsTest, TheKernelsOwnPagesAreNotSplit) {
  const Addr vdso(0x7ffff7ffd000);
  const auto cut = os_.Munmap(vdso, kPage);
  ASSERT_FALSE(cut.ok());
  EXPECT_EQ(cut.refusal().os_error, kInvalid);
  EXPECT_FALSE(os_.Mprotect(vdso + kPage, kPage, kProtRead).ok());
  EXPECT_TRUE(os_.Munmap(vdso, 2 * kPage).ok());
}

}  // namespace
}  // namespace reheap
