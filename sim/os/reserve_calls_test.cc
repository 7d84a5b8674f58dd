// ReserveCalls and RegionCalls: charges and their limits, residency, randomised places, and random calls
// against a page-by-page reference.
#include "sim/os/reserve_calls.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "sim/os/platform_catalog.h"
#include "sim/os/virtual_os.h"

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096, kGranule = 65536;
constexpr Addr kAt(0x100000000);

VirtualProcess Windows(const std::string& platform = "windows-amd64") {
  VirtualProcess process;
  process.platform = Platforms().Find(platform);
  return process;
}

Refusal RefusalOf(const OsResult<Addr>& result) { return result.ok() ? Refusal() : result.refusal(); }

TEST(ReserveCallsTest, CommitIsChargedOncePerPageAndReservingNotAtAll) {
  VirtualOs os(Windows());
  const uint64_t before = os.Usage().commit_bytes;
  ASSERT_TRUE(os.VirtualAlloc(kAt, kMiB, kMemReserve, kPageNoAccess).ok());
  EXPECT_EQ(os.Usage().commit_bytes, before);
  ASSERT_TRUE(os.VirtualAlloc(kAt, 4 * kPage, kMemCommit, kPageReadWrite).ok());
  ASSERT_TRUE(os.VirtualAlloc(kAt + 2 * kPage, 4 * kPage, kMemCommit, kPageNoAccess).ok());
  EXPECT_EQ(os.Usage().commit_bytes, before + 6 * kPage);
  ASSERT_TRUE(os.VirtualFree(kAt + kPage, kPage, kMemDecommit).ok());
  EXPECT_EQ(os.Usage().commit_bytes, before + 5 * kPage);
  ASSERT_TRUE(os.VirtualFree(kAt, 0, kMemRelease).ok());
  EXPECT_EQ(os.Usage().commit_bytes, before);
}

TEST(ReserveCallsTest, TheCommitLimitCountsTheOthersToo) {
  VirtualProcess process = Windows();
  process.limits.ram_bytes = kGiB;
  process.limits.swap_bytes = kGiB;
  process.limits.committed_elsewhere_bytes = kGiB;
  VirtualOs os(process);
  const uint64_t own = os.Usage().commit_bytes;
  ASSERT_TRUE(os.VirtualAlloc(kAt, 2 * kGiB, kMemReserve, kPageNoAccess).ok());
  const Refusal refusal = RefusalOf(os.VirtualAlloc(kAt, kGiB, kMemCommit, kPageReadWrite));
  EXPECT_EQ(refusal.rule, Rule::kCommitLimit);
  EXPECT_EQ(refusal.os_error, 1455);
  EXPECT_EQ(refusal.asked_bytes, kGiB);
  EXPECT_EQ(refusal.in_use_bytes, kGiB + own);
  EXPECT_EQ(refusal.allowed_bytes, 2 * kGiB);
  EXPECT_TRUE(os.VirtualAlloc(kAt, kGiB - own, kMemCommit, kPageReadWrite).ok());
}

TEST(ReserveCallsTest, AJobLimitsCommittedMemoryAndNothingElse) {
  VirtualProcess process = Windows();
  process.limits.job_commit_bytes = VirtualOs(process).Usage().commit_bytes + kMiB;
  VirtualOs os(process);
  ASSERT_TRUE(os.VirtualAlloc(kAt, kGiB, kMemReserve, kPageNoAccess).ok());
  ASSERT_TRUE(os.VirtualAlloc(kAt, kMiB, kMemCommit, kPageReadWrite).ok());
  const uint64_t vsize = os.Usage().vsize_bytes;
  const Refusal refusal = RefusalOf(os.VirtualAlloc(Addr(), kPage, kMemReserve | kMemCommit, kPageReadWrite));
  EXPECT_EQ(refusal.rule, Rule::kJobLimit);
  EXPECT_EQ(refusal.os_error, 1455);
  EXPECT_EQ(os.Usage().vsize_bytes, vsize) << "what could not be committed stays reserved";
  EXPECT_TRUE(os.VirtualAlloc(kAt, kMiB, kMemCommit, kPageReadWrite).ok()) << "committed already";
}

TEST(ReserveCallsTest, BeforeWindows81AReservationIsChargedItsPageTables) {
  VirtualProcess process = Windows("windows-amd64-8tib");
  process.limits.ram_bytes = kGiB;
  VirtualOs os(process);
  const uint64_t before = os.Usage().commit_bytes;
  ASSERT_TRUE(os.VirtualAlloc(kAt, 256 * kGiB, kMemReserve, kPageNoAccess).ok());
  EXPECT_EQ(os.Usage().commit_bytes, before + kGiB / 2);
  const Refusal refusal = RefusalOf(os.VirtualAlloc(Addr(), kTiB, kMemReserve, kPageNoAccess));
  EXPECT_EQ(refusal.rule, Rule::kCommitLimit);
  EXPECT_EQ(refusal.asked_bytes, 2 * kGiB);
  ASSERT_TRUE(os.VirtualAlloc(Addr(), 1, kMemReserve, kPageNoAccess).ok());
  EXPECT_EQ(os.Usage().commit_bytes, before + kGiB / 2 + kPage);
  os.CheckInvariants();
  ASSERT_TRUE(os.VirtualFree(kAt, 0, kMemRelease).ok());
  EXPECT_EQ(os.Usage().commit_bytes, before + kPage);
  os.CheckInvariants();
}

TEST(ReserveCallsTest, AnEnforcedWorkingSetMaximumKeepsContents) {
  VirtualProcess process = Windows();
  process.limits.working_set_bytes = 8 * kPage;
  VirtualOs os(process);
  ASSERT_TRUE(os.VirtualAlloc(kAt, kMiB, kMemReserve | kMemCommit, kPageReadWrite).ok());
  for (uint64_t i = 0; i < 16; ++i) EXPECT_TRUE(os.Touch(kAt + i * kPage, true));
  EXPECT_EQ(os.Usage().rss_anonymous_bytes, 8 * kPage);
  EXPECT_TRUE(os.Touch(kAt, false));
}

TEST(ReserveCallsTest, ARandomisedProcessBeginsElsewhereAndASeedRepeatsIt) {
  std::vector<Addr> places;
  for (const uint64_t seed : {1, 2, 1}) {
    VirtualProcess process = Windows();
    process.layout.aslr_seed = seed;
    VirtualOs os(process);
    const Addr first = os.VirtualAlloc(Addr(), kPage, kMemReserve, kPageNoAccess).value();
    EXPECT_EQ(first.value() % kGranule, 0u);
    EXPECT_LT(first.value(), kTiB + kGiB);
    EXPECT_EQ(os.VirtualAlloc(Addr(), kPage, kMemReserve, kPageNoAccess).value(), first + kGranule);
    places.push_back(first);
  }
  EXPECT_NE(places[0], places[1]);
  EXPECT_EQ(places[0], places[2]);
}

TEST(ReserveCallsTest, WhatLiesBelowARandomisedBaseIsUsedInTheEnd) {
  VirtualProcess process = Windows("windows-386");
  process.layout.aslr_seed = 7;
  VirtualOs os(process);
  uint64_t reserved_bytes = 0;
  while (os.VirtualAlloc(Addr(), kMiB, kMemReserve, kPageNoAccess).ok()) reserved_bytes += kMiB;
  EXPECT_GT(reserved_bytes, 2000 * kMiB);
  EXPECT_FALSE(os.VirtualAlloc(Addr(), kMiB, kMemReserve | kMemTopDown, kPageNoAccess).ok());
}

// ---- against a reference that knows nothing but an array of OS pages ----

struct PageRecord {
  uint64_t origin = 0;  // 0 = free
  uint32_t allocation_protection = 0;
  uint32_t protection = 0;  // 0 = not committed
};

class Reference {
 public:
  static constexpr uint64_t kStart = 0x40000000, kPages = 2048;

  uint64_t Alloc(uint64_t addr, uint64_t bytes, uint32_t type, uint32_t protection) {
    const bool reserves = (type & kMemReserve) != 0;
    const uint64_t first = Index(reserves ? addr / kGranule * kGranule : addr),
                   end = Index(addr + bytes + kPage - 1);
    for (uint64_t i = first; i < end; ++i) {
      if (reserves ? pages_[i].origin != 0
                   : pages_[i].origin == 0 || pages_[i].origin != pages_[first].origin)
        return 0;
    }
    for (uint64_t i = first; i < end; ++i) {
      if (reserves) pages_[i] = {AddressOf(first), protection, 0};
      if ((type & kMemCommit) != 0) pages_[i].protection = protection;
    }
    return AddressOf(first);
  }
  bool Free(uint64_t addr, uint64_t bytes, uint32_t type) {
    uint64_t first = Index(addr), end = Index(addr + bytes + kPage - 1);
    const uint64_t origin = pages_[first].origin;
    if (origin == 0) return false;
    if (bytes == 0) {
      if (origin != AddressOf(first)) return false;
      for (end = first; end < kPages && pages_[end].origin == origin;) ++end;
    } else if (type == kMemRelease) {
      return false;
    }
    for (uint64_t i = first; i < end; ++i) {
      if (pages_[i].origin != origin) return false;
    }
    for (uint64_t i = first; i < end; ++i) {
      if (type == kMemRelease) pages_[i] = PageRecord();
      pages_[i].protection = 0;
    }
    return true;
  }
  // The old protection; 0 = refused.
  uint32_t Protect(uint64_t addr, uint64_t bytes, uint32_t protection) {
    const uint64_t first = Index(addr), end = Index(addr + bytes + kPage - 1);
    for (uint64_t i = first; i < end; ++i) {
      if (pages_[i].protection == 0 || pages_[i].origin != pages_[first].origin) return 0;
    }
    const uint32_t old = pages_[first].protection;
    for (uint64_t i = first; i < end; ++i) pages_[i].protection = protection;
    return old;
  }
  RegionInfo Query(uint64_t addr) const {
    const uint64_t first = Index(addr);
    const PageRecord& page = pages_[first];
    uint64_t end = first;
    while (end < kPages && pages_[end].origin == page.origin && pages_[end].protection == page.protection)
      ++end;
    RegionInfo info;
    info.base = Addr(AddressOf(first));
    info.region_bytes = (end - first) * kPage;
    info.allocation_base = Addr(page.origin);
    info.allocation_protection = page.allocation_protection;
    info.protection = page.origin == 0 ? kPageNoAccess : page.protection;
    info.state = page.origin == 0 ? kMemFree : page.protection == 0 ? kMemReserve : kMemCommit;
    info.type = page.origin == 0 ? 0 : kMemPrivate;
    return info;
  }
  uint64_t committed_bytes() const {
    return kPage * static_cast<uint64_t>(std::count_if(
                       pages_.begin(), pages_.end(), [](const PageRecord& p) { return p.protection != 0; }));
  }

 private:
  static uint64_t Index(uint64_t addr) { return (addr - kStart) / kPage; }
  static uint64_t AddressOf(uint64_t index) { return kStart + index * kPage; }
  std::vector<PageRecord> pages_ = std::vector<PageRecord>(kPages);
};

TEST(ReserveCallsTest, RandomCallsAgreeWithThePageByPageReference) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  VirtualOs os(Windows());
  Reference reference;
  // Both ends are taken, so that no region reaches beyond what the reference knows.
  const uint64_t end = Reference::kStart + Reference::kPages * kPage;
  ASSERT_TRUE(os.VirtualAlloc(Addr(end), kPage, kMemReserve, kPageNoAccess).ok());
  const uint64_t before = os.Usage().commit_bytes;
  const uint32_t protections[] = {kPageNoAccess, kPageReadOnly, kPageReadWrite, kPageExecuteRead};
  for (int i = 0; i < 20000; ++i) {
    const uint64_t addr = Reference::kStart + random() % (Reference::kPages * kPage - 64 * kPage);
    const uint64_t bytes = 1 + random() % (random() % 8 == 0 ? 64 * kPage : 8 * kPage);
    const uint32_t protection = protections[random() % 4];
    switch (random() % 5) {
      case 0:
      case 1: {
        const uint32_t types[] = {kMemReserve, kMemCommit, kMemCommit, kMemReserve | kMemCommit};
        const uint32_t type = types[random() % 4];
        const auto got = os.VirtualAlloc(Addr(addr), bytes, type, protection);
        ASSERT_EQ(got.ok() ? got.value().value() : 0, reference.Alloc(addr, bytes, type, protection));
        break;
      }
      case 2: {
        const uint32_t type = random() % 3 == 0 ? kMemRelease : kMemDecommit;
        const uint64_t origin = reference.Query(addr).allocation_base.value();
        const uint64_t at = random() % 2 == 0 && origin != 0 ? origin : addr;
        const uint64_t size = random() % 2 == 0 ? 0 : bytes;
        ASSERT_EQ(os.VirtualFree(Addr(at), size, type).ok(), reference.Free(at, size, type));
        break;
      }
      case 3: {
        uint32_t old = 0;
        const bool done = os.VirtualProtect(Addr(addr), bytes, protection, &old).ok();
        ASSERT_EQ(done ? old : 0, reference.Protect(addr, bytes, protection));
        break;
      }
      default:
        ASSERT_EQ(os.VirtualQuery(Addr(addr)).value(), reference.Query(addr));
    }
    ASSERT_EQ(os.VirtualQuery(Addr(addr)).value(), reference.Query(addr)) << "call " << i;
    if (i % 512 != 0) continue;
    os.CheckInvariants();
    ASSERT_EQ(os.Usage().commit_bytes - before, reference.committed_bytes());
  }
}

}  // namespace
}  // namespace reheap
