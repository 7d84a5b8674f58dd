// The smallest limits under which programs start, and the address space that they show, against what was
// measured on the originals: limits.csv.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/story/history/history_run.h"
#include "tests/story/history/table.h"

namespace reheap {
namespace {

HistoryProgram ProgramOf(const TableRow& row) {
  HistoryProgram program;
  program.strategy = row.text("strategy");
  program.image = row.text("image");
  program.libraries_bytes = row.number("libraries_kib") * kKiB;
  program.data_bytes = row.number("data_kib") * kKiB;
  program.threads = static_cast<uint32_t>(row.number("threads"));
  return program;
}

TEST(HistoryTest, SmallestLimitsAndPeaksOfHelloWorld) {
  for (const TableRow& row : ReadTable("limits.csv")) {
    const ReplayRequest request = RequestFor(ProgramOf(row));
    const uint64_t measured = row.number("measured_kib");
    // One percent, or what the search on the original could tell apart: 256 kB, 0.4 %.
    uint64_t tolerance = std::max<uint64_t>(measured / 100, 256);
    uint64_t got = 0;
    if (row.text("figure") == "peak") {
      const proto::Run run = RunHistory(request);
      got = (run.image_vsize_bytes() + run.peak_vsize_bytes()) / kKiB;
      tolerance = measured / 100;
    } else {
      const bool of_data = row.text("figure") == "ulimit -d";
      EXPECT_TRUE(of_data || row.text("figure") == "ulimit -v") << row.where;
      const auto smallest = SmallestLimit(request, of_data, std::max<uint64_t>(measured / 2000, 4) * kKiB);
      ASSERT_TRUE(smallest.has_value()) << row.where;
      got = *smallest / kKiB;
    }
    Compare(row, measured, tolerance, got);
  }
}

}  // namespace
}  // namespace reheap
