// When a PageHeap gives memory back, policy by policy, in seconds of a clock that the test turns.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "alloc/page_heap_for_tests.h"

namespace reheap {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

class PageHeapReleaseTest : public PageHeapTest {
 protected:
  void Plan(const ReleasePlan& release) {
    strategy_.release = release;
    heap_.SetRelease(strategy_);
  }
  void At(uint64_t seconds) { heap_.Advance(seconds * kSecond); }
  uint64_t gone() const { return heap_.totals().discarded; }
  static ReleasePlan FiveMinutes() {
    ReleasePlan plan;
    plan.policy = ReleasePolicy::kIdle;
    plan.age_ns = 300 * kSecond;
    plan.tick_ns = 60 * kSecond;
    return plan;
  }
};

TEST_F(PageHeapReleaseTest, NeverIsNever) {
  Give(Take(10));
  At(1'000'000'000);
  EXPECT_EQ(gone(), 0);
  EXPECT_EQ(os_.calls(OsOperation::kDiscard), 0);
}

TEST_F(PageHeapReleaseTest, IdleLooksAtEachTickForWhatIsOldEnough) {
  Plan(FiveMinutes());
  const int64_t a = Take(10);
  Take(1);
  const int64_t b = Take(20);
  Take(225);
  At(70);
  Give(a);
  At(130);
  Give(b);
  At(369);
  EXPECT_EQ(gone(), 0);
  At(371);
  EXPECT_EQ(gone(), 0) << "old enough, but the next look is at 420";
  At(425);
  EXPECT_EQ(gone(), 10);
  At(479);
  EXPECT_EQ(gone(), 10);
  At(480);
  EXPECT_EQ(gone(), 30);
  EXPECT_EQ(os_.calls(OsOperation::kDiscard), 2);
}

TEST_F(PageHeapReleaseTest, WhoJoinsASpanMakesItYoung) {
  Plan(FiveMinutes());
  const int64_t a = Take(10), b = Take(10);
  Take(236);
  Give(a);
  At(240);
  Give(b);
  At(480);
  EXPECT_EQ(gone(), 0);
  At(540);
  EXPECT_EQ(gone(), 20);
}

TEST_F(PageHeapReleaseTest, WhatIsLeftOfASpanKeepsItsAge) {
  Plan(FiveMinutes());
  const int64_t a = Take(10);
  Take(246);
  Give(a);
  At(240);
  EXPECT_EQ(Take(4), a);
  At(300);
  EXPECT_EQ(gone(), 6);
}

// Which was resident, and is not.
TEST_F(PageHeapReleaseTest, RssFalls) {
  Plan(FiveMinutes());
  const int64_t a = Take(100);
  Take(156);
  memory_.Touch(kHeap, 100u << kShift);
  const uint64_t touched = os_.CountResidentPages();
  Give(a);
  At(300);
  EXPECT_EQ(touched - os_.CountResidentPages(), 100);
}

TEST_F(PageHeapReleaseTest, RateGivesOnePageForEachSoMany) {
  ReleasePlan plan;
  plan.policy = ReleasePolicy::kRate;
  plan.pages_freed_per_page = 10;
  std::vector<int64_t> spans;
  for (int n = 0; n < 128; ++n) spans.push_back(Take(2));
  Plan(plan);
  for (int n = 0; n < 128; n += 2) Give(spans[static_cast<size_t>(n)]);
  // The first 2 pages at once; each 2 that went are followed by more than 20 that became free.
  EXPECT_EQ(gone(), 2 * (1 + (128 - 2) / 22));
}

// One page each, between walls, all freed at once: the curve, to the page.
TEST_F(PageHeapReleaseTest, DecayFollowsSmoothstep) {
  ReleasePlan plan;
  plan.policy = ReleasePolicy::kDecay;
  plan.decay_ns = 10 * kSecond;
  std::vector<int64_t> spans;
  for (int n = 0; n < 256; ++n) spans.push_back(Take(1));
  Plan(plan);
  for (size_t n = 0; n < 200; n += 2) Give(spans[n]);
  const uint64_t epoch_ns = plan.decay_ns / DecayCurve::kEpochs;
  // They are noticed at the end of their epoch, and are whole then.
  for (uint64_t epoch = 1; epoch <= DecayCurve::kEpochs + 1; ++epoch) {
    heap_.Advance(epoch * epoch_ns);
    const double x = static_cast<double>(epoch - 1) / static_cast<double>(DecayCurve::kEpochs);
    const double left = 1 - (6 * std::pow(x, 5) - 15 * std::pow(x, 4) + 10 * std::pow(x, 3));
    EXPECT_NEAR(static_cast<double>(heap_.totals().free), 100 * left, 1.01) << epoch;
  }
  EXPECT_EQ(heap_.totals().free, 0);
}

TEST_F(PageHeapReleaseTest, DecayTakesTheOldestFirst) {
  ReleasePlan plan;
  plan.policy = ReleasePolicy::kDecay;
  plan.decay_ns = 10 * kSecond;
  const int64_t old_one = Take(10);
  Take(1);
  const int64_t young = Take(20);
  Take(225);
  Plan(plan);
  uint64_t now_ns = kSecond / 10;
  const auto until = [&](uint64_t second) {
    for (; now_ns <= second * kSecond; now_ns += kSecond / 20) heap_.Advance(now_ns);
  };
  Give(old_one);
  heap_.Advance(now_ns);
  Give(young);
  until(2);
  EXPECT_EQ(gone(), 10) << "29 of 30 may stay: a whole span went";
  until(6);
  EXPECT_EQ(gone(), 30) << "two thirds may not any more";
}

TEST_F(PageHeapReleaseTest, GoalKeepsAPartOfTheHeapInUse) {
  ReleasePlan plan;
  plan.policy = ReleasePolicy::kGoal;
  plan.keep_percent = 10;
  plan.tick_ns = kSecond;
  Plan(plan);
  Take(200);
  At(1);
  EXPECT_EQ(heap_.totals().free, 20);
  EXPECT_EQ(gone(), 36);
  EXPECT_EQ(Take(20), 200) << "what was kept";
  EXPECT_EQ(os_.calls(OsOperation::kReuse), 0);
}

TEST_F(PageHeapReleaseTest, DecommittedPagesAreCommittedAgainAsFarAsNeeded) {
  ReleasePlan plan = FiveMinutes();
  plan.method = ReleaseMethod::kDecommit;
  Plan(plan);
  const int64_t a = Take(100);
  Take(156);
  Give(a);
  At(300);
  EXPECT_EQ(gone(), 100);
  EXPECT_EQ(os_.calls(OsOperation::kDecommit), 1);
  EXPECT_EQ(Take(30), a);
  EXPECT_EQ(os_.calls(OsOperation::kCommit), 1);
  EXPECT_EQ(gone(), 70);
  memory_.Touch(kHeap, 30u << kShift);  // or it would fault
}

TEST_F(PageHeapReleaseTest, ARefusedCommitChangesNothing) {
  ReleasePlan plan = FiveMinutes();
  plan.method = ReleaseMethod::kDecommit;
  Plan(plan);
  const int64_t a = Take(1);
  Take(255);
  Give(a);
  At(300);
  os_.RefuseAfter(0);
  EXPECT_EQ(Take(1), -1);
  EXPECT_EQ(gone(), 1);
  EXPECT_EQ(Take(1), a);
}

TEST(DecayCurveTest, BeginsAndEndsWhereItShould) {
  EXPECT_EQ(DecayCurve::Smooth(0), 0);
  EXPECT_EQ(DecayCurve::Smooth(100), uint64_t{1} << 23);
  EXPECT_EQ(DecayCurve::Smooth(200), uint64_t{1} << 24);
}

TEST(DecayCurveTest, ALongPauseEndsEverything) {
  DecayCurve curve;
  curve.Start(10 * kSecond, 0);
  EXPECT_EQ(curve.PagesToKeep(1, 1000), 1000);
  EXPECT_EQ(curve.PagesToKeep(kSecond, 1000), 1000) << "noticed now";
  EXPECT_EQ(curve.PagesToKeep(100 * kSecond, 1000), 0);
}

}  // namespace
}  // namespace reheap
