#include "traces/trace_info.h"

#include <string>

#include "gtest/gtest.h"
#include "traces/synthetic_trace.h"
#include "traces/trace_builder.h"

namespace reheap {
namespace {

TEST(TraceInfo, FiguresOfALiteralTrace) {
  TraceBuilder builder;
  builder.header().mutable_process()->set_rlimit_as_bytes(4096);
  builder.Time(5).Malloc(0, 1).Malloc(1, 2).Malloc(2, 3).Malloc(3, 0).Calloc(4, 1000);
  builder.Thread(1).Free(0).Thread(0).Free(1).FreeNull().FailedMalloc(1ull << 60).Time(25).Realloc(2, 4);
  const std::string path = testing::TempDir() + "/info_literal";
  ASSERT_TRUE(builder.Dropped(3).WriteTo(path, {4, 1}).ok());
  absl::StatusOr<TraceInfo> info = ReadTraceInfo(path);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->events, 10u);
  EXPECT_EQ(info->blocks, 3u);  // 4 + 4 + 2
  EXPECT_EQ(info->events_by_kind[static_cast<size_t>(EventKind::kAllocate)], 6u);
  EXPECT_EQ(info->events_by_call[static_cast<size_t>(CallKind::kMalloc)], 5u);
  EXPECT_EQ(info->events_by_call[static_cast<size_t>(CallKind::kCalloc)], 1u);
  EXPECT_EQ(info->events_by_call[static_cast<size_t>(CallKind::kFree)], 3u);
  EXPECT_EQ(info->failed_calls, 1u);
  EXPECT_EQ(info->frees_of_null, 1u);
  EXPECT_EQ(info->cross_thread_frees, 1u);
  EXPECT_EQ(info->threads.size(), 2u);
  EXPECT_EQ(info->active_threads, 2u);
  EXPECT_EQ(info->start_time_ns, 5u);
  EXPECT_EQ(info->end_time_ns, 25u);
  EXPECT_EQ(info->peak_live_bytes, 1006u);
  EXPECT_EQ(info->peak_bytes_event, 4u);
  EXPECT_EQ(info->peak_live_objects, 5u);
  EXPECT_EQ(info->end_live_bytes, 1004u);
  EXPECT_EQ(info->end_live_objects, 3u);
  EXPECT_EQ(info->size_histogram[0], 1u);   // 0
  EXPECT_EQ(info->size_histogram[1], 1u);   // 1
  EXPECT_EQ(info->size_histogram[2], 2u);   // 2 and 3
  EXPECT_EQ(info->size_histogram[10], 1u);  // 512 to 1023
  EXPECT_EQ(info->dropped_events, 3u);
  EXPECT_EQ(info->header.process().rlimit_as_bytes(), 4096u);
  EXPECT_FALSE(info->cut_off);
  EXPECT_GT(info->bytes_per_event(), 0);
}

TEST(TraceInfo, AnUnreadableFileIsAStatus) {
  EXPECT_FALSE(ReadTraceInfo(testing::TempDir() + "/info_missing").ok());
}

TEST(SyntheticTrace, HoldsItsTargetAndItsShares) {
  const std::string path = testing::TempDir() + "/info_synthetic";
  const SyntheticTraceOptions options = {
      .seed = 5, .live_target_bytes = 4 << 20, .threads = 4, .cross_thread_frees_per_mille = 100};
  ASSERT_TRUE(WriteSyntheticTrace(path, options, 200'000).ok());
  absl::StatusOr<TraceInfo> info = ReadTraceInfo(path);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->events, 200'000u);
  EXPECT_EQ(info->active_threads, 4u);
  EXPECT_GT(info->peak_live_bytes, options.live_target_bytes);
  EXPECT_LT(info->peak_live_bytes, 2 * options.live_target_bytes);
  // 100 in a thousand, plus what a thread that is not the owner's may do by realloc: none.
  const double frees = static_cast<double>(info->events_by_kind[static_cast<size_t>(EventKind::kFree)]);
  EXPECT_NEAR(static_cast<double>(info->cross_thread_frees) / frees, 0.1, 0.01);
}

TEST(SyntheticTrace, TheSameSeedGivesTheSameEventsAndAnotherOthers) {
  std::vector<TraceEvent> first(5000);
  std::vector<TraceEvent> again(5000);
  std::vector<TraceEvent> other(5000);
  SyntheticTrace({.seed = 1}).Next(first.data(), first.size());
  SyntheticTrace({.seed = 1}).Next(again.data(), again.size());
  SyntheticTrace({.seed = 2}).Next(other.data(), other.size());
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
}

}  // namespace
}  // namespace reheap
