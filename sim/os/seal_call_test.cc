// SealCall: what mseal forbids, and what it does not. Each answer was measured on linux 6.18 by the same calls; the
// lockstep draws them all.
#include "sim/os/seal_call.h"

#include <gtest/gtest.h>

#include "sim/os/platform_catalog.h"
#include "sim/os/virtual_os.h"

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;
constexpr int kRw = kProtRead | kProtWrite;
constexpr int kPrivate = 0x22, kFixed = 0x10;
constexpr int kNoPermission = 1, kInvalid = 22, kNoMemory = 12, kExists = 17, kNoAccess = 13;
constexpr Addr kAt(0x100000000000);

template <class T>
int ErrorOf(const OsResult<T>& result) {
  return result.ok() ? 0 : result.refusal().os_error;
}

// Sixteen pages, of which the second and third are sealed.
class SealCallTest : public testing::Test {
 protected:
  static VirtualProcess Linux() {
    VirtualProcess process;
    process.platform = Platforms().Find("linux-amd64");
    return process;
  }
  void SetUp() override {
    ASSERT_TRUE(os_.Mmap(kAt, 16 * kPage, kRw, kPrivate | kFixed).ok());
    mappings_ = os_.space().count();
    ASSERT_EQ(ErrorOf(os_.Mseal(kAt + kPage, 2 * kPage, 0)), 0);
  }
  void TearDown() override { os_.CheckInvariants(); }
  uint64_t more_mappings() { return os_.space().count() - mappings_; }

  VirtualOs os_{Linux()};
  uint64_t mappings_ = 0;
};

TEST_F(SealCallTest, ArgumentsAreCheckedAndAHoleSealsNothing) {
  EXPECT_EQ(ErrorOf(os_.Mseal(kAt, kPage, 1)), kInvalid) << "no flags";
  EXPECT_EQ(ErrorOf(os_.Mseal(kAt + 1, kPage, 0)), kInvalid);
  EXPECT_EQ(ErrorOf(os_.Mseal(kAt, ~uint64_t{0}, 0)), kInvalid);
  EXPECT_EQ(ErrorOf(os_.Mseal(kAt, 0, 0)), 0);
  EXPECT_EQ(ErrorOf(os_.Mseal(kAt + kPage, 2 * kPage, 0)), 0) << "again";
  EXPECT_EQ(more_mappings(), 2u);
  EXPECT_EQ(ErrorOf(os_.Mseal(kAt + 12 * kPage, 5 * kPage, 0)), kNoMemory);
  EXPECT_EQ(ErrorOf(os_.Munmap(kAt + 12 * kPage, kPage)), 0);
}

TEST_F(SealCallTest, NobodyUnmapsReplacesOrProtects) {
  EXPECT_EQ(ErrorOf(os_.Munmap(kAt + kPage, kPage)), kNoPermission);
  EXPECT_EQ(more_mappings(), 2u) << "not even split";
  EXPECT_EQ(ErrorOf(os_.Munmap(kAt, 2 * kPage)), kNoPermission);
  EXPECT_EQ(ErrorOf(os_.Munmap(kAt + 2 * kPage, 8 * kPage)), kNoPermission);
  EXPECT_EQ(ErrorOf(os_.Mmap(kAt, 2 * kPage, kRw, kPrivate | kFixed)), kNoPermission);
  EXPECT_EQ(ErrorOf(os_.Mmap(kAt, 2 * kPage, kRw, kPrivate | 0x100000)), kExists) << "MAP_FIXED_NOREPLACE looks first";
  EXPECT_EQ(ErrorOf(os_.Mprotect(kAt + kPage, kPage, kRw)), kNoPermission) << "even what it is already";
  EXPECT_EQ(ErrorOf(os_.Mprotect(kAt, 4 * kPage, kProtRead)), kNoPermission);
  EXPECT_FALSE(os_.Touch(kAt, true)) << "what lies before was changed";
  EXPECT_TRUE(os_.Touch(kAt + kPage, true));
}

TEST_F(SealCallTest, ASplitBeforeTheSealStays) {
  EXPECT_EQ(ErrorOf(os_.Mseal(kAt + 8 * kPage, kPage, 0)), 0);
  EXPECT_EQ(more_mappings(), 4u);
  EXPECT_EQ(ErrorOf(os_.Munmap(kAt + 5 * kPage, 8 * kPage)), kNoPermission);
  EXPECT_EQ(more_mappings(), 5u);
}

TEST_F(SealCallTest, NobodyMovesOrResizes) {
  EXPECT_EQ(ErrorOf(os_.Mremap(kAt + kPage, kPage, 3 * kPage, 1, Addr())), kNoPermission);
  EXPECT_EQ(ErrorOf(os_.Mremap(kAt + kPage, 2 * kPage, kPage, 0, Addr())), kNoPermission);
  EXPECT_EQ(ErrorOf(os_.Mremap(kAt + kPage, kPage, kPage, 0, Addr())), kNoPermission);
  EXPECT_EQ(ErrorOf(os_.Mremap(kAt + kPage, 0, kPage, 1, Addr())), kNoPermission) << "before the length is looked at";
  EXPECT_EQ(ErrorOf(os_.Mremap(kAt + kPage, kPage, 0, 1, Addr())), kInvalid) << "after the new one";
  EXPECT_EQ(ErrorOf(os_.Mremap(kAt + 5 * kPage, kPage, kPage, 3, kAt + kPage)), kNoPermission) << "nor onto it";
}

TEST_F(SealCallTest, WhoMayWriteMayDiscard) {
  EXPECT_EQ(ErrorOf(os_.Madvise(kAt + kPage, kPage, 4)), 0);
  ASSERT_EQ(ErrorOf(os_.Mprotect(kAt + 5 * kPage, kPage, kProtRead)), 0);
  ASSERT_EQ(ErrorOf(os_.Mseal(kAt + 5 * kPage, kPage, 0)), 0);
  for (const int taking : {4, 8, 9, 10, 18, 24, 102}) {
    EXPECT_EQ(ErrorOf(os_.Madvise(kAt + 5 * kPage, kPage, taking)), kNoPermission) << taking;
  }
  for (const int keeping : {14, 16, 20, 21, 103}) {
    EXPECT_EQ(ErrorOf(os_.Madvise(kAt + 5 * kPage, kPage, keeping)), 0) << keeping;
  }
  EXPECT_EQ(ErrorOf(os_.Mlock(kAt + 5 * kPage, kPage)), 0);
}

TEST_F(SealCallTest, TheBreakStaysWhereWhatItWouldFreeIsSealed) {
  const Addr first = os_.program_break();
  ASSERT_TRUE(os_.Brk(first + 4 * kPage).ok());
  ASSERT_EQ(ErrorOf(os_.Mseal(first + 2 * kPage, kPage, 0)), 0);
  EXPECT_FALSE(os_.Brk(first + kPage).ok());
  EXPECT_EQ(os_.program_break(), first + 4 * kPage);
  EXPECT_TRUE(os_.Brk(first + 3 * kPage).ok());
}

// Of the kernel's own mappings, that of its data alone.
TEST_F(SealCallTest, TheKernelsDataIsReadForGood) {
  for (auto id = os_.space().First(); id != AddressSpace::kNone; id = os_.space().Next(id)) {
    const Mapping m = os_.space().mapping(id);
    if (m.traits.kind != MappingKind::kSpecial) continue;
    const bool is_data = os_.LabelOf(m) != "[vdso]";
    EXPECT_EQ(ErrorOf(os_.Mprotect(m.start, m.bytes(), kRw)), is_data ? kNoAccess : 0) << os_.LabelOf(m);
    EXPECT_EQ(ErrorOf(os_.Mprotect(m.start, m.bytes(), kProtRead)), 0) << os_.LabelOf(m);
  }
}

}  // namespace
}  // namespace reheap
