// A burst, freed, and then a quiet time: what becomes of RSS and commit charge under each release policy, in bytes
// that can be worked out by hand.
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "alloc/addr.h"
#include "proto/report.pb.h"
#include "proto/strategy.pb.h"
#include "sim/replay/replay_request.h"
#include "sim/strategies/strategy_catalog.h"
#include "traces/trace_builder.h"

namespace reheap {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kBurstBytes = 64 * kMiB;
constexpr uint64_t kGoneBytes = kBurstBytes - 4096;  // but for a page that the small object takes
constexpr uint64_t kBurstEvents = 3 * 64;
constexpr int kEventsPerSecond = 64;

// 64 objects of 1 MiB with something between them that stays, freed in the second second; from then on one small object
// comes and goes.
std::string BurstThenQuiet(int seconds, bool has_times = true) {
  TraceBuilder builder;
  builder.Thread(0);
  for (uint32_t i = 0; i < 64; ++i) builder.Malloc(i, kMiB).Malloc(64 + i, 40960);
  builder.Time(has_times ? kSecond : 0);
  for (uint32_t i = 0; i < 64; ++i) builder.Free(i);
  for (int n = 0; n < seconds * kEventsPerSecond / 2; ++n) {
    if (has_times) builder.Time(kSecond + static_cast<uint64_t>(n) * 2 * kSecond / kEventsPerSecond);
    builder.Malloc(0, 100).Free(0);
  }
  const std::string path = testing::TempDir() + "/burst.trace";
  EXPECT_TRUE(builder.WriteTo(path).ok());
  return path;
}

// The plan of February 2011 with another way to give memory back; a file.
std::string PretendWith(const std::string& release) {
  proto::Strategy text = LoadStrategy("go-2011-02-pretend")->text;
  text.set_name("mine");
  text.mutable_release()->Clear();
  EXPECT_TRUE(google::protobuf::TextFormat::MergeFromString(absl::StrCat("release { ", release, " }"), &text));
  std::string printed;
  EXPECT_TRUE(google::protobuf::TextFormat::PrintToString(text, &printed));
  const std::string path = testing::TempDir() + "/mine.textproto";
  std::ofstream(path) << printed;
  return path;
}

ReplayRequest Request(const std::string& strategy, int seconds) {
  ReplayRequest request;
  request.trace_path = BurstThenQuiet(seconds);
  request.strategies = {strategy};
  request.virtual_world = true;
  request.platforms = {"linux-amd64"};
  request.touch = "full";
  return request;
}

proto::Run Replay(const ReplayRequest& request) {
  const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
  if (!report.ok() || report->runs_size() != 1) {
    ADD_FAILURE() << report.status();
    return proto::Run();
  }
  EXPECT_EQ(report->runs(0).outcome(), proto::SURVIVED) << report->runs(0).ShortDebugString();
  EXPECT_GE(report->runs(0).peak_rss_bytes(), kBurstBytes);
  return report->runs(0);
}

// At the last point of the timeline that is no later than this second of the quiet time.
proto::TimelinePoint At(const proto::Run& run, int second) {
  proto::TimelinePoint at;
  for (const proto::TimelinePoint& point : run.timeline()) {
    if (point.event() <= kBurstEvents + static_cast<uint64_t>(second * kEventsPerSecond)) at = point;
  }
  return at;
}
uint64_t LastRss(const proto::Run& run) { return run.timeline(run.timeline_size() - 1).rss_bytes(); }
uint64_t LastCommit(const proto::Run& run) { return run.timeline(run.timeline_size() - 1).commit_bytes(); }

TEST(ReleaseTest, NeverKeepsAllOfIt) {
  const proto::Run run = Replay(Request("go-2011-02-pretend", 700));
  EXPECT_EQ(LastRss(run), run.peak_rss_bytes());
}

TEST(ReleaseTest, IdleKeepsItForFiveMinutes) {
  const proto::Run run = Replay(Request(PretendWith("policy: IDLE age_ms: 300000 tick_ms: 60000"), 700));
  EXPECT_EQ(At(run, 280).rss_bytes(), run.peak_rss_bytes());
  EXPECT_LE(LastRss(run), run.peak_rss_bytes() - kGoneBytes);
  EXPECT_EQ(LastCommit(run), run.peak_commit_bytes()) << "MADV_DONTNEED gives no charge back";
  EXPECT_EQ(run.peak_vsize_bytes(), run.timeline(run.timeline_size() - 1).vsize_bytes());
}

// At each point of the timeline as much is left as the curve allows, give or take a span and what was grown but never
// touched.
TEST(ReleaseTest, DecayFallsAlongTheCurve) {
  const proto::Run run = Replay(Request(PretendWith("policy: DECAY dirty_ms: 100000"), 200));
  EXPECT_LE(LastRss(run), run.peak_rss_bytes() - kGoneBytes);
  int between = 0;
  for (const proto::TimelinePoint& point : run.timeline()) {
    if (point.event() < kBurstEvents) continue;
    const double x = std::min(1.0, static_cast<double>(point.event() - kBurstEvents) / kEventsPerSecond / 100);
    const double left = 1 - (6 * std::pow(x, 5) - 15 * std::pow(x, 4) + 10 * std::pow(x, 3));
    EXPECT_NEAR(static_cast<double>(point.rss_bytes() - LastRss(run)), left * kBurstBytes, 2.5 * kMiB) << x;
    between += left > 0.1 && left < 0.9;
  }
  EXPECT_GE(between, 3);
}

TEST(ReleaseTest, GoalKeepsAPartOfWhatIsInUse) {
  const proto::Run run = Replay(Request(PretendWith("policy: GOAL keep_percent: 10 tick_ms: 1000"), 60));
  EXPECT_LE(LastRss(run), run.peak_rss_bytes() - kGoneBytes);
}

TEST(ReleaseTest, RateNeedsNoTime) {
  ReplayRequest request = Request(PretendWith("policy: RATE pages_freed_per_page: 1"), 1);
  request.trace_path = BurstThenQuiet(1, /*has_times=*/false);
  const proto::Run run = Replay(request);
  EXPECT_LE(LastRss(run), run.peak_rss_bytes() - kBurstBytes / 4);
}

TEST(ReleaseTest, ATraceWithoutTimesNeverComesToATick) {
  ReplayRequest request = Request(PretendWith("policy: IDLE tick_ms: 1000"), 60);
  request.trace_path = BurstThenQuiet(60, /*has_times=*/false);
  const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(LastRss(report->runs(0)), report->runs(0).peak_rss_bytes());
  ASSERT_EQ(report->notes_size(), 1);
  EXPECT_EQ(report->notes(0), "the trace has no times: mine, whose free memory goes back by time, gave none back");
}

// What DECOMMIT is for: a strict kernel charges what is writable.
TEST(ReleaseTest, DecommitGivesTheChargeBack) {
  for (const char* method : {"DISCARD", "DECOMMIT"}) {
    ReplayRequest request = Request(PretendWith(absl::StrCat("policy: IDLE tick_ms: 1000 method: ", method)), 60);
    request.overcommit_modes = {2};
    const proto::Run run = Replay(request);
    EXPECT_LE(LastRss(run), run.peak_rss_bytes() - kGoneBytes) << method;
    const uint64_t fallen_bytes = run.peak_commit_bytes() - LastCommit(run);
    if (std::string(method) == "DISCARD") {
      EXPECT_EQ(fallen_bytes, 0u);
    } else {
      EXPECT_GE(fallen_bytes, kGoneBytes);
    }
  }
}

TEST(ReleaseTest, TheRunningKernelSeesTheSame) {
  ReplayRequest request = Request(PretendWith("policy: IDLE age_ms: 10000 tick_ms: 1000 method: DECOMMIT"), 60);
  request.real = true;
  const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->runs_size(), 2);
  const proto::Run& real = report->runs(0);
  const proto::Run& model = report->runs(1);
  EXPECT_EQ(LastRss(real), LastRss(model));
  EXPECT_LE(LastRss(real), real.peak_rss_bytes() - kBurstBytes);
  EXPECT_EQ(real.os_calls(), model.os_calls());
}

}  // namespace
}  // namespace reheap
