// A program's own mappings, from the program to the replay: recorded without those of its malloc, its loader and its
// thread library, replayed beside a heap in both worlds to the same byte, and carried to other platforms.
#include <fstream>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "proto/report.pb.h"
#include "sim/replay/replay_request.h"
#include "tests/e2e/record_fixture.h"

namespace reheap {
namespace {

struct Counts {
  uint64_t maps, unmaps, protects, advices, remaps, breaks, threads;
};

class ForeignTest : public RecordTest {
 protected:
  // Records the program; its trace and what it counted of itself.
  std::string Record(Counts* counts) {
    const std::string counts_path = (directory_ / "mapper_counts").string();
    setenv("MAPPER_COUNTS", counts_path.c_str(), 1);
    const RecordResult result = RecordTest::Record(Options({Program("mapper")}));
    EXPECT_TRUE(WIFEXITED(result.wait_status) && WEXITSTATUS(result.wait_status) == 0) << result.wait_status;
    ExpectSoundAndComplete(result);
    std::ifstream(counts_path) >> counts->maps >> counts->unmaps >> counts->protects >> counts->advices >>
        counts->remaps >> counts->breaks >> counts->threads;
    return result.processes.at(0).path;
  }

  static proto::Report Replay(const ReplayRequest& request) {
    const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : proto::Report();
  }
};

TEST_F(ForeignTest, TheTraceHasTheProgramsOwnCallsAndNobodyElses) {
  Counts counts;
  const std::string trace = Record(&counts);
  absl::StatusOr<TraceInfo> info = ReadTraceInfo(trace);
  ASSERT_TRUE(info.ok()) << info.status();
  const auto events = [&](EventKind kind) { return info->events_by_kind[static_cast<size_t>(kind)]; };
  EXPECT_EQ(events(EventKind::kMap), counts.maps) << "malloc's, the loader's and pthread_create's are not there";
  EXPECT_EQ(events(EventKind::kUnmap), counts.unmaps);
  EXPECT_EQ(events(EventKind::kProtect), counts.protects);
  EXPECT_EQ(events(EventKind::kAdvise), counts.advices);
  EXPECT_EQ(events(EventKind::kRemap), counts.remaps);
  EXPECT_EQ(events(EventKind::kBreak), counts.breaks);
  EXPECT_EQ(events(EventKind::kThreadStart), counts.threads + 1);
}

TEST_F(ForeignTest, BothWorldsReplayThemToTheSameByte) {
  Counts counts;
  ReplayRequest request;
  request.trace_path = Record(&counts);
  request.strategies = {"go-2010-radix", "go-1.11-sparse"};
  request.real = request.virtual_world = true;
  request.platforms = {"linux-amd64"};
  request.touch = "full";
  request.measure_lookup = false;
  const proto::Report report = Replay(request);
  ASSERT_EQ(report.runs_size(), 4);
  for (int i = 0; i < 4; i += 2) {
    const proto::Run& real = report.runs(i);
    const proto::Run& model = report.runs(i + 1);
    EXPECT_EQ(real.outcome(), proto::SURVIVED);
    EXPECT_EQ(real.peak_vsize_bytes(), model.peak_vsize_bytes());
    EXPECT_EQ(real.peak_rss_bytes(), model.peak_rss_bytes());
    EXPECT_EQ(real.foreign().DebugString(), model.foreign().DebugString());
    EXPECT_EQ(real.foreign().refused(), 0u);
    EXPECT_EQ(real.foreign().outside(), 0u) << "each call is about a mapping of the trace";
    EXPECT_EQ(real.foreign().calls(),
              counts.maps + counts.unmaps + counts.protects + counts.advices + counts.remaps + counts.breaks);
    EXPECT_GE(real.foreign().stacks(), 1u);
    EXPECT_LE(real.foreign().stacks(), counts.threads);
    // 64 MiB reserved and a stack of 8 MiB at the least.
    EXPECT_GT(real.foreign().peak_bytes(), 72 * kMiB);
    EXPECT_GT(real.peak_vsize_bytes(), real.foreign().peak_bytes());
  }
}

TEST_F(ForeignTest, OtherPlatformsGetTheProgramsSizesAndMappings) {
  Counts counts;
  ReplayRequest request;
  request.trace_path = Record(&counts);
  request.strategies = {"go-1.11-sparse"};
  request.virtual_world = true;
  request.platforms = {"linux-amd64", "freebsd-amd64", "openbsd-amd64", "darwin-amd64-12", "windows-amd64"};
  const proto::Report report = Replay(request);
  ASSERT_EQ(report.runs_size(), 5);
  EXPECT_EQ(report.runs(0).image(), "trace");
  for (const proto::Run& run : report.runs()) {
    SCOPED_TRACE(run.platform());
    EXPECT_EQ(run.outcome(), proto::SURVIVED) << run.refusal().ShortDebugString();
    // Where the break has no room above it, or is none, its steps are mapped.
    EXPECT_GE(run.foreign().mapped(), report.runs(0).foreign().mapped());
    EXPECT_LE(run.foreign().mapped(), report.runs(0).foreign().mapped() + counts.breaks);
    EXPECT_EQ(run.foreign().refused(), 0u);
    EXPECT_GT(run.image_vsize_bytes(), kMiB) << "its libraries are there";
    if (&run != &report.runs(0)) {
      EXPECT_EQ(run.image(), "platform, with the sizes of the trace's");
    }
  }
  request.image = "perl";
  request.platforms = {"linux-amd64", "freebsd-amd64"};
  const proto::Report perl = Replay(request);
  EXPECT_EQ(perl.runs(0).image(), "image perl");
  EXPECT_EQ(perl.runs(1).image(), "platform, with the sizes of image perl of linux-amd64");
  request.foreign = "ignore";
  EXPECT_FALSE(Replay(request).runs(0).has_foreign());
}

}  // namespace
}  // namespace reheap
