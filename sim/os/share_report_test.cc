// One case per rule: who holds the most of what that rule counts, and the sentence that says so.
#include "sim/os/share_report.h"

#include <gtest/gtest.h>

#include "sim/os/platform_catalog.h"

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;
constexpr int kReadWrite = kProtRead | kProtWrite;
constexpr int kAnonymous = 0x22;  // MAP_PRIVATE | MAP_ANONYMOUS on linux

VirtualProcess LinuxProcess() {
  VirtualProcess process;
  process.platform = Platforms().Find("linux-amd64");
  return process;
}

uint64_t Sum(const ShareReport& report) {
  uint64_t bytes = 0;
  for (const Holder& holder : report.holders) bytes += holder.bytes;
  return bytes;
}

uint64_t MemoryOf(const ShareReport& report, const std::string& name) {
  for (const Holder& holder : report.holders) {
    if (holder.name == name) return holder.bytes;
  }
  return 0;
}

TEST(ShareReportTest, AddressLimitCountsMappedBytes) {
  VirtualProcess process = LinuxProcess();
  process.limits.address_bytes = 4 * kGiB;
  VirtualOs os(process);
  const auto first = os.Reserve(17 * kGiB, Addr());
  ASSERT_FALSE(first.ok());
  EXPECT_EQ(ExplainRefusal(os, first.refusal()),
            "RLIMIT_AS: asked 17.0 GiB, 336.0 KiB of 4.0 GiB in use; largest: program 156.0 KiB");
  ASSERT_TRUE(os.Reserve(kGiB, Addr()).ok());
  const auto second = os.MapReady(3 * kGiB, Access::kReadWrite);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(ExplainRefusal(os, second.refusal()),
            "RLIMIT_AS: asked 3.0 GiB, 1.0 of 4.0 GiB in use; largest: heap 1.0 GiB");
  const ShareReport report = ReportShares(os, second.refusal());
  EXPECT_EQ(Sum(report), second.refusal().in_use_bytes) << "the shares add up to what is in use";
  EXPECT_EQ(os.last_refusal().asked_bytes, 3 * kGiB);
}

TEST(ShareReportTest, DataLimitCountsWritablePrivateBytes) {
  VirtualProcess process = LinuxProcess();
  process.limits.data_bytes = 64 * kMiB;
  VirtualOs os(process);
  ASSERT_TRUE(os.Reserve(kGiB, Addr()).ok());
  const auto stack = os.Mmap(Addr(), 40 * kMiB, kReadWrite, kAnonymous);
  os.Label({stack.value(), 40 * kMiB}, "thread stacks");
  const auto refused = os.MapReady(30 * kMiB, Access::kReadWrite);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(ExplainRefusal(os, refused.refusal()),
            "RLIMIT_DATA: asked 30.0 MiB, 40.0 of 64.0 MiB in use; largest: thread stacks 40.0 MiB");
  EXPECT_EQ(Sum(ReportShares(os, refused.refusal())), refused.refusal().in_use_bytes);
}

TEST(ShareReportTest, CommitLimitCountsChargedBytes) {
  VirtualProcess process = LinuxProcess();
  process.limits.overcommit = OvercommitMode::kNever;
  process.limits.ram_bytes = 400 * kMiB;
  VirtualOs os(process);
  ASSERT_TRUE(os.Mmap(Addr(), kGiB, 0, kAnonymous).ok());
  ASSERT_TRUE(os.MapReady(100 * kMiB, Access::kReadWrite).ok());
  const auto refused = os.MapReady(100 * kMiB, Access::kReadWrite);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.refusal().rule, Rule::kCommitLimit);
  const ShareReport report = ReportShares(os, refused.refusal());
  EXPECT_EQ(report.holders.front().name, "heap");
  EXPECT_EQ(report.holders.front().bytes, 100 * kMiB);
  EXPECT_EQ(Sum(report), os.Usage().commit_bytes);
}

TEST(ShareReportTest, TheHeuristicLooksAtOneRequest) {
  VirtualOs os(LinuxProcess());
  const auto refused = os.MapReady(17 * kGiB, Access::kReadWrite);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.refusal().rule, Rule::kOvercommitHeuristic);
  EXPECT_EQ(ExplainRefusal(os, refused.refusal()).find(std::string(RuleName(Rule::kOvercommitHeuristic)) +
                                                       ": asked 17.0 GiB, at most 16.0 GiB at once"),
            0u);
}

TEST(ShareReportTest, MappingCountCountsMappings) {
  VirtualProcess process = LinuxProcess();
  process.limits.max_mappings = 20;
  VirtualOs os(process);
  Refusal refusal;
  for (uint64_t i = 0; refusal.rule == Rule::kNone; ++i) {
    const auto got = os.Mmap(Addr(0x100000000000 + 4 * i * kPage), kPage, kReadWrite, kAnonymous);
    if (!got.ok()) refusal = got.refusal();
  }
  EXPECT_EQ(ExplainRefusal(os, refusal),
            "mapping count: 21 of 20 mappings in use; largest: mapped by the program 14");
}

TEST(ShareReportTest, MemoryMaxCountsWhatIsResident) {
  VirtualProcess process = LinuxProcess();
  process.limits.memory_max_bytes = 8 * kMiB;
  VirtualOs os(process);
  const Addr heap = os.MapReady(64 * kMiB, Access::kReadWrite).value().start;
  const Addr shared = os.Mmap(Addr(), kMiB, kReadWrite, 0x21).value();  // MAP_SHARED | MAP_ANONYMOUS
  ASSERT_TRUE(os.Touch(shared, true));
  for (Addr at = heap; os.Touch(at, true);) at = at + kPage;
  ASSERT_NE(os.killed(), nullptr);
  EXPECT_EQ(ExplainRefusal(os, *os.killed()),
            "memory.max: asked 4.0 KiB, 8.0 of 8.0 MiB in use; largest: heap 8.0 MiB");
  const ShareReport report = ReportShares(os, *os.killed());
  EXPECT_EQ(Sum(report), os.killed()->in_use_bytes);
  ASSERT_EQ(report.holders.size(), 3u);
  EXPECT_EQ(report.holders[1].name, "page tables");
  EXPECT_EQ(report.holders[2].name, "shared memory");
  EXPECT_EQ(report.holders[2].bytes, kPage);
  EXPECT_EQ(MemoryOf(report, "heap") + MemoryOf(report, "page tables"), 8 * kMiB - kPage);
}

TEST(ShareReportTest, AHugePageIsSharedByItsHolders) {
  VirtualProcess process = LinuxProcess();
  process.limits.thp = HugePageMode::kAlways;
  process.limits.memory_max_bytes = 3 * kMiB;
  VirtualOs os(process);
  const Addr at = os.Mmap(Addr(), 2 * kMiB, kReadWrite, kAnonymous).value();
  os.Label({at, 512 * kKiB}, "thread stacks");
  ASSERT_TRUE(os.Touch(at, true));
  ASSERT_TRUE(os.resident().IsHuge(at));
  const Addr more = os.Mmap(Addr(), 2 * kMiB, kReadWrite, kAnonymous).value();
  for (uint64_t i = 0; os.Touch(more + i * kPage, true);) ++i;
  const ShareReport report = ReportShares(os, *os.killed());
  EXPECT_EQ(MemoryOf(report, "thread stacks"), 512 * kKiB);
  EXPECT_EQ(Sum(report), os.killed()->in_use_bytes);
}

TEST(ShareReportTest, LockedMemoryHasHolders) {
  VirtualProcess process = LinuxProcess();
  process.limits.locked_bytes = 64 * kKiB;
  VirtualOs os(process);
  const Addr at = os.Mmap(Addr(), kMiB, kReadWrite, kAnonymous).value();
  ASSERT_TRUE(os.Mlock(at, 40 * kKiB).ok());
  const auto refused = os.Mlock(at + 512 * kKiB, 32 * kKiB);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(ExplainRefusal(os, refused.refusal()),
            "RLIMIT_MEMLOCK: asked 32.0 KiB, 40.0 of 64.0 KiB in use; largest: mapped by the program 40.0 KiB");
}

TEST(ShareReportTest, AJobCountsCommittedBytes) {
  VirtualProcess process;
  process.platform = Platforms().Find("windows-amd64");
  process.limits.job_commit_bytes = 16 * kMiB;
  VirtualOs os(process);
  ASSERT_TRUE(os.MapReady(12 * kMiB, Access::kReadWrite).ok());
  const auto refused = os.MapReady(8 * kMiB, Access::kReadWrite);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.refusal().rule, Rule::kJobLimit);
  const ShareReport report = ReportShares(os, refused.refusal());
  EXPECT_EQ(report.holders.front().name, "heap");
  EXPECT_EQ(Sum(report), refused.refusal().in_use_bytes);
  EXPECT_EQ(ExplainRefusal(os, refused.refusal()),
            "job memory limit: asked 8.0 MiB, 13.0 of 16.0 MiB in use; largest: heap 12.0 MiB");
}

TEST(ShareReportTest, ATakenAddressNamesWhoIsThere) {
  VirtualOs os(LinuxProcess());
  os.Squat({Addr(0xf840010000), 64 * kKiB});
  const auto refused = os.MapReadyAt({Addr(0xf840000000), kMiB}, Access::kReadWrite);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(ExplainRefusal(os, refused.refusal()),
            "address taken: asked 1.0 MiB; held by squatters: 64.0 KiB from 0xf840010000");
}

TEST(ShareReportTest, ExhaustionTellsTheLargestGapAndWhatIsFree) {
  VirtualProcess process = LinuxProcess();
  process.platform = Platforms().Find("linux-386");
  VirtualOs os(process);
  ASSERT_TRUE(os.Reserve(kGiB, Addr()).ok());
  const auto refused = os.Reserve(3 * kGiB + 512 * kMiB, Addr());
  ASSERT_FALSE(refused.ok());
  const ShareReport report = ReportShares(os, refused.refusal());
  EXPECT_EQ(report.free_bytes + Sum(report), os.platform().machine.user_end - os.platform().machine.user_start);
  EXPECT_LE(report.largest_gap_bytes, report.free_bytes);
  EXPECT_GT(report.largest_gap_bytes, kGiB);
  EXPECT_EQ(report.holders.front().name, "heap");
}

TEST(ShareReportTest, WhatWasReleasedIsNobodys) {
  VirtualProcess process = LinuxProcess();
  process.limits.address_bytes = kGiB;
  VirtualOs os(process);
  const auto heap = os.MapReady(512 * kMiB, Access::kReadWrite);
  ASSERT_TRUE(os.Release({heap.value().start, 512 * kMiB}).ok());
  ASSERT_TRUE(os.Mmap(heap.value().start, 512 * kMiB, kReadWrite, kAnonymous).ok());
  const auto refused = os.Reserve(kGiB, Addr());
  EXPECT_EQ(ReportShares(os, refused.refusal()).holders.front().name, "mapped by the program");
}

TEST(ShareReportTest, NoAmountNoHolders) {
  VirtualOs os(LinuxProcess());
  const auto refused = os.Munmap(Addr(1), kPage);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(ExplainRefusal(os, refused.refusal()), "invalid argument: asked 4.0 KiB");
}

}  // namespace
}  // namespace reheap
