// Limit policies: what each limit has in use and what a request adds, for one mapping that replaces another.
#include "sim/os/limit_policy.h"

#include <gtest/gtest.h>

namespace reheap {
namespace {

// A process of 100, of which 30 private writable and 20 anonymous with access; asks 50 over 10 of its own.
constexpr MappingTotals kTotals{
    .mapped_bytes = 100, .data_bytes = 30, .charged_bytes = 0, .claimed_bytes = 20};

Demand Asks(bool data, bool claims) { return {50, 10, data, claims}; }

void ExpectSum(const std::optional<LimitedSum>& sum, uint64_t in_use, uint64_t added) {
  ASSERT_TRUE(sum.has_value());
  EXPECT_EQ(sum->in_use_bytes, in_use);
  EXPECT_EQ(sum->added_bytes, added);
}

TEST(LimitPolicyTest, AddressLimitsDifferInWhatIsReplaced) {
  const Demand demand = Asks(true, true);
  EXPECT_FALSE(PolicyOf(AddressLimitRule::kNotEnforced).OnMap(kTotals, demand).has_value());
  ExpectSum(PolicyOf(AddressLimitRule::kBeforeOverlapSubtracted).OnMap(kTotals, demand), 100, 40);
  ExpectSum(PolicyOf(AddressLimitRule::kBeforeOverlapCounted).OnMap(kTotals, demand), 100, 50);
  ExpectSum(PolicyOf(AddressLimitRule::kAfterWholeMap).OnMap(kTotals, demand), 90, 50);
}

TEST(LimitPolicyTest, OnlyTheWholeMapsLimitsMayNotBeSetBelowUse) {
  for (const AddressLimitRule rule :
       {AddressLimitRule::kNotEnforced, AddressLimitRule::kBeforeOverlapSubtracted,
        AddressLimitRule::kBeforeOverlapCounted, AddressLimitRule::kAfterWholeMap}) {
    EXPECT_EQ(PolicyOf(rule).MayBeSetBelowUse(), rule != AddressLimitRule::kAfterWholeMap);
  }
  EXPECT_FALSE(PolicyOf(DataLimitRule::kWholeMap).MayBeSetBelowUse());
  EXPECT_TRUE(PolicyOf(DataLimitRule::kPrivateWritable).MayBeSetBelowUse());
}

TEST(LimitPolicyTest, DataLimitsDifferInWhatIsData) {
  const Demand data = Asks(true, false), claims = Asks(false, true);
  ExpectSum(PolicyOf(DataLimitRule::kPrivateWritable).OnMap(kTotals, data), 30, 40);
  EXPECT_FALSE(PolicyOf(DataLimitRule::kPrivateWritable).OnMap(kTotals, claims).has_value());
  ExpectSum(PolicyOf(DataLimitRule::kAccessibleAnonymous).OnMap(kTotals, claims), 20, 50);
  EXPECT_FALSE(PolicyOf(DataLimitRule::kAccessibleAnonymous).OnMap(kTotals, data).has_value());
  ExpectSum(PolicyOf(DataLimitRule::kWholeMap).OnMap(kTotals, claims), 90, 50);
  EXPECT_FALSE(PolicyOf(DataLimitRule::kBreakOnly).OnMap(kTotals, data).has_value());
  EXPECT_FALSE(PolicyOf(DataLimitRule::kNotEnforced).OnMap(kTotals, data).has_value());
}

TEST(LimitPolicyTest, TheBreakIsDataWhereDataIsNotTheWholeMap) {
  EXPECT_TRUE(PolicyOf(DataLimitRule::kPrivateWritable).CoversBreak());
  EXPECT_TRUE(PolicyOf(DataLimitRule::kAccessibleAnonymous).CoversBreak());
  EXPECT_TRUE(PolicyOf(DataLimitRule::kBreakOnly).CoversBreak());
  EXPECT_FALSE(PolicyOf(DataLimitRule::kWholeMap).CoversBreak());
  EXPECT_FALSE(PolicyOf(DataLimitRule::kNotEnforced).CoversBreak());
}

TEST(LimitPolicyTest, OnlyOneDataLimitLooksAtWholeProtects) {
  ExpectSum(PolicyOf(DataLimitRule::kAccessibleAnonymous).OnClaim(kTotals, 7), 20, 7);
  EXPECT_TRUE(PolicyOf(DataLimitRule::kAccessibleAnonymous).CountsClaims());
  for (const DataLimitRule rule : {DataLimitRule::kPrivateWritable, DataLimitRule::kWholeMap,
                                   DataLimitRule::kBreakOnly, DataLimitRule::kNotEnforced}) {
    EXPECT_FALSE(PolicyOf(rule).CountsClaims());
    EXPECT_FALSE(PolicyOf(rule).OnClaim(kTotals, 7).has_value());
  }
}

TEST(LimitPolicyTest, ComparisonsDoNotOverflow) {
  EXPECT_FALSE(Exceeds({10, 20}, 30));
  EXPECT_TRUE(Exceeds({10, 21}, 30));
  EXPECT_TRUE(Exceeds({~uint64_t{0}, ~uint64_t{0}}, ~uint64_t{0} - 1));
  EXPECT_TRUE(Exceeds({2, ~uint64_t{0}}, ~uint64_t{0}));
}

}  // namespace
}  // namespace reheap
