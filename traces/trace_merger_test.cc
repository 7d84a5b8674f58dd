#include "traces/trace_merger.h"

#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "traces/edited_trace_for_tests.h"
#include "traces/synthetic_trace.h"
#include "traces/trace_builder.h"

namespace reheap {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;

constexpr uint64_t kMove = uint64_t{1} << 56;

std::string Temp(const std::string& name) { return testing::TempDir() + "/" + name; }

TraceFile Merge(const TraceBuilder& a, const TraceBuilder& b, const TraceMergeOptions& options = {}) {
  EXPECT_TRUE(a.WriteTo(Temp("a.trace"), {2, 1}).ok());
  EXPECT_TRUE(b.WriteTo(Temp("b.trace"), {3, 1}).ok());
  const auto report = MergeTraces({Temp("a.trace"), Temp("b.trace")}, Temp("merged.trace"), options);
  EXPECT_TRUE(report.ok()) << report.status();
  return ReadSoundTrace(Temp("merged.trace"));
}

absl::Status Refusal(const TraceBuilder& a, const TraceBuilder& b, const TraceMergeOptions& options = {}) {
  EXPECT_TRUE(a.WriteTo(Temp("a.trace")).ok());
  EXPECT_TRUE(b.WriteTo(Temp("b.trace")).ok());
  return MergeTraces({Temp("a.trace"), Temp("b.trace")}, Temp("refused.trace"), options).status();
}

TEST(TraceMergerTest, ByTimeThenByTheOrderOfTheTracesWithThreadsAndSlotsOfAll) {
  TraceBuilder a, b;
  a.Time(10).Malloc(0, 1).Time(20).Malloc(1, 2).Time(40).Free(0).Malloc(0, 5);
  b.Time(10).Malloc(0, 11).Time(15).Malloc(1, 12).Time(20).Free(0).Thread(1).Time(40).Free(1);
  const TraceFile merged = Merge(a, b);
  TraceBuilder expected;
  expected.Time(10).Malloc(0, 1).Thread(1).Malloc(1, 11).Time(15).Malloc(2, 12);
  expected.Thread(0).Time(20).Malloc(3, 2).Thread(1).Free(1);
  expected.Thread(0).Time(40).Free(0).Malloc(0, 5).Thread(2).Free(2);
  EXPECT_THAT(merged.events, ElementsAreArray(expected.events()));
  EXPECT_EQ(merged.trailer.slot_count(), 4u);
  ASSERT_EQ(merged.trailer.threads_size(), 3);
  EXPECT_EQ(merged.trailer.threads(0).tid(), 100);
  EXPECT_EQ(merged.trailer.threads(1).tid(), 100);
  EXPECT_EQ(merged.trailer.threads(1).generation(), 1u) << "both traces have a (100, 0)";
}

TEST(TraceMergerTest, WallClocksAreAlignedByTheStartTimes) {
  TraceBuilder a, b;
  a.header().mutable_process()->set_start_time_unix_ns(5'000'100);
  b.header().mutable_process()->set_start_time_unix_ns(5'000'000);
  a.header().set_time_resolution_ns(1'000);
  a.Time(0).Malloc(0, 1).Time(50).Free(0);
  b.Time(90).Malloc(0, 2).Time(120).Free(0);
  const TraceFile merged = Merge(a, b, {.clock = MergeClock::kWall});
  TraceBuilder expected;
  expected.Time(90)
      .Malloc(0, 2)
      .Thread(1)
      .Time(100)
      .Malloc(1, 1)
      .Thread(0)
      .Time(120)
      .Free(0)
      .Thread(1)
      .Time(150)
      .Free(1);
  EXPECT_THAT(merged.events, ElementsAreArray(expected.events()));
  EXPECT_EQ(merged.header.process().start_time_unix_ns(), 5'000'000u);
  EXPECT_EQ(merged.header.time_resolution_ns(), 1u);
  EXPECT_EQ(Merge(a, b).header.process().start_time_unix_ns(), 0u)
      << "begun together, they began at no time of day";

  TraceBuilder without;
  without.Malloc(0, 1).Time(5).Free(0);
  const absl::Status refusal = Refusal(a, without, {.clock = MergeClock::kWall});
  EXPECT_EQ(refusal.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refusal.message()), HasSubstr("b.trace: its header does not say when"));
}

TEST(TraceMergerTest, TracesWithoutTimesAreMergedByPositionOnly) {
  TraceBuilder a, b;
  a.Malloc(0, 1).Free(0);
  b.Malloc(0, 11).Malloc(1, 12).Malloc(2, 13).Malloc(3, 14);
  const absl::Status refusal = Refusal(a, b);
  EXPECT_EQ(refusal.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refusal.message()), HasSubstr("a.trace: it has no times"));
  const TraceFile merged = Merge(a, b, {.clock = MergeClock::kPosition});
  TraceBuilder expected;
  expected.Malloc(0, 1)
      .Thread(1)
      .Malloc(1, 11)
      .Malloc(2, 12)
      .Thread(0)
      .Free(0)
      .Thread(1)
      .Malloc(0, 13)
      .Malloc(3, 14);
  EXPECT_THAT(merged.events, ElementsAreArray(expected.events()));
  EXPECT_THAT(merged.header.unknown(), Contains("time"));
}

TEST(TraceMergerTest, AddressesOfFurtherTracesAreMovedWhereNothingClashes) {
  TraceBuilder a, b;
  a.Time(1).Map(0x10000, 0x1000, 3, 0x22).Break(0x5000).Break(0x6000);
  b.Time(2).Map(0x10000, 0x2000, 3, 0x22).MemorySample(1, 2).Break(0x8000).Break(0x7000);
  TraceEvent remap;
  remap.kind = EventKind::kRemap;
  remap.address = 0x10000;
  remap.alignment = 0x2000;
  remap.argument = 0x30000;
  remap.size = 0x4000;
  remap.time_ns = 3;
  b.Event(remap);
  const TraceFile merged = Merge(a, b);
  remap.address += kMove;
  remap.argument += kMove;
  remap.thread = 1;
  TraceBuilder expected;
  const auto step = [&](uint64_t address, uint64_t bytes, uint32_t thread, uint64_t time_ns) {
    TraceEvent event;
    event.kind = EventKind::kBreak;
    event.address = address;
    event.argument = bytes;
    event.thread = thread;
    event.time_ns = time_ns;
    expected.Event(event);
  };
  expected.Time(1).Map(0x10000, 0x1000, 3, 0x22).Break(0x5000);
  step(0x6000, 0x1000, 0, 1);
  expected.Time(2).Thread(1).Map(kMove + 0x10000, 0x2000, 3, 0x22).Break(kMove + 0x8000);
  step(kMove + 0x7000, ~uint64_t{0xfff}, 1, 2);
  expected.Event(remap);
  EXPECT_THAT(merged.events, ElementsAreArray(expected.events()));

  const auto again = MergeTraces({Temp("a.trace"), Temp("merged.trace")}, Temp("again.trace"), {});
  EXPECT_THAT(std::string(again.status().message()),
              HasSubstr("merged.trace: event 3: address 0x100000000010000"));
}

TEST(TraceMergerTest, TheHeaderSaysWhatIsTrueOfAllAndNoMore) {
  TraceBuilder a, b;
  a.header().set_writer("reheap record");
  a.header().mutable_process()->set_program("/bin/a");
  a.header().mutable_process()->add_arguments("secret");
  a.header().mutable_process()->set_pid(7);
  a.header().mutable_process()->set_word_bits(32);
  a.header().mutable_process()->set_rlimit_as_bytes(1 << 30);
  a.header().mutable_host()->set_os_page_bytes(4096);
  a.header().add_mappings()->set_end(4096);
  b.header().set_writer("synthetic");
  b.header().mutable_process()->set_word_bits(64);
  b.header().add_unknown("alignment");
  a.Dropped(2).Time(1).Malloc(0, 1);
  b.Dropped(3).Time(1).Malloc(0, 1);
  const TraceFile merged = Merge(a, b, {.how = "reheap trace merge --align start"});
  EXPECT_EQ(merged.header.writer(), "reheap trace merge --align start, of: reheap record; synthetic");
  EXPECT_EQ(merged.header.process().program(), "");
  EXPECT_EQ(merged.header.process().arguments_size(), 0);
  EXPECT_EQ(merged.header.process().pid(), 0);
  EXPECT_EQ(merged.header.process().word_bits(), 64u);
  EXPECT_EQ(merged.header.process().rlimit_as_bytes(), 1u << 30);
  EXPECT_EQ(merged.header.mappings_size(), 1);
  EXPECT_THAT(merged.header.unknown(), ElementsAre("alignment", "program"));
  EXPECT_EQ(merged.trailer.dropped_events(), 5u);

  b.header().mutable_host()->set_os_page_bytes(16384);
  const absl::Status refusal = Refusal(a, b);
  EXPECT_EQ(refusal.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refusal.message()), HasSubstr("OS pages of 4096 bytes"));
}

TEST(TraceMergerTest, ManyTracesLoseNothing) {
  std::vector<std::string> paths = {"traces/corpus/surfaceflinger_head.v1.trace"};
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    paths.push_back(Temp("part" + std::to_string(seed)));
    ASSERT_TRUE(WriteSyntheticTrace(paths.back(), {.seed = seed, .live_target_bytes = 1 << 18, .threads = 3},
                                    3000 * seed)
                    .ok());
  }
  for (const MergeClock clock : {MergeClock::kPosition, MergeClock::kStart}) {
    if (clock == MergeClock::kStart) paths.erase(paths.begin());  // it has no times
    const auto report = MergeTraces(paths, Temp("many.trace"), {.clock = clock});
    ASSERT_TRUE(report.ok()) << report.status();
    const proto::TraceTrailer merged = ReadSoundTrace(Temp("many.trace")).trailer;
    uint64_t events = 0, bytes = 0, threads = 0, end_time_ns = 0;
    for (const std::string& path : paths) {
      const proto::TraceTrailer part = ReadTrace(path).trailer;
      events += part.events();
      bytes += part.allocated_bytes();
      threads += static_cast<uint64_t>(part.threads_size());
      end_time_ns = std::max(end_time_ns, part.end_time_ns());
    }
    EXPECT_EQ(merged.events(), events);
    EXPECT_EQ(merged.allocated_bytes(), bytes);
    EXPECT_EQ(static_cast<uint64_t>(merged.threads_size()), threads);
    EXPECT_EQ(merged.end_time_ns(), clock == MergeClock::kStart ? end_time_ns : 0);
    EXPECT_EQ(merged.slot_count(), merged.peak_live_objects());
  }
}

}  // namespace
}  // namespace reheap
