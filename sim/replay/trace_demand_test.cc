// What a trace asks of any heap: the moment of most live bytes, and objects by size class.
#include "sim/replay/trace_demand.h"

#include <gtest/gtest.h>

#include "traces/trace_builder.h"

namespace reheap {
namespace {

TEST(TraceDemandTest, TheFirstMomentOfMostLiveBytes) {
  TraceBuilder builder;
  builder.Thread(0).Malloc(0, 1000).Malloc(1, 500).Free(0);  // 1,500 after two events
  builder.Malloc(0, 400).Malloc(2, 600);                     // 1,500 again
  builder.Free(0).Free(1).Free(2);
  const std::string path = testing::TempDir() + "/peak.trace";
  ASSERT_TRUE(builder.WriteTo(path).ok());
  const absl::StatusOr<TraceDemand> demand = ReadDemand(path, false);
  ASSERT_TRUE(demand.ok()) << demand.status();
  EXPECT_EQ(demand->events_at_peak, 2u);
  EXPECT_EQ(demand->peak_live_bytes, 1500u);
  EXPECT_EQ(demand->events, 8u);
}

TEST(TraceDemandTest, ObjectsBySizeClass) {
  TraceBuilder builder;
  builder.Thread(0).Malloc(0, 8).Malloc(1, 8).Malloc(2, 1).Malloc(3, 40000);
  builder.Free(0).Free(1).Free(2).Free(3);
  const std::string path = testing::TempDir() + "/classes.trace";
  ASSERT_TRUE(builder.WriteTo(path).ok());
  const absl::StatusOr<TraceDemand> demand = ReadDemand(path, false);
  ASSERT_TRUE(demand.ok()) << demand.status();
  for (const uint32_t shift : {12u, 13u}) {
    const std::vector<uint64_t>& counts = demand->allocations(shift);
    const SizeClasses& classes = SizeClasses::ForHeapPageShift(shift);
    ASSERT_EQ(counts.size(), static_cast<size_t>(classes.count()));
    EXPECT_EQ(counts[static_cast<size_t>(classes.ClassFor(8))], 3u) << "a byte is an object of 8 bytes";
    EXPECT_EQ(counts[0], 1u);
  }
}

TEST(TraceDemandTest, AMissingTraceIsAnError) {
  EXPECT_FALSE(ReadDemand(testing::TempDir() + "/none.trace", false).ok());
}

}  // namespace
}  // namespace reheap
