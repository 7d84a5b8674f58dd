// Limits at their edges: one byte below, exactly, one page above.
#include "sim/os/limits.h"

#include <gtest/gtest.h>

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;

Platform Linux() {
  Platform p;
  p.machine.os_page_bytes = kPage;
  p.machine.errors.out_of_memory = 12;
  p.machine.errors.commit_limit = 1455;
  p.limits.address = AddressLimitRule::kBeforeOverlapSubtracted;
  p.limits.data = DataLimitRule::kPrivateWritable;
  p.limits.commit_charge = CommitCharge::kWritablePrivate;
  p.limits.commit_refusal = CommitRefusal::kOvercommitMode;
  p.limits.max_mappings = 100;
  return p;
}

Demand Of(uint64_t bytes, uint64_t replaced_bytes = 0, bool data = false) {
  Demand demand;
  demand.bytes = bytes;
  demand.replaced_bytes = replaced_bytes;
  demand.data = data;
  return demand;
}

TEST(LimitsTest, AddressLimitIsInWholePagesAndInclusive) {
  const Platform p = Linux();
  ProcessLimits limits;
  limits.address_bytes = 10 * kPage + 4095;
  const Limits checker(&p, limits);
  const MappingTotals now{8 * kPage, 0, 0};
  EXPECT_EQ(checker.CheckMap(now, Of(2 * kPage)).rule, Rule::kNone);
  const Refusal refusal = checker.CheckMap(now, Of(3 * kPage));
  EXPECT_EQ(refusal.rule, Rule::kAddressLimit);
  EXPECT_EQ(refusal.os_error, 12);
  EXPECT_EQ(refusal.asked_bytes, 3 * kPage);
  EXPECT_EQ(refusal.in_use_bytes, 8 * kPage);
  EXPECT_EQ(refusal.allowed_bytes, 10 * kPage);
  EXPECT_EQ(checker.CheckMap(now, Of(~uint64_t{0} & ~(kPage - 1))).rule, Rule::kAddressLimit);
}

TEST(LimitsTest, WhatIsReplacedIsSubtractedOrNot) {
  Platform p = Linux();
  ProcessLimits limits;
  limits.address_bytes = 10 * kPage;
  const MappingTotals full{10 * kPage, 0, 0};
  const auto rule = [&](AddressLimitRule address) {
    p.limits.address = address;
    return Limits(&p, limits).CheckMap(full, Of(4 * kPage, 4 * kPage)).rule;
  };
  EXPECT_EQ(rule(AddressLimitRule::kBeforeOverlapSubtracted), Rule::kNone);
  EXPECT_EQ(rule(AddressLimitRule::kBeforeOverlapCounted), Rule::kAddressLimit);
  EXPECT_EQ(rule(AddressLimitRule::kAfterWholeMap), Rule::kNone);
  EXPECT_EQ(rule(AddressLimitRule::kNotEnforced), Rule::kNone);
}

TEST(LimitsTest, DataLimitCountsPrivateWritableOnly) {
  const Platform p = Linux();
  ProcessLimits limits;
  limits.data_bytes = 4 * kPage;
  const Limits checker(&p, limits);
  const MappingTotals now{100 * kPage, 3 * kPage, 0};
  EXPECT_EQ(checker.CheckMap(now, Of(kPage, 0, true)).rule, Rule::kNone);
  EXPECT_EQ(checker.CheckMap(now, Of(2 * kPage, 0, true)).rule, Rule::kDataLimit);
  EXPECT_EQ(checker.CheckMap(now, Of(2 * kPage, 0, false)).rule, Rule::kNone);
  EXPECT_EQ(checker.CheckMap(now, Of(2 * kPage, kPage, true)).rule, Rule::kNone);
}

// RLIMIT_DATA is skipped when RLIMIT_AS has no room either (measured on linux 6.12 and 6.18: it succeeds).
TEST(LimitsTest, ProtectSkipsTheDataLimitWhenTheAddressLimitIsFull) {
  const Platform p = Linux();
  ProcessLimits limits;
  limits.data_bytes = 4 * kPage;
  const MappingTotals now{100 * kPage, 4 * kPage, 0};
  EXPECT_EQ(Limits(&p, limits).CheckProtect(now, kPage, false, true, false).rule, Rule::kDataLimit);
  EXPECT_EQ(Limits(&p, limits).CheckProtect(now, kPage, true, true, false).rule, Rule::kNone);
  limits.address_bytes = 100 * kPage;
  EXPECT_EQ(Limits(&p, limits).CheckProtect(now, kPage, false, true, false).rule, Rule::kNone);
}

TEST(LimitsTest, OvercommitModes) {
  const Platform p = Linux();
  ProcessLimits limits;
  limits.ram_bytes = kGiB;
  limits.swap_bytes = kMiB;
  const MappingTotals now{0, 0, 2 * kGiB};
  limits.overcommit = OvercommitMode::kHeuristic;  // one request, not the sum
  EXPECT_EQ(Limits(&p, limits).CheckCommit(now, kGiB + kMiB).rule, Rule::kNone);
  EXPECT_EQ(Limits(&p, limits).CheckCommit(now, kGiB + kMiB + kPage).rule, Rule::kOvercommitHeuristic);
  limits.overcommit = OvercommitMode::kAlways;
  EXPECT_EQ(Limits(&p, limits).CheckCommit(now, kTiB).rule, Rule::kNone);
  limits.overcommit = OvercommitMode::kNever;
  EXPECT_EQ(Limits(&p, limits).CheckCommit(now, kPage).rule, Rule::kCommitLimit);
  // 1 GiB * 50 % + 1 MiB - 8 MiB, for a process of 0 bytes; the sum must stay below it.
  const uint64_t allowed = kGiB / 2 + kMiB - 8 * kMiB;
  EXPECT_EQ(Limits(&p, limits).CheckCommit({}, allowed - kPage).rule, Rule::kNone);
  EXPECT_EQ(Limits(&p, limits).CheckCommit({}, allowed).rule, Rule::kCommitLimit);
  // A thirty-second of what is mapped is kept, charged or not.
  const MappingTotals mapped{64 * kMiB, 0, 0};
  EXPECT_EQ(Limits(&p, limits).CheckCommit(mapped, allowed - 2 * kMiB - kPage).rule, Rule::kNone);
  EXPECT_EQ(Limits(&p, limits).CheckCommit(mapped, allowed - 2 * kMiB).rule, Rule::kCommitLimit);
}

TEST(LimitsTest, RamPlusSwapBoundsTheSum) {
  Platform p = Linux();
  p.limits.commit_refusal = CommitRefusal::kRamPlusSwap;
  ProcessLimits limits;
  limits.ram_bytes = kGiB;
  const MappingTotals now{0, 0, kGiB - kPage};
  EXPECT_EQ(Limits(&p, limits).CheckCommit(now, kPage).rule, Rule::kNone);
  const Refusal refusal = Limits(&p, limits).CheckCommit(now, 2 * kPage);
  EXPECT_EQ(refusal.rule, Rule::kCommitLimit);
  EXPECT_EQ(refusal.os_error, 1455);
}

TEST(LimitsTest, AMapMayReachTheCountASplitMayNot) {
  const Platform p = Linux();
  const Limits checker(&p, {});
  EXPECT_EQ(checker.CheckCount(100, false).rule, Rule::kNone);
  EXPECT_EQ(checker.CheckCount(101, false).rule, Rule::kMappingCount);
  EXPECT_EQ(checker.CheckCount(99, true).rule, Rule::kNone);
  EXPECT_EQ(checker.CheckCount(100, true).rule, Rule::kMappingCount);
}

TEST(LimitsTest, BreakIsHeldByTheDataLimit) {
  const Platform p = Linux();
  ProcessLimits limits;
  limits.data_bytes = kMiB;
  EXPECT_EQ(Limits(&p, limits).CheckBreak(kMiB, 0).rule, Rule::kNone);
  EXPECT_EQ(Limits(&p, limits).CheckBreak(kMiB + 1, 0).rule, Rule::kDataLimit);
}

}  // namespace
}  // namespace reheap
