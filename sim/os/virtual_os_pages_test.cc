// VirtualOs, what stands behind mappings: residency, page tables, huge pages, advice, locks and memory.max. Each sum
// was measured on linux 6.18 by the same calls (RssAnon, RssShmem, VmPTE and VmLck of /proc/self/status).
#include <gtest/gtest.h>

#include "sim/os/platform_catalog.h"
#include "sim/os/virtual_os.h"

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kHuge = 2 * kMiB;
constexpr int kRw = kProtRead | kProtWrite;
constexpr int kPrivate = 0x22, kShared = 0x21, kFixed = 0x10, kLockedFlag = 0x2000, kPopulate = 0x8000;  // linux
constexpr int kDontNeed = 4, kFree = 8, kRemove = 9, kHugePage = 14, kNoHugePage = 15, kDontDump = 16, kCold = 20,
              kPageOut = 21, kPopulateRead = 22, kPopulateWrite = 23, kDontNeedLocked = 24, kCollapse = 25,
              kPoison = 100, kInstallGuard = 102, kRemoveGuard = 103;
constexpr Addr kAt(0x100000000000);  // alone in its 512 GiB

class PagesTest : public testing::Test {
 protected:
  static VirtualProcess Linux() {
    VirtualProcess process;
    process.platform = Platforms().Find("linux-amd64");
    return process;
  }
  void SetUp() override { ASSERT_TRUE(os_.Mmap(kAt, 64 * kMiB, kRw, kPrivate | kFixed).ok()); }
  void TearDown() override { os_.CheckInvariants(); }
  void Limit(uint64_t locked_bytes, uint64_t memory_max_bytes) {
    ProcessLimits limits = os_.limits();
    limits.locked_bytes = locked_bytes;
    limits.memory_max_bytes = memory_max_bytes;
    os_.set_limits(limits);
  }
  // errno; 0 = done.
  int Advise(Addr a, uint64_t bytes, int advice) {
    const auto done = os_.Madvise(a, bytes, advice);
    return done.ok() ? 0 : done.refusal().os_error;
  }
  bool Write(Addr a) { return os_.Touch(a, true); }
  bool Read(Addr a) { return os_.Touch(a, false); }
  // OS pages since the test began.
  uint64_t anonymous() { return os_.Status().rss_anonymous_bytes / kPage - first_.rss_anonymous_bytes / kPage; }
  uint64_t shared() { return os_.Status().rss_shared_bytes / kPage; }
  uint64_t tables() { return os_.Status().page_table_bytes / kPage; }
  VirtualOs os_{Linux()};
  const ProcessStatus first_ = os_.Status();
};

TEST_F(PagesTest, ReadingMakesTablesAndWritingMakesPages) {
  EXPECT_EQ(tables(), 0u) << "mapping costs none";
  EXPECT_TRUE(Read(kAt));
  EXPECT_EQ(anonymous(), 0u);
  EXPECT_EQ(tables(), 3u);
  EXPECT_TRUE(Write(kAt));
  EXPECT_TRUE(Write(kAt + kHuge));
  EXPECT_EQ(anonymous(), 2u);
  EXPECT_EQ(tables(), 4u);
  EXPECT_EQ(Advise(kAt, kHuge, kDontNeed), 0);
  EXPECT_EQ(anonymous(), 1u);
  EXPECT_EQ(tables(), 3u) << "a discard of all that a table covers takes it";
  EXPECT_EQ(Advise(kAt + kHuge, kPage, kDontNeed), 0);
  EXPECT_EQ(anonymous(), 0u);
  EXPECT_EQ(tables(), 3u);
  EXPECT_TRUE(os_.Munmap(kAt, 64 * kMiB).ok());
  EXPECT_EQ(tables(), 0u);
  EXPECT_EQ(os_.Status().peak_rss_bytes - first_.rss_anonymous_bytes, 2 * kPage);
}

TEST_F(PagesTest, AdvisedMemoryGetsHugePages) {
  EXPECT_EQ(Advise(kAt, 64 * kMiB, kHugePage), 0);
  EXPECT_TRUE(Read(kAt));
  EXPECT_EQ(anonymous(), 0u);
  EXPECT_EQ(tables(), 3u);
  EXPECT_TRUE(Write(kAt + kPage));
  EXPECT_EQ(anonymous(), 512u) << "a write into a huge page of zeros";
  EXPECT_EQ(Advise(kAt, kHuge, kDontNeed), 0);
  EXPECT_EQ(anonymous(), 0u);
  EXPECT_EQ(tables(), 2u);
  EXPECT_TRUE(Write(kAt + 3 * kHuge));
  EXPECT_EQ(Advise(kAt + 3 * kHuge, kPage, kDontNeed), 0);
  EXPECT_EQ(anonymous(), 511u);
  EXPECT_EQ(os_.Status().huge_anonymous_bytes, 0u);
}

TEST_F(PagesTest, OnlyWholeAlignedRangesWithoutATableGetHugePages) {
  EXPECT_TRUE(Write(kAt));
  EXPECT_EQ(Advise(kAt, 64 * kMiB, kHugePage), 0);
  EXPECT_TRUE(Write(kAt + kPage));
  EXPECT_EQ(anonymous(), 2u) << "there is a table already";
  ASSERT_TRUE(os_.Munmap(kAt + 2 * kHuge - kPage, kPage).ok());
  EXPECT_TRUE(Write(kAt + kHuge));
  EXPECT_EQ(anonymous(), 3u) << "the mapping ends within";
  EXPECT_EQ(Advise(kAt + 4 * kHuge, kHuge, kNoHugePage), 0);
  EXPECT_TRUE(Write(kAt + 4 * kHuge));
  EXPECT_EQ(anonymous(), 4u);
  os_.DisableHugePages(true);
  EXPECT_TRUE(Write(kAt + 6 * kHuge));
  EXPECT_EQ(anonymous(), 5u);
  os_.DisableHugePages(false);
  EXPECT_TRUE(Write(kAt + 7 * kHuge));
  EXPECT_EQ(anonymous(), 517u);
}

TEST_F(PagesTest, ModesDecideWhoGetsHugePages) {
  ProcessLimits limits = os_.limits();
  limits.thp = HugePageMode::kAlways;
  os_.set_limits(limits);
  EXPECT_TRUE(Write(kAt));
  EXPECT_EQ(anonymous(), 512u);
  limits.thp = HugePageMode::kNever;
  os_.set_limits(limits);
  EXPECT_EQ(Advise(kAt, 64 * kMiB, kHugePage), 0);
  EXPECT_TRUE(Write(kAt + kHuge));
  EXPECT_EQ(anonymous(), 513u);
}

// Measured: 2100 kB, 60 kB after MADV_FREE of one OS page of it, two having been written.
TEST_F(PagesTest, AdviceToAPartOfAHugePageGivesBackItsZeros) {
  EXPECT_EQ(Advise(kAt, 64 * kMiB, kHugePage), 0);
  uint64_t before = 0;
  for (const int advice : {kFree, kCold, kPageOut}) {
    const Addr at = kAt + static_cast<uint64_t>(advice) * kHuge;
    EXPECT_TRUE(Write(at));
    EXPECT_TRUE(Write(at + 2 * kPage));
    EXPECT_EQ(anonymous(), before + 512);
    EXPECT_EQ(Advise(at, kPage, advice), 0);
    EXPECT_EQ(anonymous(), before += 2) << advice;
  }
  EXPECT_EQ(Advise(kAt, 64 * kMiB, kPageOut), 0);
  EXPECT_EQ(anonymous(), before - 1) << "the one that was freed lazily";
}

TEST_F(PagesTest, ABoundaryBreaksAHugePage) {
  EXPECT_EQ(Advise(kAt, 64 * kMiB, kHugePage), 0);
  EXPECT_TRUE(Write(kAt));
  EXPECT_EQ(os_.Status().huge_anonymous_bytes, kHuge);
  ASSERT_TRUE(os_.Mprotect(kAt, kHuge, kProtRead).ok());
  EXPECT_EQ(os_.Status().huge_anonymous_bytes, kHuge);
  ASSERT_TRUE(os_.Mprotect(kAt + kPage, kPage, kRw).ok());
  EXPECT_EQ(os_.Status().huge_anonymous_bytes, 0u);
  EXPECT_EQ(anonymous(), 512u);
}

TEST_F(PagesTest, SharedMemoryBelongsToItsObject) {
  const Addr at = kAt + 128 * kMiB;
  ASSERT_TRUE(os_.Mmap(at, kMiB, kRw, kShared | kFixed).ok());
  EXPECT_TRUE(Read(at));
  EXPECT_EQ(shared(), 1u) << "a read makes it resident";
  EXPECT_TRUE(Write(at + kPage));
  EXPECT_EQ(shared(), 2u);
  EXPECT_EQ(Advise(at, kMiB, kDontNeed), 0);
  EXPECT_EQ(shared(), 0u);
  EXPECT_TRUE(Read(at + 5 * kPage));
  EXPECT_EQ(shared(), 3u) << "and what is in memory around it";
  EXPECT_EQ(Advise(at, kMiB, kFree), 22);
  EXPECT_EQ(Advise(at, 2 * kPage, kRemove), 0);
  EXPECT_EQ(shared(), 1u);
  EXPECT_EQ(anonymous(), 0u);
}

TEST_F(PagesTest, GuardsFaultUntilRemoved) {
  EXPECT_TRUE(Write(kAt + kPage));
  EXPECT_EQ(Advise(kAt, 4 * kPage, kInstallGuard), 0);
  EXPECT_EQ(anonymous(), 0u);
  EXPECT_EQ(os_.Access(kAt + kPage, false), TouchOutcome::kFault);
  EXPECT_EQ(Advise(kAt, kHuge, kDontNeed), 0);
  EXPECT_FALSE(Write(kAt)) << "a discard leaves guards";
  EXPECT_EQ(tables(), 3u) << "and so their table";
  EXPECT_EQ(Advise(kAt, kHuge, kPopulateRead), 14);
  EXPECT_EQ(Advise(kAt, kPage, kRemoveGuard), 0);
  EXPECT_TRUE(Write(kAt));
  EXPECT_FALSE(Write(kAt + kPage));
}

TEST_F(PagesTest, FlagsSplitAndMerge) {
  const uint64_t count = os_.Status().mapping_count;
  EXPECT_EQ(Advise(kAt + kMiB, kMiB, kDontDump), 0);
  EXPECT_EQ(os_.Status().mapping_count, count + 2);
  EXPECT_EQ(Advise(kAt, 3 * kMiB, kDontDump), 0);
  EXPECT_EQ(os_.Status().mapping_count, count + 1);
  EXPECT_EQ(Advise(kAt, 64 * kMiB, kDontDump + 1), 0);
  EXPECT_EQ(os_.Status().mapping_count, count);
  EXPECT_EQ(Advise(kAt, 0, 99), 22) << "an unknown word";
  EXPECT_EQ(Advise(kAt, 65 * kMiB, kDontDump), 12) << "a hole, after the rest";
  EXPECT_EQ(Advise(kAt, kPage, kPoison), 1);
}

TEST_F(PagesTest, PopulateStopsWhereItMayNot) {
  ASSERT_TRUE(os_.Mprotect(kAt + 4 * kPage, kPage, kProtRead).ok());
  EXPECT_EQ(Advise(kAt, 8 * kPage, kPopulateWrite), 22);
  EXPECT_EQ(anonymous(), 4u);
  EXPECT_EQ(Advise(kAt, 8 * kPage, kPopulateRead), 0);
  EXPECT_EQ(anonymous(), 4u);
  EXPECT_EQ(Advise(kAt + 63 * kMiB, 2 * kMiB, kPopulateWrite), 12);
  EXPECT_EQ(anonymous(), 4 + 256u);
  ASSERT_TRUE(os_.Mmap(kAt + 128 * kMiB, kMiB, kRw, kPrivate | kFixed | kPopulate).ok());
  EXPECT_EQ(anonymous(), 4 + 512u);
}

TEST_F(PagesTest, CollapseMakesAHugePageOfWhatIsThere) {
  EXPECT_TRUE(Write(kAt + 5 * kPage));
  EXPECT_EQ(Advise(kAt, kHuge, kCollapse), 0);
  EXPECT_EQ(anonymous(), 512u);
  EXPECT_EQ(os_.Status().huge_anonymous_bytes, kHuge);
  EXPECT_EQ(tables(), 3u);
}

TEST_F(PagesTest, LockedMemoryIsResidentAndCounted) {
  EXPECT_TRUE(os_.Mlock(kAt + 100, 10 * kPage).ok());
  EXPECT_EQ(os_.Status().locked_bytes, 11 * kPage);
  EXPECT_EQ(anonymous(), 11u);
  EXPECT_EQ(Advise(kAt, kPage, kDontNeed), 22);
  EXPECT_EQ(Advise(kAt, kPage, kDontNeedLocked), 0);
  EXPECT_EQ(anonymous(), 10u);
  EXPECT_TRUE(os_.Munlock(kAt, 64 * kMiB).ok());
  EXPECT_EQ(os_.Status().locked_bytes, 0u);
  EXPECT_TRUE(os_.Mlock(kAt + kMiB, kMiB, kLockPagesOnFault).ok());
  EXPECT_EQ(os_.Status().locked_bytes, kMiB);
  EXPECT_EQ(anonymous(), 10u);
  EXPECT_EQ(os_.Mlock(kAt + 63 * kMiB, 2 * kMiB).refusal().os_error, 12) << "a hole";
  EXPECT_EQ(os_.Status().locked_bytes, 2 * kMiB) << "what lies before it is locked";
}

TEST_F(PagesTest, LockLimitIsNoMatterToThePrivileged) {
  Limit(16 * kPage, ~uint64_t{0});
  EXPECT_EQ(os_.Mlock(kAt, 17 * kPage).refusal().rule, Rule::kLockedLimit);
  EXPECT_TRUE(os_.Mlock(kAt, 16 * kPage).ok());
  EXPECT_TRUE(os_.Mlock(kAt, 16 * kPage).ok()) << "what is locked already is not asked for again";
  const auto refused = os_.Mmap(kAt + kGiB, kPage, kRw, kPrivate | kLockedFlag);
  EXPECT_EQ(refused.refusal().os_error, 11);
  EXPECT_EQ(os_.Mlockall(kLockCurrent).refusal().rule, Rule::kLockedLimit);
  ProcessLimits limits = os_.limits();
  limits.is_privileged = true;
  os_.set_limits(limits);
  EXPECT_TRUE(os_.Mlock(kAt, 17 * kPage).ok());
  EXPECT_TRUE(os_.Mmap(kAt + kGiB, kPage, kRw, kPrivate | kLockedFlag).ok());
  EXPECT_EQ(anonymous(), 18u);
}

TEST_F(PagesTest, EverythingNewIsLockedAfterMlockallFuture) {
  EXPECT_TRUE(os_.Mlockall(kLockFuture).ok());
  EXPECT_EQ(os_.Status().locked_bytes, 0u);
  ASSERT_TRUE(os_.Mmap(kAt + kGiB, kMiB, kRw, kPrivate | kFixed).ok());
  EXPECT_EQ(os_.Status().locked_bytes, kMiB);
  EXPECT_EQ(anonymous(), 256u);
  EXPECT_TRUE(os_.Munlockall().ok());
  EXPECT_EQ(os_.Status().locked_bytes, 0u);
}

TEST_F(PagesTest, MemoryMaxKillsAtTheTouchThatDoesNotFit) {
  Limit(0, os_.Status().rss_anonymous_bytes + 64 * kPage);
  uint64_t written = 0;
  while (Write(kAt + written * kPage)) ++written;
  EXPECT_EQ(written, 61u) << "64 less three tables";
  EXPECT_EQ(os_.Access(kAt, true), TouchOutcome::kOutOfMemoryKill) << "the dead do not touch";
  ASSERT_NE(os_.killed(), nullptr);
  EXPECT_EQ(os_.killed()->rule, Rule::kMemoryCgroup);
  EXPECT_STREQ(RuleName(os_.killed()->rule), "memory.max");
  EXPECT_EQ(os_.killed()->allowed_bytes, 64 * kPage);
}

// A machine of 16 GiB. Nothing of this may take time or host memory by the OS page.
TEST_F(PagesTest, WhatNoMachineHoldsKillsBeforeTheWork) {
  for (const int advice : {kPopulateRead, kPopulateWrite, kInstallGuard}) {
    VirtualOs os{Linux()};
    ASSERT_TRUE(os.Mmap(kAt, 64 * kTiB, kRw, kPrivate | kFixed | 0x4000).ok());
    const ProcessStatus before = os.Status();
    EXPECT_FALSE(os.Madvise(kAt, 64 * kTiB, advice).ok()) << advice;
    ASSERT_NE(os.killed(), nullptr) << advice;
    EXPECT_EQ(os.killed()->rule, Rule::kCommitLimit);
    EXPECT_EQ(os.killed()->allowed_bytes, 16 * kGiB);
    EXPECT_EQ(os.Status().rss_anonymous_bytes, before.rss_anonymous_bytes);
    EXPECT_EQ(os.Access(kAt, true), TouchOutcome::kOutOfMemoryKill);
  }
  EXPECT_FALSE(os_.Mlock(kAt, kPage).ok() && os_.killed() != nullptr) << "a page fits";
  ASSERT_TRUE(os_.Mmap(kAt, 16 * kGiB, kRw, kShared | kFixed).ok());
  EXPECT_FALSE(os_.Mlock(kAt, 16 * kGiB).ok()) << "16 GiB and their page tables";
  EXPECT_NE(os_.killed(), nullptr);
}

TEST_F(PagesTest, PopulatingForReadingIsDoneByTables) {
  ASSERT_TRUE(os_.Mmap(kAt, 8 * kGiB, kRw, kPrivate | kFixed).ok());
  EXPECT_TRUE(Write(kAt + 5 * kPage));
  EXPECT_EQ(Advise(kAt + kPage, 8 * kGiB - 2 * kPage, kPopulateRead), 0);
  EXPECT_EQ(anonymous(), 1u);
  EXPECT_EQ(tables(), 4096u + 8 + 1);
  os_.CheckInvariants();
  for (const Addr a : {kAt + 5 * kPage, kAt + kHuge, kAt + 8 * kGiB - 2 * kPage}) EXPECT_TRUE(Write(a));
  EXPECT_EQ(anonymous(), 3u);
  EXPECT_EQ(Advise(kAt + kPage, 8 * kGiB - 2 * kPage, kInstallGuard), 0);
  EXPECT_EQ(anonymous(), 0u);
  EXPECT_TRUE(Write(kAt));
  EXPECT_TRUE(Write(kAt + 8 * kGiB - kPage));
  for (const Addr a : {kAt + kPage, kAt + kHuge, kAt + 8 * kGiB - 2 * kPage}) EXPECT_FALSE(Read(a));
  EXPECT_EQ(tables(), 4096u + 8 + 1);
}

TEST_F(PagesTest, AFileIsPopulatedUpToItsEnd) {
  const int file = os_.AddFile("f", 3 * kHuge + kPage);
  ASSERT_TRUE(os_.Mmap(kAt, 8 * kHuge, kProtRead, 0x12, {file, 0}).ok());
  EXPECT_NE(Advise(kAt, 8 * kHuge, kPopulateRead), 0);
  EXPECT_EQ(os_.Status().rss_file_bytes - first_.rss_file_bytes, 3 * kHuge + kPage);
}

TEST_F(PagesTest, LazilyFreedPagesGoBeforeAnybodyDies) {
  Limit(0, os_.Status().rss_anonymous_bytes + 64 * kPage);
  for (uint64_t i = 0; i < 60; ++i) EXPECT_TRUE(Write(kAt + i * kPage));
  EXPECT_EQ(Advise(kAt, 20 * kPage, kFree), 0);
  EXPECT_EQ(anonymous(), 60u);
  for (uint64_t i = 60; i < 81; ++i) EXPECT_TRUE(Write(kAt + i * kPage)) << i;
  EXPECT_EQ(anonymous(), 61u);
  EXPECT_FALSE(Write(kAt + 81 * kPage));
}

// What a move makes and frees, as VmPTE of 6.18 showed it: one page of the first table was touched, and everything in
// this gigabyte has tables above it already.
TEST(PageTablesTest, MovesMakeTables) {
  struct Move {
    uint64_t from, bytes, to;
    int tables;
  };
  const Move moves[] = {
      {0x40d5d000, 0x400000, 0x411e3000, 2},  // two for the first, then one for what the first of them brought along
      {0x40d5d000, 0xa0000, 0x411e3000, 1},  {0x40d5d000, 0xa3000, 0x411e3000, 1}, {0x40d5d000, 0x200000, 0x411e3000, 1},
      {0x40d5d000, 0x400000, 0x42163000, 1},
      {0x40d5d000, 0x400000, 0x4215d000, 0},  // lies alike in its table: moved along
      {0x40e00000, 0xb00000, 0x419ff000, 3}, {0x40e00000, 0xb00000, 0x439ff000, 1},
  };
  for (const Move& move : moves) {
    VirtualProcess process;
    process.platform = Platforms().Find("linux-amd64");
    VirtualOs os(process);
    ASSERT_TRUE(os.Mmap(Addr(0x40000000), kPage, kRw, kPrivate | kFixed).ok());
    ASSERT_TRUE(os.Touch(Addr(0x40000000), true));
    ASSERT_TRUE(os.Mmap(Addr(move.from), move.bytes, kProtRead, kPrivate | kFixed).ok());
    ASSERT_TRUE(os.Touch(Addr(move.from + kPage), false));
    const uint64_t before = os.Status().page_table_bytes;
    ASSERT_TRUE(os.Mremap(Addr(move.from), move.bytes, move.bytes, 3, Addr(move.to)).ok());
    EXPECT_EQ(static_cast<int64_t>(os.Status().page_table_bytes - before) / static_cast<int64_t>(kPage), move.tables)
        << std::hex << move.from << " -> " << move.to;
    os.CheckInvariants();
  }
}

// Where the parts of a huge page went is not followed, and the lockstep does not draw it.
TEST(ResidentPagesTest, AMoveTakesHugePagesApartUnlessWholeAndAligned) {
  ResidentSet set(kPage, kHuge, 3);
  set.PutHuge(kAt, PageState::kAnonymous);
  EXPECT_FALSE(set.TakesFoliosApart({kAt, kHuge}, kGiB));
  EXPECT_TRUE(set.TakesFoliosApart({kAt, kHuge}, kPage));
  EXPECT_TRUE(set.TakesFoliosApart({kAt + kPage, kHuge}, kGiB));
  EXPECT_FALSE(set.TakesFoliosApart({kAt + kHuge, kHuge}, kPage));
  set.BreakHuge(kAt);
  EXPECT_TRUE(set.TakesFoliosApart({kAt, kHuge}, kGiB));
}

// A droppable page goes when it is paged out, swap or not (measured on 6.18: MAP_DROPPABLE, a write, MADV_PAGEOUT).
TEST_F(PagesTest, DroppableMemoryIsPagedOut) {
  constexpr int kDroppable = 0x28;
  const auto at = os_.Mmap(Addr(), kPage, kRw, kDroppable);
  ASSERT_TRUE(at.ok());
  EXPECT_TRUE(Write(at.value()));
  EXPECT_TRUE(Write(kAt));
  EXPECT_EQ(anonymous(), 2u);
  EXPECT_EQ(Advise(at.value(), kPage, kPageOut), 0);
  EXPECT_EQ(Advise(kAt, kPage, kPageOut), 0);
  EXPECT_EQ(anonymous(), 1u);
}

}  // namespace
}  // namespace reheap
