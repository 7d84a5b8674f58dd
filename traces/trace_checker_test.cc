#include "traces/trace_checker.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "traces/synthetic_trace.h"
#include "traces/trace_builder.h"

namespace reheap {
namespace {

// The trailer that the writer would have written, by hand: these traces may be too broken for one.
proto::TraceTrailer TrailerFor(uint32_t threads, uint64_t slots) {
  proto::TraceTrailer trailer;
  for (uint32_t i = 0; i < threads; ++i) trailer.add_threads();
  trailer.set_slot_count(slots);
  return trailer;
}

TraceCheckReport Check(const TraceBuilder& builder, uint32_t threads = 4, uint64_t slots = 100) {
  TraceChecker checker;
  checker.ExpectTrailer(TrailerFor(threads, slots));
  checker.Check(7, builder.events().data(), builder.events().size());
  TraceTotals totals;
  for (const TraceEvent& event : builder.events()) totals.Add(event);
  proto::TraceTrailer trailer;
  trailer.set_events(totals.events());
  for (const uint64_t count : totals.events_by_kind()) trailer.add_events_by_kind(count);
  trailer.set_slot_count(totals.slot_count());
  trailer.set_peak_live_bytes(totals.peak_live_bytes());
  trailer.set_peak_live_objects(totals.peak_live_objects());
  trailer.set_allocated_bytes(totals.allocated_bytes());
  trailer.set_end_time_ns(totals.end_time_ns());
  return checker.Finish(&trailer);
}

TraceEvent Raw(EventKind kind, CallKind call, uint32_t object, uint64_t size = 0) {
  TraceEvent event;
  event.kind = kind;
  event.call = call;
  event.object = object;
  event.size = size;
  return event;
}

TEST(TraceChecker, ATraceThatKeepsAllRulesHasNoViolation) {
  TraceEvent sized_delete = Raw(EventKind::kFree, CallKind::kDeleteSized, 2, 100);
  sized_delete.time_ns = 10;
  const TraceCheckReport report = Check(TraceBuilder()
                                            .ThreadStart()
                                            .Malloc(0, 1)
                                            .Malloc(1, 0)
                                            .Memalign(2, 64, 100)
                                            .Realloc(0, 50)
                                            .FailedMalloc(1ull << 50)
                                            .FreeNull()
                                            .Time(10)
                                            .Thread(3)
                                            .Free(0)
                                            .New(0, 8)
                                            .Delete(0)
                                            .Event(sized_delete)
                                            .Map(0x1000, 4096, 3, 0x22)
                                            .Unmap(0x1000, 4096)
                                            .Break(0)
                                            .MemorySample(1, 1)
                                            .ThreadEnd());
  EXPECT_TRUE(report.ok()) << report.violations.at(0).ToString();
  EXPECT_EQ(report.events, 16u);
  EXPECT_EQ(report.blocks, 1u);
}

TEST(TraceChecker, AFailedResizeKeepsTheSizeAndASizedFreeMayNotKnowIt) {
  TraceEvent failed = Raw(EventKind::kResize, CallKind::kRealloc, 5, 200);
  failed.failed = true;
  TraceBuilder builder = TraceBuilder().Malloc(5, 100).Event(failed);
  TraceBuilder of_the_size_tried = builder;
  builder.Event(Raw(EventKind::kFree, CallKind::kDeleteSized, 5, 100));
  builder.Malloc(5, 100).Event(Raw(EventKind::kFree, CallKind::kDeleteSized, 5, 0));
  const TraceCheckReport report = Check(builder);
  EXPECT_TRUE(report.ok()) << report.violations.at(0).ToString();
  of_the_size_tried.Event(Raw(EventKind::kFree, CallKind::kDeleteSized, 5, 200));
  EXPECT_EQ(Check(of_the_size_tried).counts[static_cast<size_t>(TraceRule::kSizedFreeOfOtherSize)], 1u);
}

struct BrokenRule {
  TraceRule rule;
  TraceBuilder trace;  // its last event breaks the rule, and no other does
};

TEST(TraceChecker, EachRuleIsNamedWithItsPlace) {
  TraceEvent failed = Raw(EventKind::kAllocate, CallKind::kMalloc, 5, 10);
  failed.failed = true;
  const BrokenRule cases[] = {
      {TraceRule::kAllocateIntoLiveSlot, TraceBuilder().Malloc(5, 1).Malloc(5, 2)},
      {TraceRule::kFreeOfFreeSlot, TraceBuilder().Malloc(5, 1).Free(5).Free(5)},
      {TraceRule::kFreeOfFreeSlot, TraceBuilder().Free(5)},
      {TraceRule::kResizeOfDeadSlot, TraceBuilder().Malloc(5, 1).Free(5).Realloc(5, 9)},
      {TraceRule::kAllocateWithoutObject, TraceBuilder().Malloc(kNoObject, 1)},
      {TraceRule::kResizeWithoutObject, TraceBuilder().Realloc(kNoObject, 1)},
      {TraceRule::kFailedWithObject, TraceBuilder().Event(failed)},
      {TraceRule::kSizeOnUnsizedFree,
       TraceBuilder().Malloc(5, 1).Event(Raw(EventKind::kFree, CallKind::kFree, 5, 1))},
      {TraceRule::kSizedFreeOfOtherSize,
       TraceBuilder().New(5, 8).Event(Raw(EventKind::kFree, CallKind::kDeleteSized, 5, 16))},
      {TraceRule::kObjectOnOtherEvent,
       TraceBuilder().Malloc(5, 1).Event(Raw(EventKind::kBreak, CallKind::kUnknown, 5))},
      {TraceRule::kObjectOutOfRange, TraceBuilder().Malloc(100, 1)},
      {TraceRule::kAlignmentNotPowerOfTwo, TraceBuilder().Memalign(5, 48, 100)},
      {TraceRule::kUnknownThread, TraceBuilder().Thread(4).Malloc(5, 1)},
      {TraceRule::kEventAfterThreadEnd, TraceBuilder().Thread(2).ThreadEnd().Malloc(5, 1)},
      {TraceRule::kEventAfterThreadEnd, TraceBuilder().Thread(2).ThreadEnd().ThreadEnd()},
      {TraceRule::kThreadStartedTwice, TraceBuilder().Thread(2).Malloc(5, 1).ThreadStart()},
      {TraceRule::kTimeGoesBackwards, TraceBuilder().Time(10).Malloc(5, 1).Time(9).Free(5)},
      {TraceRule::kCallOfOtherKind, TraceBuilder().Event(Raw(EventKind::kAllocate, CallKind::kFree, 5, 1))},
      {TraceRule::kCallOfOtherKind,
       TraceBuilder().Malloc(5, 1).Event(Raw(EventKind::kResize, CallKind::kMalloc, 5, 1))},
      {TraceRule::kMapWithoutSize, TraceBuilder().Map(0x1000, 0, 3, 0x22)},
  };
  for (const BrokenRule& c : cases) {
    SCOPED_TRACE(TraceRuleName(c.rule));
    const TraceCheckReport report = Check(c.trace);
    ASSERT_EQ(report.violations.size(), 1u);
    EXPECT_EQ(report.total(), 1u);
    EXPECT_EQ(report.counts[static_cast<size_t>(c.rule)], 1u);
    const TraceViolation& violation = report.violations[0];
    const TraceEvent& last = c.trace.events().back();
    EXPECT_EQ(violation.rule, c.rule);
    EXPECT_EQ(violation.block, 7u);
    EXPECT_EQ(violation.event, c.trace.events().size() - 1);
    EXPECT_EQ(violation.thread, last.thread);
    EXPECT_EQ(violation.time_ns, last.time_ns);
    EXPECT_EQ(violation.object, last.object);
    EXPECT_NE(violation.ToString().find(TraceRuleName(c.rule)), std::string::npos);
  }
}

TEST(TraceChecker, ATrailerUnlikeTheEventsIsNamedCountByCount) {
  const TraceBuilder builder = TraceBuilder().Malloc(0, 64).Free(0);
  TraceChecker checker;
  checker.Check(0, builder.events().data(), 2);
  proto::TraceTrailer trailer;
  trailer.set_events(2);
  trailer.add_events_by_kind(1);
  trailer.add_events_by_kind(2);  // frees: there was one
  trailer.set_slot_count(1);
  trailer.set_peak_live_bytes(65);  // 64
  trailer.set_peak_live_objects(1);
  trailer.set_allocated_bytes(64);
  const TraceCheckReport report = checker.Finish(&trailer);
  ASSERT_EQ(report.violations.size(), 2u);
  EXPECT_EQ(report.violations[0].detail, "free: the trailer says 2, the events give 1");
  EXPECT_EQ(report.violations[1].detail, "bytes live at peak: the trailer says 65, the events give 64");
}

TEST(TraceChecker, ACutOffFileIsCheckedAsFarAsItGoes) {
  const TraceBuilder builder = TraceBuilder().Malloc(0, 64).Free(1);
  TraceChecker checker;
  checker.Check(0, builder.events().data(), 2);
  const TraceCheckReport report = checker.Finish(nullptr);
  EXPECT_EQ(report.counts[static_cast<size_t>(TraceRule::kNoTrailer)], 1u);
  EXPECT_EQ(report.counts[static_cast<size_t>(TraceRule::kFreeOfFreeSlot)], 1u);
}

TEST(TraceChecker, ViolationsBeyondTheBoundAreOnlyCounted) {
  TraceChecker checker({.max_violations = 3});
  const TraceBuilder builder = TraceBuilder().Free(1);
  for (int i = 0; i < 10; ++i) checker.Check(0, builder.events().data(), 1);
  const TraceCheckReport report = checker.Finish(nullptr);
  EXPECT_EQ(report.violations.size(), 3u);
  EXPECT_EQ(report.counts[static_cast<size_t>(TraceRule::kFreeOfFreeSlot)], 10u);
}

TEST(TraceChecker, FilesOfManyThreadsAndBlocksPass) {
  const std::string path = testing::TempDir() + "/checker_synthetic";
  const SyntheticTraceOptions options = {.seed = 3, .threads = 6, .cross_thread_frees_per_mille = 200};
  ASSERT_TRUE(WriteSyntheticTrace(path, options, 100'000, {1000, 1}).ok());
  absl::StatusOr<TraceCheckReport> report = CheckTrace(path);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->ok()) << report->violations.at(0).ToString();
  EXPECT_EQ(report->events, 100'000u);
  EXPECT_EQ(report->blocks, 100u);
  EXPECT_FALSE(CheckTrace(path + ".missing").ok());
}

TEST(TraceTotals, RunningCountsEqualTheSlowRecount) {
  const uint64_t seed = 11;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  SyntheticTrace trace({.seed = seed, .live_target_bytes = 1 << 18, .threads = 3});
  TraceTotals totals;
  uint64_t peak_bytes = 0;
  for (int i = 0; i < 3000; ++i) {
    totals.Add(trace.Next());
    const TraceTotals::Live live = totals.SlowRecount();
    ASSERT_EQ(live.bytes, totals.live_bytes()) << "event " << i;
    ASSERT_EQ(live.objects, totals.live_objects()) << "event " << i;
    ASSERT_EQ(live.bytes, trace.live_bytes()) << "event " << i;
    peak_bytes = std::max(peak_bytes, live.bytes);
    ASSERT_EQ(totals.peak_live_bytes(), peak_bytes);
  }
}

}  // namespace
}  // namespace reheap
