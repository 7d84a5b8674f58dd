// CommitPolicies: each formula with numbers worked out by hand from its source.
#include "sim/os/commit_policy.h"

#include <gtest/gtest.h>

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;

bool Granted(CommitRefusal rule, const CommitSettings& s, CommitDemand demand) {
  return !PolicyOf(rule).Check(s, demand, kPage).has_value();
}
// The largest request in whole OS pages that is granted, by bisection.
uint64_t MostGranted(CommitRefusal rule, const CommitSettings& s, CommitDemand demand) {
  uint64_t low = 0, high = kTiB / kPage;
  while (low + 1 < high) {
    demand.asked_bytes = (low + high) / 2 * kPage;
    (Granted(rule, s, demand) ? low : high) = (low + high) / 2;
  }
  return low * kPage;
}
constexpr CommitRefusal kLinux = CommitRefusal::kOvercommitMode;

TEST(CommitPolicyTest, HeuristicModeLooksAtOneRequestOnly) {
  CommitSettings s;
  s.ram_bytes = 988768 * kKiB;  // of the machine on which the largest map was measured, linux 6.12
  EXPECT_EQ(MostGranted(kLinux, s, {}), 988768 * kKiB);
  s.swap_bytes = kMiB;
  EXPECT_EQ(MostGranted(kLinux, s, {500 * kGiB, kTiB, 0}), 988768 * kKiB + kMiB);
  s.overcommit = OvercommitMode::kAlways;
  EXPECT_TRUE(Granted(kLinux, s, {500 * kGiB, kTiB, 500 * kTiB}));
}

TEST(CommitPolicyTest, NeverModeInPagesLessTheReserves) {
  CommitSettings s;
  s.overcommit = OvercommitMode::kNever;
  s.ram_bytes = 1000001 * kPage;
  s.swap_bytes = 7 * kPage;
  // 1000001 * 50 / 100 = 500000 pages, + 7, - 2048 (8 MiB), less one: the sum stays below.
  EXPECT_EQ(MostGranted(kLinux, s, {}), (500000u + 7 - 2048 - 1) * kPage);
  s.is_privileged = true;
  EXPECT_EQ(MostGranted(kLinux, s, {}), (500000u + 7 - 1) * kPage);
  // A thirty-second of the process in whole pages, at most 1000001 / 32 pages or 128 MiB.
  EXPECT_EQ(MostGranted(kLinux, s, {0, 63 * kPage, 0}), (500007u - 1 - 1) * kPage);
  EXPECT_EQ(MostGranted(kLinux, s, {0, 64 * kPage, 0}), (500007u - 2 - 1) * kPage);
  EXPECT_EQ(MostGranted(kLinux, s, {0, 16 * kTiB, 0}), (500007u - 31250 - 1) * kPage);
  s.user_reserve_bytes = 10 * kPage;
  EXPECT_EQ(MostGranted(kLinux, s, {0, 16 * kTiB, 0}), (500007u - 10 - 1) * kPage);
  // What this process and others have already.
  s.committed_elsewhere_bytes = 1000 * kPage;
  EXPECT_EQ(MostGranted(kLinux, s, {2000 * kPage, 0, 0}), (500007u - 3000 - 1) * kPage);
  s.huge_pool_bytes = 200 * kPage;
  EXPECT_EQ(MostGranted(kLinux, s, {2000 * kPage, 0, 0}), (500007u - 100 - 3000 - 1) * kPage);
  s.overcommit_ratio = 80;
  EXPECT_EQ(MostGranted(kLinux, s, {2000 * kPage, 0, 0}), (799840u + 7 - 3000 - 1) * kPage);
  s.overcommit_kbytes = 40003;  // 10000 pages
  EXPECT_EQ(MostGranted(kLinux, s, {2000 * kPage, 0, 0}), (10007u - 3000 - 1) * kPage);
}

TEST(CommitPolicyTest, ReservesLargerThanTheMachineRefuseEverything) {
  CommitSettings s;
  s.overcommit = OvercommitMode::kNever;
  s.ram_bytes = 4 * kMiB;
  s.admin_reserve_bytes = 8 * kMiB;
  const auto refused = PolicyOf(kLinux).Check(s, {0, 0, kPage}, kPage);
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->rule, Rule::kCommitLimit);
  EXPECT_EQ(refused->allowed_bytes, 0u);
}

TEST(CommitPolicyTest, RamPlusSwapCountsEverybody) {
  CommitSettings s;
  s.ram_bytes = kGiB;
  s.swap_bytes = kMiB;
  s.committed_elsewhere_bytes = kGiB / 2;
  EXPECT_EQ(MostGranted(CommitRefusal::kRamPlusSwap, s, {kMiB, 0, 0}), kGiB / 2);
  s.committed_elsewhere_bytes = 2 * kGiB;
  EXPECT_FALSE(Granted(CommitRefusal::kRamPlusSwap, s, {0, 0, kPage}));
  EXPECT_TRUE(Granted(CommitRefusal::kNever, s, {0, 0, 500 * kTiB}));
}

TEST(CommitPolicyTest, FreeBsdsBits) {
  constexpr CommitRefusal kBsd = CommitRefusal::kSwapReservation;
  CommitSettings s;
  s.ram_bytes = kGiB;
  s.swap_bytes = 64 * kMiB;
  s.wired_bytes = 256 * kMiB;
  s.swap_limit_bytes = 32 * kMiB;
  EXPECT_TRUE(Granted(kBsd, s, {0, 0, kTiB}));  // vm.overcommit = 0
  s.overcommit_bits = 1;
  EXPECT_EQ(MostGranted(kBsd, s, {kMiB, 0, 0}), 63 * kMiB);
  s.overcommit_bits = 1 | 4;
  EXPECT_EQ(MostGranted(kBsd, s, {kMiB, 0, 0}), 768 * kMiB + 63 * kMiB);
  s.overcommit_bits = 4;  // without 1 nobody asks
  EXPECT_TRUE(Granted(kBsd, s, {0, 0, kTiB}));
  s.overcommit_bits = 2;
  EXPECT_EQ(MostGranted(kBsd, s, {kMiB, 0, 0}), 31 * kMiB);
  s.is_privileged = true;
  EXPECT_TRUE(Granted(kBsd, s, {0, 0, kTiB}));
}

}  // namespace
}  // namespace reheap
