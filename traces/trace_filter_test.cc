#include "traces/trace_filter.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "traces/edited_trace_for_tests.h"
#include "traces/synthetic_trace.h"
#include "traces/trace_builder.h"

namespace reheap {
namespace {

using testing::Contains;
using testing::ElementsAreArray;
using testing::HasSubstr;

std::string Temp(const std::string& name) { return testing::TempDir() + "/" + name; }

TraceFile Filter(const TraceBuilder& source, const TraceFilterOptions& options,
                 TraceFilterReport* counted = nullptr) {
  EXPECT_TRUE(source.WriteTo(Temp("source.trace"), {3, 1}).ok());
  const auto report = FilterTrace(Temp("source.trace"), Temp("filtered.trace"), options);
  EXPECT_TRUE(report.ok()) << report.status();
  if (counted != nullptr && report.ok()) *counted = *report;
  return ReadSoundTrace(Temp("filtered.trace"));
}

TEST(TraceFilterTest, AnObjectGoesWithTheThreadThatAllocatesItWhoeverFreesIt) {
  TraceBuilder source;
  source.ThreadStart().Malloc(0, 10).Malloc(1, 20).FreeNull();
  source.Thread(1).ThreadStart().Malloc(2, 30).Realloc(2, 35).FreeNull().FailedMalloc(1ull << 50);
  source.Thread(0).Free(2).Thread(1).Free(0).ThreadEnd();
  source.Thread(2).ThreadStart().Malloc(2, 1).ThreadEnd().Thread(0).ThreadEnd();
  TraceFilterReport counted;
  const TraceFile filtered = Filter(source, {.threads = {1}}, &counted);
  TraceBuilder expected;  // its thread 0 is the source's 1; its 1 the source's 0, which starts with its first
                          // kept event
  expected.ThreadStart().Malloc(0, 30).Realloc(0, 35).FreeNull().FailedMalloc(1ull << 50);
  expected.Thread(1).ThreadStart().Free(0).Thread(0).ThreadEnd().Thread(1).ThreadEnd();
  EXPECT_THAT(filtered.events, ElementsAreArray(expected.events()));
  EXPECT_EQ(filtered.trailer.threads(0).tid(), 101);
  EXPECT_EQ(filtered.trailer.threads(1).tid(), 100);
  EXPECT_EQ(counted.objects, 4u);
  EXPECT_EQ(counted.kept_objects, 1u);
  EXPECT_EQ(counted.kept_frees_by_others, 1u);
}

TEST(TraceFilterTest, TheSizeAtAllocationDecidesAndResizesAcrossABoundAreCounted) {
  TraceBuilder source;
  source.Malloc(0, 99).Malloc(1, 100).Malloc(2, 200).Malloc(3, 201).FreeNull().FailedMalloc(150).FailedMalloc(
      1000);
  source.Realloc(0, 150).Realloc(1, 5).Realloc(1, 6).Realloc(2, 100).Realloc(3, 300);
  source.Event({EventKind::kResize, CallKind::kRealloc, true, 0, 2, 1 << 20});  // failed: it stays
  source.Free(0).Free(1).Free(2).Free(3);
  TraceFilterReport counted;
  const TraceFile filtered = Filter(source, {.min_size_bytes = 100, .max_size_bytes = 200}, &counted);
  TraceBuilder expected;
  expected.Malloc(0, 100).Malloc(1, 200).FailedMalloc(150).Realloc(0, 5).Realloc(0, 6).Realloc(1, 100);
  expected.Event({EventKind::kResize, CallKind::kRealloc, true, 0, 1, 1 << 20}).Free(0).Free(1);
  EXPECT_THAT(filtered.events, ElementsAreArray(expected.events()));
  EXPECT_EQ(counted.crossing_resizes, 2u);
}

TEST(TraceFilterTest, AddressSpaceCallsAreTheProcessesAndSamplesAreOfAllObjects) {
  TraceBuilder source;
  source.header().set_writer("reheap record");
  source.header().add_mappings()->set_end(4096);
  source.Malloc(0, 1)
      .Thread(1)
      .Map(0x1000, 0x1000, 3, 0x22)
      .MemorySample(5, 5)
      .Thread(0)
      .Malloc(1, 100)
      .Unmap(0x1000, 0x1000);
  const TraceFile kept = Filter(source, {.min_size_bytes = 50, .how = "reheap trace filter --min-size 50"});
  TraceBuilder expected;
  expected.Map(0x1000, 0x1000, 3, 0x22).Thread(1).Malloc(0, 100).Unmap(0x1000, 0x1000);
  EXPECT_THAT(kept.events, ElementsAreArray(expected.events()));
  EXPECT_EQ(kept.header.mappings_size(), 1);
  EXPECT_EQ(kept.header.writer(), "reheap trace filter --min-size 50, of: reheap record");

  const TraceFile without = Filter(source, {.mappings = false});
  EXPECT_THAT(without.events, ElementsAreArray(TraceBuilder().Malloc(0, 1).Malloc(1, 100).events()));
  EXPECT_EQ(without.header.mappings_size(), 0);
  EXPECT_THAT(without.header.unknown(), Contains("mappings"));
  EXPECT_THAT(without.header.unknown(), Contains("address space"));
}

TEST(TraceFilterTest, ThreadsShareOutTheObjectsOfARealTrace) {
  const std::string path = "traces/corpus/surfaceflinger_head.v1.trace";
  const proto::TraceTrailer whole = ReadTrace(path).trailer;
  uint64_t allocations = 0, bytes = 0, frees = 0;
  for (uint32_t thread = 0; thread < static_cast<uint32_t>(whole.threads_size()); ++thread) {
    ASSERT_TRUE(FilterTrace(path, Temp("one.trace"), {.threads = {thread}}).ok());
    const TraceFile one = ReadSoundTrace(Temp("one.trace"));
    for (const TraceEvent& event : one.events) {
      allocations += event.kind == EventKind::kAllocate ? 1 : 0;
      frees += event.kind == EventKind::kFree ? 1 : 0;
    }
    bytes += one.trailer.allocated_bytes();
    EXPECT_LE(one.trailer.slot_count(), one.trailer.peak_live_objects());
  }
  EXPECT_EQ(allocations, whole.events_by_kind(0));
  EXPECT_EQ(frees, whole.events_by_kind(1));
  EXPECT_EQ(bytes, whole.allocated_bytes());
}

TEST(TraceFilterTest, SizesShareOutASyntheticTrace) {
  const std::string path = Temp("sizes.trace");
  ASSERT_TRUE(WriteSyntheticTrace(path, {.seed = 9, .live_target_bytes = 1 << 20, .threads = 3}, 20000).ok());
  const auto small = FilterTrace(path, Temp("small.trace"), {.max_size_bytes = 999});
  const auto large = FilterTrace(path, Temp("large.trace"), {.min_size_bytes = 1000});
  ASSERT_TRUE(small.ok() && large.ok());
  EXPECT_EQ(small->kept_events + large->kept_events, 20000u);
  EXPECT_EQ(small->kept_objects + large->kept_objects, small->objects);
  EXPECT_EQ(ReadSoundTrace(Temp("small.trace")).trailer.allocated_bytes() +
                ReadSoundTrace(Temp("large.trace")).trailer.allocated_bytes(),
            ReadTrace(path).trailer.allocated_bytes());
}

TEST(TraceFilterTest, AThreadThatIsNotThereIsUnfit) {
  ASSERT_TRUE(TraceBuilder().Malloc(0, 1).Thread(1).Free(0).WriteTo(Temp("two.trace")).ok());
  const auto report = FilterTrace(Temp("two.trace"), Temp("none.trace"), {.threads = {1, 2}});
  EXPECT_EQ(report.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(report.status().message()),
              HasSubstr("there is no thread 2; they count from 0, and it has 2"));
}

}  // namespace
}  // namespace reheap
