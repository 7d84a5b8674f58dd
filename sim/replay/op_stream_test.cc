#include "sim/replay/op_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "traces/trace_builder.h"

namespace reheap {
namespace {

using testing::HasSubstr;

std::string Write(const TraceBuilder& builder) {
  const std::string path = testing::TempDir() + "/op_stream.trace";
  EXPECT_TRUE(builder.WriteTo(path).ok());
  return path;
}

absl::StatusOr<std::vector<ReplayOp>> AllOps(const std::string& path) {
  absl::StatusOr<std::unique_ptr<OpStream>> stream = OpStream::Open(path, /*allow_cut_off=*/false);
  if (!stream.ok()) return stream.status();
  std::vector<ReplayOp> all;
  for (;;) {
    ReplayOp ops[2];  // smaller than the trace: batches must join
    absl::StatusOr<size_t> n = (*stream)->Next(ops, 2);
    if (!n.ok()) return n.status();
    if (*n == 0) return all;
    all.insert(all.end(), ops, ops + *n);
  }
}

TEST(OpStreamTest, OpNumberIsEventNumberAndWhatAReplayDoesNotDoIsNothing) {
  const auto ops = AllOps(Write(TraceBuilder()
                                    .Malloc(0, 64)
                                    .FreeNull()
                                    .Memalign(1, 256, 100)
                                    .Map(0x1000, 4096, 3, 0x22)
                                    .FailedMalloc(1 << 30)
                                    .Realloc(0, 128)
                                    .Free(0)));
  ASSERT_TRUE(ops.ok()) << ops.status();
  ASSERT_EQ(ops->size(), 7u);
  const ReplayOpKind kinds[] = {ReplayOpKind::kAllocate, ReplayOpKind::kNothing, ReplayOpKind::kAllocate,
                                ReplayOpKind::kNothing,  ReplayOpKind::kNothing, ReplayOpKind::kResize,
                                ReplayOpKind::kFree};
  for (size_t i = 0; i < 7; ++i) EXPECT_EQ((*ops)[i].kind, kinds[i]) << i;
  EXPECT_EQ((*ops)[0].size, 64u);
  EXPECT_EQ((*ops)[2].alignment_log2, 8);
  EXPECT_EQ((*ops)[5].size, 128u);
}

TEST(OpStreamTest, AddressSpaceCallsStandInATableBesideTheBatch) {
  TraceEvent advice;
  advice.kind = EventKind::kAdvise;
  advice.address = 0x10000;
  advice.size = 4096;
  advice.argument = 14;  // MADV_HUGEPAGE: nothing that is modelled
  const std::string path = Write(TraceBuilder()
                                     .Malloc(0, 64)
                                     .Map(0x10000, 5000, 3, 0x4021)
                                     .Event(advice)
                                     .MemorySample(1, 1)
                                     .Unmap(0x10000, 1)
                                     .Thread(1).ThreadStart().Malloc(1, 8).ThreadEnd());
  auto facts = OpStream::ReadFacts(path, /*allow_cut_off=*/false);
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->foreign_count, 5u);
  auto stream = OpStream::Open(path, /*allow_cut_off=*/false);
  ASSERT_TRUE(stream.ok());
  ReplayOp ops[16];
  ForeignOp foreign[16];
  const auto n = (*stream)->Next(ops, 16, foreign);
  ASSERT_TRUE(n.ok()) << n.status();
  ASSERT_EQ(*n, 8u);
  ASSERT_EQ(ops[1].kind, ReplayOpKind::kForeign);
  const ForeignOp& map = foreign[ops[1].slot];
  EXPECT_EQ(map.kind, ForeignKind::kMap);
  EXPECT_EQ(map.address, 0x10000u);
  EXPECT_EQ(map.bytes, 8192u) << "in whole recorded OS pages";
  EXPECT_EQ(map.protection, 3);
  EXPECT_TRUE(map.flags.shared && map.flags.no_reserve && !map.flags.fixed && !map.flags.file);
  EXPECT_EQ(ops[2].kind, ReplayOpKind::kNothing);
  EXPECT_EQ(ops[3].kind, ReplayOpKind::kNothing);
  EXPECT_EQ(foreign[ops[4].slot].kind, ForeignKind::kUnmap);
  EXPECT_EQ(foreign[ops[5].slot].kind, ForeignKind::kThreadStart);
  EXPECT_EQ(ops[7].kind, ReplayOpKind::kEndLane) << "the thread had a lane";
  EXPECT_EQ(foreign[ops[7].slot].kind, ForeignKind::kThreadEnd);
}

// At the first op of each 10 ms in which there is one, whatever lies between and however the ops are batched.
TEST(OpStreamTest, TimesAreMarkedWhereAStepEnds) {
  constexpr uint64_t kMs = 1'000'000;
  TraceBuilder builder;
  const uint64_t times_ms[] = {0, 3, 9, 10, 10, 19, 21, 300, 301, 309, 310, 315, 400};
  uint32_t slot = 0;
  for (uint64_t ms : times_ms) builder.Time(ms * kMs).Malloc(slot++, 8);
  const std::string path = Write(builder);
  const std::vector<std::pair<uint64_t, uint64_t>> wanted = {{3, 10}, {6, 21}, {7, 300}, {10, 310}, {12, 400}};
  for (size_t capacity : {1, 2, 3, 5, 13, 16}) {
    auto stream = OpStream::Open(path, /*allow_cut_off=*/false);
    ASSERT_TRUE(stream.ok());
    ReplayOp ops[16];
    const auto times = std::make_unique<BatchTimes>();
    std::vector<std::pair<uint64_t, uint64_t>> marks;  // op, ms
    for (size_t before = 0;;) {
      const auto n = (*stream)->Next(ops, capacity, nullptr, times.get());
      ASSERT_TRUE(n.ok());
      if (*n == 0) break;
      for (uint32_t i = 0; i < times->count; ++i) {
        marks.emplace_back(before + times->marks[i].op, times->marks[i].time_ns / kMs);
      }
      before += *n;
    }
    EXPECT_EQ(marks, wanted) << capacity;
  }
  EXPECT_TRUE(OpStream::ReadFacts(path, /*allow_cut_off=*/false)->has_times);
}

TEST(OpStreamTest, AFailedResizeIsNothingAndTheObjectLivesOn) {
  TraceEvent failed;
  failed.kind = EventKind::kResize;
  failed.call = CallKind::kRealloc;
  failed.object = 0;
  failed.size = uint64_t{1} << 50;
  failed.failed = true;
  const auto ops = AllOps(Write(TraceBuilder().Malloc(0, 64).Event(failed).Free(0)));
  ASSERT_TRUE(ops.ok()) << ops.status();
  EXPECT_EQ((*ops)[1].kind, ReplayOpKind::kNothing);
  EXPECT_EQ((*ops)[2].kind, ReplayOpKind::kFree);
}

TEST(OpStreamTest, LanesOfEndedThreadsAreUsedAgain) {
  const auto ops = AllOps(Write(TraceBuilder()
                                    .Thread(0).Malloc(0, 8)
                                    .Thread(1).Malloc(1, 8)
                                    .Thread(0).ThreadEnd()
                                    .Thread(2).Malloc(2, 8)));
  ASSERT_TRUE(ops.ok()) << ops.status();
  EXPECT_NE((*ops)[0].lane, (*ops)[1].lane);
  EXPECT_EQ((*ops)[2].kind, ReplayOpKind::kEndLane);
  EXPECT_EQ((*ops)[2].lane, (*ops)[0].lane);
  EXPECT_EQ((*ops)[3].lane, (*ops)[0].lane);
}

TEST(OpStreamTest, MoreThreadsAliveThanLanesIsAnErrorAndThreadsThatEndedDoNotCount) {
  TraceBuilder builder;
  constexpr uint32_t kLanes = 1 << 16;
  for (uint32_t i = 0; i < kLanes; ++i) builder.Thread(i).Malloc(i, 8);
  builder.Thread(7).ThreadEnd().Thread(kLanes).Malloc(kLanes, 8);
  const auto all = AllOps(Write(builder));
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->back().lane, 7);
  const auto one_more = AllOps(Write(builder.Thread(kLanes + 1).Malloc(kLanes + 1, 8)));
  EXPECT_EQ(one_more.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(one_more.status().message()), HasSubstr("65536 threads"));
}

TEST(OpStreamTest, AThreadThatEndedAndCallsAgainGetsALaneAgain) {
  const auto ops = AllOps(Write(TraceBuilder()
                                    .Thread(0).Malloc(0, 8)
                                    .Thread(1).Malloc(1, 8).ThreadEnd()
                                    .Thread(2).Malloc(2, 8)
                                    .Thread(1).Free(1).ThreadEnd().ThreadEnd()));
  ASSERT_TRUE(ops.ok()) << ops.status();
  ASSERT_EQ(ops->size(), 7u);
  EXPECT_EQ((*ops)[3].lane, (*ops)[1].lane);
  EXPECT_NE((*ops)[4].lane, (*ops)[3].lane) << "that lane is the third thread's now";
  EXPECT_NE((*ops)[4].lane, (*ops)[0].lane);
  EXPECT_EQ((*ops)[5].kind, ReplayOpKind::kEndLane);
  EXPECT_EQ((*ops)[6].kind, ReplayOpKind::kNothing);
}

TEST(OpStreamTest, ALaneIsFreeAtOnceEvenForTheThreadThatHadIt) {
  const auto ops = AllOps(Write(TraceBuilder()
                                    .Thread(0).Malloc(0, 8).ThreadEnd().Malloc(1, 8)
                                    .Thread(1).Malloc(2, 8)));
  ASSERT_TRUE(ops.ok()) << ops.status();
  EXPECT_EQ((*ops)[2].lane, (*ops)[0].lane);
  EXPECT_NE((*ops)[3].lane, (*ops)[2].lane) << "two threads alive, two lanes";
}

TEST(OpStreamTest, ABrokenTraceIsAnErrorThatNamesTheEvent) {
  struct Case {
    TraceBuilder trace;
    const char* rule;
    const char* event;
  };
  const Case cases[] = {
      {TraceBuilder().Malloc(0, 8).Malloc(0, 8), "alive", "event 1 "},
      {TraceBuilder().Malloc(0, 8).Free(0).Free(0), "without an object", "event 2 "},
      {TraceBuilder().Realloc(3, 8), "without an object", "event 0 "},
      {TraceBuilder().Memalign(0, 48, 8), "power of two", "event 0 "},
  };
  for (const Case& c : cases) {
    const std::string path = testing::TempDir() + "/broken.trace";
    if (!c.trace.WriteTo(path).ok()) continue;  // a writer may refuse it first
    const auto ops = AllOps(path);
    ASSERT_FALSE(ops.ok()) << c.rule;
    EXPECT_THAT(std::string(ops.status().message()), HasSubstr(c.rule));
    EXPECT_THAT(std::string(ops.status().message()), HasSubstr(c.event));
    EXPECT_THAT(std::string(ops.status().message()), HasSubstr(path));
  }
}

TEST(OpStreamTest, ACutOffFileIsRefusedUnlessAllowed) {
  TraceBuilder builder;
  for (uint32_t i = 0; i < 1000; ++i) builder.Malloc(i, 16);
  const std::string path = testing::TempDir() + "/cut.trace";
  TraceWriterOptions options;
  options.events_per_block = 100;
  ASSERT_TRUE(builder.WriteTo(path, options).ok());
  std::string bytes;
  {
    std::ifstream in(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  std::ofstream(path, std::ios::binary) << bytes.substr(0, bytes.size() / 2);
  const auto refused = OpStream::ReadFacts(path, /*allow_cut_off=*/false);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr(path + ": offset "));
  const auto facts = OpStream::ReadFacts(path, /*allow_cut_off=*/true);
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_GT(facts->event_count, 0u);
  EXPECT_LT(facts->event_count, 1000u);
  EXPECT_EQ(facts->event_count % 100, 0u) << "whole blocks";
  EXPECT_EQ(facts->slot_count, facts->event_count);
}

}  // namespace
}  // namespace reheap
