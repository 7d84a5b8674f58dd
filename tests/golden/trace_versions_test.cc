// A trace written by each version of the format is kept for ever in traces/corpus and must be read for ever: the events
// of the kept file equal those of the text that it was imported from.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "traces/importers/android_importer.h"
#include "traces/trace_cursor.h"

namespace reheap {
namespace {

std::vector<TraceEvent> EventsOf(const std::string& path) {
  absl::StatusOr<std::unique_ptr<TraceCursor>> cursor = TraceCursor::Open(path);
  EXPECT_TRUE(cursor.ok()) << cursor.status();
  std::vector<TraceEvent> all;
  if (!cursor.ok()) return all;
  std::vector<TraceEvent> batch(1000);
  for (;;) {
    const absl::StatusOr<size_t> count = (*cursor)->NextBatch(batch.data(), batch.size());
    EXPECT_TRUE(count.ok()) << count.status();
    if (!count.ok() || *count == 0) return all;
    all.insert(all.end(), batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(*count));
  }
}

TEST(TraceVersionsTest, VersionOneIsStillRead) {
  const std::string today = testing::TempDir() + "/today.trace";
  ASSERT_TRUE(ImportAndroidTrace("traces/corpus/surfaceflinger_head.txt", today).ok());
  const std::vector<TraceEvent> expected = EventsOf(today);
  const std::vector<TraceEvent> kept = EventsOf("traces/corpus/surfaceflinger_head.v1.trace");
  ASSERT_EQ(expected.size(), 20000u);
  ASSERT_EQ(kept.size(), expected.size());
  for (size_t i = 0; i < kept.size(); ++i) ASSERT_EQ(kept[i], expected[i]) << "event " << i;
}

}  // namespace
}  // namespace reheap
