#include "traces/trace_cutter.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "traces/edited_trace_for_tests.h"
#include "traces/synthetic_trace.h"
#include "traces/trace_builder.h"

namespace reheap {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;

std::string Temp(const std::string& name) { return testing::TempDir() + "/" + name; }

TraceFile Cut(const TraceBuilder& source, const TraceCutOptions& options) {
  EXPECT_TRUE(source.WriteTo(Temp("source.trace"), {3, 1}).ok());
  const auto report = CutTrace(Temp("source.trace"), Temp("cut.trace"), options);
  EXPECT_TRUE(report.ok()) << report.status();
  return ReadSoundTrace(Temp("cut.trace"));
}

TEST(TraceCutterTest, WhatLivesAtTheCutIsMadeAnewInItsOrderWithItsLastSize) {
  TraceBuilder source;
  source.Time(10).Malloc(0, 1).Malloc(1, 100).Memalign(2, 64, 200).New(3, 300).Free(0).Malloc(0, 400);
  source.Realloc(2, 250).Free(1);
  source.Time(50).Delete(3).Malloc(1, 500).Time(60).Free(2).Free(0);  // events 8 to 11
  const TraceFile cut = Cut(source, {.from_event = 8, .to_event = 11});
  TraceBuilder expected;
  expected.Event(
      {EventKind::kAllocate, CallKind::kRealloc, false, 0, 0, 250});  // resized: realloc's alignment
  expected.New(1, 300).Malloc(2, 400);
  expected.Delete(1).Malloc(1, 500).Time(10).Free(0);
  EXPECT_THAT(cut.events, ElementsAreArray(expected.events()));
  EXPECT_EQ(cut.trailer.slot_count(), 3u);
}

TEST(TraceCutterTest, AnObjectThatWasNotResizedKeepsItsAlignmentAndAFailedResizeIsNone) {
  TraceBuilder source;
  source.Memalign(0, 4096, 10);
  source.Event({EventKind::kResize, CallKind::kRealloc, true, 0, 0, 1 << 30});
  source.FreeNull();
  const TraceFile cut = Cut(source, {.from_event = 2});
  EXPECT_THAT(cut.events, ElementsAreArray(TraceBuilder().Memalign(0, 4096, 10).FreeNull().events()));
}

TEST(TraceCutterTest, ThreadsStartAndOnesThatLeftObjectsEndAgainBehindTheirLast) {
  TraceBuilder source;
  source.ThreadStart().Thread(1).ThreadStart().Thread(2).ThreadStart().Thread(3).ThreadStart();
  source.Thread(1).Malloc(0, 10).Thread(2).Malloc(1, 20).Thread(1).Malloc(2, 30).ThreadEnd();
  source.Thread(3).Malloc(3, 40).Free(3).ThreadEnd();  // leaves nothing: it need not come back
  source.Thread(0).Free(0).Thread(2).Free(2).ThreadEnd().Thread(0).Free(1);  // event 11 on
  const TraceFile cut = Cut(source, {.from_event = 11});
  TraceBuilder expected;  // threads and slots by first use: source's 0, 1, 2
  expected.ThreadStart().Thread(1).ThreadStart().Thread(2).ThreadStart();
  expected.Thread(1).Malloc(0, 10).Thread(2).Malloc(1, 20).Thread(1).Malloc(2, 30).ThreadEnd();
  expected.Thread(0).Free(0).Thread(2).Free(2).ThreadEnd().Thread(0).Free(1);
  EXPECT_THAT(cut.events, ElementsAreArray(expected.events()));
  EXPECT_EQ(cut.trailer.threads_size(), 3);
  EXPECT_EQ(cut.trailer.threads(1).tid(), 101);
}

TEST(TraceCutterTest, MappingsAreMadeAnewAndTheImageIsChangedAsItWas) {
  TraceBuilder source;
  source.header().mutable_host()->set_os_page_bytes(4096);
  proto::Mapping& image = *source.header().add_mappings();
  image.set_start(0x400000);
  image.set_end(0x404000);
  image.set_permissions("rw-p");
  source.ThreadStart().Thread(1).ThreadStart();
  source.Map(0x10000, 0x4000, 3, 0x22)
      .MemorySample(1, 1)
      .Unmap(0x11000, 100)
      .Unmap(0x402000, 0x1000)
      .ThreadEnd();
  source.Thread(0).Malloc(0, 5).Unmap(0x10000, 0x1000);
  const TraceFile cut = Cut(source, {.from_event = 8});
  TraceBuilder expected;
  expected.ThreadStart().Unmap(0x402000, 0x1000).Thread(1).ThreadStart();
  expected.Map(0x10000, 0x1000, 3, 0x22).Map(0x12000, 0x2000, 3, 0x22).ThreadEnd();
  expected.Thread(0).Malloc(0, 5).Unmap(0x10000, 0x1000);
  EXPECT_THAT(cut.events, ElementsAreArray(expected.events()));
  EXPECT_EQ(cut.header.mappings_size(), 1);
}

TEST(TraceCutterTest, ByTimeAndTheClockMovesAlong) {
  TraceBuilder source;
  source.header().mutable_process()->set_start_time_unix_ns(1'000'000);
  source.header().set_writer("reheap record");
  source.Dropped(3).Malloc(0, 1).Time(100).Malloc(1, 2).Time(200).Malloc(2, 3).Time(300).Malloc(3, 4);
  const TraceFile cut =
      Cut(source, {.from_time_ns = 60, .to_time_ns = 300, .how = "reheap trace cut --from-time 60"});
  EXPECT_THAT(cut.events,
              ElementsAreArray(TraceBuilder().Malloc(0, 1).Malloc(1, 2).Time(100).Malloc(2, 3).events()));
  EXPECT_EQ(cut.header.process().start_time_unix_ns(), 1'000'100u);
  EXPECT_EQ(cut.header.writer(), "reheap trace cut --from-time 60, of: reheap record");
  EXPECT_EQ(cut.trailer.dropped_events(), 3u);
  EXPECT_TRUE(cut.trailer.ended_in_order());
}

// The trailer's list is as long as the highest kind that occurred.
uint64_t Count(const proto::TraceTrailer& trailer, EventKind kind) {
  const int k = static_cast<int>(kind);
  return k < trailer.events_by_kind_size() ? trailer.events_by_kind(k) : 0;
}

// What both halves say together, for any place to cut.
void ExpectHalvesAddUp(const std::string& path, uint64_t at) {
  SCOPED_TRACE(testing::Message() << path << " at " << at);
  const auto first = CutTrace(path, Temp("first.trace"), {.to_event = at});
  const auto second = CutTrace(path, Temp("second.trace"), {.from_event = at});
  ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
  const proto::TraceTrailer whole = ReadTrace(path).trailer;
  const proto::TraceTrailer a = ReadSoundTrace(Temp("first.trace")).trailer;
  const proto::TraceTrailer b = ReadSoundTrace(Temp("second.trace")).trailer;
  EXPECT_EQ(first->prologue_events, 0u);
  EXPECT_EQ(a.events() + b.events() - second->prologue_events, whole.events());
  EXPECT_EQ(a.allocated_bytes() + b.allocated_bytes() - second->object_bytes, whole.allocated_bytes());
  EXPECT_EQ(std::max(a.peak_live_bytes(), b.peak_live_bytes()), whole.peak_live_bytes());
  EXPECT_EQ(std::max(a.peak_live_objects(), b.peak_live_objects()), whole.peak_live_objects());
  for (const EventKind kind : {EventKind::kFree, EventKind::kResize}) {
    EXPECT_EQ(Count(a, kind) + Count(b, kind), Count(whole, kind));
  }
  const EventKind allocate = EventKind::kAllocate;
  EXPECT_EQ(Count(a, allocate) + Count(b, allocate) - second->objects, Count(whole, allocate));
}

TEST(TraceCutterTest, HalvesOfASyntheticTraceAddUp) {
  const std::string path = Temp("synthetic.trace");
  ASSERT_TRUE(WriteSyntheticTrace(path, {.seed = 5, .live_target_bytes = 1 << 20, .threads = 4}, 30000).ok());
  for (const uint64_t at : {1, 2, 256, 9999, 29999}) ExpectHalvesAddUp(path, at);
}

TEST(TraceCutterTest, HalvesOfARealTraceAddUp) {
  for (const uint64_t at : {100, 5000, 19000})
    ExpectHalvesAddUp("traces/corpus/surfaceflinger_head.v1.trace", at);
}

TEST(TraceCutterTest, ACutOfACutIsTheCut) {
  const std::string path = Temp("twice.trace");
  ASSERT_TRUE(WriteSyntheticTrace(path, {.seed = 6, .live_target_bytes = 1 << 18, .threads = 3}, 9000).ok());
  const auto first = CutTrace(path, Temp("from_3000.trace"), {.from_event = 3000});
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(
      CutTrace(Temp("from_3000.trace"), Temp("again.trace"), {.from_event = 3000 + first->prologue_events})
          .ok());
  ASSERT_TRUE(CutTrace(path, Temp("from_6000.trace"), {.from_event = 6000}).ok());
  EXPECT_THAT(ReadSoundTrace(Temp("again.trace")).events,
              ElementsAreArray(ReadSoundTrace(Temp("from_6000.trace")).events));
}

TEST(TraceCutterTest, ARequestThatFindsNothingIsUnfitAndLeavesNoFile) {
  ASSERT_TRUE(TraceBuilder().Time(5).Malloc(0, 1).Time(50).Free(0).WriteTo(Temp("short.trace")).ok());
  const std::string out = Temp("none.trace");
  for (const auto& [options, says] : std::vector<std::pair<TraceCutOptions, std::string>>{
           {{.from_event = 2}, "begins behind its 2 events, the last at 50 ns"},
           {{.from_time_ns = 51}, "begins behind its 2 events"},
           {{.from_time_ns = 6, .to_time_ns = 9}, "event 1 at 50 ns is the first behind it"}}) {
    const auto report = CutTrace(Temp("short.trace"), out, options);
    EXPECT_EQ(report.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(report.status().message()), HasSubstr(says));
    EXPECT_FALSE(std::ifstream(out).good());
  }
}

TEST(TraceCutterTest, WhatCannotBeTrustedIsRefusedWithFileAndPlace) {
  const std::string out = Temp("refused.trace");
  const std::string path = Temp("untrusted.trace");
  ASSERT_TRUE(TraceBuilder().Malloc(0, 1).Free(0).Free(0).WriteTo(path).ok());
  const auto broken = CutTrace(path, out, {.to_event = 3});
  EXPECT_EQ(broken.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(broken.status().message()), HasSubstr(path + ": block 0, event 2"));

  ASSERT_TRUE(WriteSyntheticTrace(path, {.seed = 1}, 3000, {100, 1}).ok());
  std::ifstream in(path, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(in), {});
  for (const size_t length : {bytes.size() - 1, bytes.size() / 2, size_t{9}}) {
    std::ofstream(path, std::ios::binary) << bytes.substr(0, length);
    const auto cut_off = CutTrace(path, out, {.from_event = 5});
    EXPECT_EQ(cut_off.status().code(), absl::StatusCode::kDataLoss) << length;
    EXPECT_THAT(std::string(cut_off.status().message()), HasSubstr(path + ": offset "));
  }
  bytes[bytes.size() / 2] ^= 1;
  std::ofstream(path, std::ios::binary) << bytes;
  const auto damaged = CutTrace(path, out, {.from_event = 5});
  EXPECT_THAT(std::string(damaged.status().message()), HasSubstr(path + ": offset "));
  EXPECT_FALSE(std::ifstream(out).good());
}

}  // namespace
}  // namespace reheap
