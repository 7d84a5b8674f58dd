// What was measured and reported of the originals, against the model: each .csv of this folder is one test.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "sim/strategies/strategy_catalog.h"
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
  return program;
}

TEST(HistoryTest, SmallestLimitsAndPeaksOfHelloWorld) {
  for (const TableRow& row : ReadTable("limits.csv")) {
    HistoryProgram program = ProgramOf(row);
    program.threads = static_cast<uint32_t>(row.number("threads"));
    ReplayRequest request = RequestFor(program);
    if (row.has("ram_mib")) request.ram_bytes = {row.number("ram_mib") * kMiB};
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

// Blocks of 64 KiB until there are no more.
TEST(HistoryTest, UsableHeapUnderALimit) {
  for (const TableRow& row : ReadTable("usable_heap.csv")) {
    HistoryProgram program = ProgramOf(row);
    const uint64_t limit_mib = row.number("limit_mib");
    program.blocks = static_cast<uint32_t>(limit_mib * 16 + 16);
    ReplayRequest request = RequestFor(program);
    request.address_limits = {limit_mib * kMiB};
    const proto::Run run = RunHistory(request);
    const uint64_t measured = row.number("measured_mib");
    EXPECT_NE(run.outcome(), proto::SURVIVED) << row.where << ": it ends by a refusal";
    Compare(row, measured, std::max<uint64_t>(measured / 100, 1), run.peak_live_bytes() / kMiB);
  }
}

// A thousand blocks of 1 MiB, without a limit.
TEST(HistoryTest, AddressSpaceOfABigProgram) {
  for (const TableRow& row : ReadTable("blocks.csv")) {
    HistoryProgram program = ProgramOf(row);
    program.blocks = static_cast<uint32_t>(row.number("blocks"));
    program.block_bytes = row.number("block_kib") * kKiB;
    const proto::Run run = RunHistory(RequestFor(program));
    EXPECT_EQ(run.outcome(), proto::SURVIVED) << row.where;
    const uint64_t measured = row.number("measured_kib");
    Compare(row, measured, measured / 100, (run.image_vsize_bytes() + run.peak_vsize_bytes()) / kKiB);
  }
}

// The reservation of Go 1.0 under a limit, by the byte.
TEST(HistoryTest, ReservedBytesFollowTheLimitExactly) {
  for (const TableRow& row : ReadTable("reserved.csv")) {
    ReplayRequest request = RequestFor({row.text("strategy"), "linux-amd64", row.text("image")});
    request.address_limits = {row.number("limit_kib") * kKiB};
    const proto::Run run = RunHistory(request);
    const bool is_real = absl::StrContains(run.degraded_mode(), "32-bit path");
    const uint64_t measured = row.number("reserved_bytes");
    EXPECT_EQ(is_real, measured != 0) << row.where << ": '" << run.degraded_mode() << "'";
    // A real reservation shows; the rest that the start maps does not depend on it.
    if (!is_real) continue;
    ReplayRequest other = request;
    other.address_limits = {524288 * kKiB};
    EXPECT_EQ(run.peak_vsize_bytes() - RunHistory(other).peak_vsize_bytes() + 333508608, measured)
        << row.where;
  }
}

// One word for how a program fared.
std::string FateOf(const proto::Run& run) {
  switch (run.outcome()) {
    case proto::SURVIVED:
      return run.degraded_mode().empty() ? "lives" : "falls back";
    case proto::STARTUP_ABORT:
      return "startup abort";
    case proto::LATE_ABORT:
      return "late abort";
    case proto::CATCHABLE_ERROR:
      return "catchable error";
    case proto::DEGRADED:
      return "degraded";
    default:
      return proto::Outcome_Name(run.outcome());
  }
}

// `expected` of history; `model`: what the model gives where it differs, a known miss.
void CompareFate(const TableRow& row, const proto::Run& run) {
  const std::string fate = FateOf(run);
  const std::string told = row.where + ": " + run.refusal().ShortDebugString() + " " + run.degraded_mode();
  if (!row.has("model")) {
    EXPECT_EQ(fate, row.text("expected")) << told;
  } else {
    EXPECT_EQ(fate, row.text("model")) << told << ": the known miss has changed";
    EXPECT_NE(fate, row.text("expected")) << told << ": no longer a miss, take `model` out";
    EXPECT_TRUE(row.has("note")) << told << ": a miss says why";
  }
  if (row.has("rule")) {
    EXPECT_EQ(run.refusal().rule(), row.text("rule")) << told;
  }
}

// More is not always better.
TEST(HistoryTest, FatesUnderManyLimits) {
  for (const TableRow& row : ReadTable("fates.csv")) {
    ReplayRequest request = RequestFor(ProgramOf(row));
    request.address_limits = {row.number("limit_kib") * kKiB};
    request.ram_bytes = {row.number("ram_mib") * kMiB};
    CompareFate(row, RunHistory(request));
  }
}

TEST(HistoryTest, SomebodyIsThereFirst) {
  for (const TableRow& row : ReadTable("collisions.csv")) {
    HistoryProgram program{row.text("strategy"), "linux-amd64", row.text("image")};
    program.blocks = static_cast<uint32_t>(row.number("blocks"));
    ReplayRequest request = RequestFor(program);
    request.squatters = {{Addr(row.number("squatter")), 64 * kKiB}};
    CompareFate(row, RunHistory(request));
  }
}

// The cases that were reported in public. A row with `not_modelled` names what is missing, and runs nothing.
TEST(HistoryTest, ReportedCases) {
  std::set<uint64_t> seen;
  for (const TableRow& row : ReadTable("cases.csv")) {
    seen.insert(row.number("case"));
    if (row.has("not_modelled")) {
      EXPECT_TRUE(row.has("note")) << row.where;
      continue;
    }
    HistoryProgram program = ProgramOf(row);
    program.platform = row.text("platform");
    program.blocks = static_cast<uint32_t>(row.number("blocks"));
    program.threads = static_cast<uint32_t>(row.number("threads"));
    ReplayRequest request = RequestFor(program);
    if (row.has("limit_kib")) request.address_limits = {row.number("limit_kib") * kKiB};
    if (row.has("data_limit_kib")) request.data_limits = {row.number("data_limit_kib") * kKiB};
    if (row.has("overcommit")) request.overcommit_modes = {static_cast<int>(row.number("overcommit"))};
    if (row.has("ram_mib")) request.ram_bytes = {row.number("ram_mib") * kMiB};
    const proto::Run run = RunHistory(request);
    CompareFate(row, run);
    if (row.has("operation")) {
      EXPECT_EQ(run.refusal().operation(), row.text("operation")) << row.where;
    }
  }
  // Numbers of the collection; 9, 14, 15, 17, 18, 27, 30 and 33 are not in it in it.
  for (const uint64_t number : {1,  2,  3,  4,  5,  6,  7,  8,  10, 11, 12, 13, 16, 19, 20, 21, 22, 23,
                                24, 25, 26, 28, 29, 31, 32, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43}) {
    EXPECT_EQ(seen.count(number), 1u) << "case " << number << " is left out";
  }
}

}  // namespace
}  // namespace reheap
