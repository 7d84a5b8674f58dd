// The facts of a replay whose answers can be worked out by hand: which event made a peak, what lay in the
// heap then, who sat where at a refusal.
#include <gtest/gtest.h>

#include <string>

#include "alloc/addr.h"
#include "proto/report.pb.h"
#include "sim/replay/replay_child.h"
#include "sim/replay/replay_request.h"
#include "traces/trace_builder.h"

namespace reheap {
namespace {

// 100 objects of 1,000 bytes, then one of 8 MiB (event 100), freed; another thread makes one of 2 MiB (event
// 102).
std::string Trace() {
  TraceBuilder builder;
  builder.Thread(0);
  for (uint32_t i = 0; i < 100; ++i) builder.Malloc(i, 1000);
  builder.Malloc(100, 8 * kMiB).Free(100);
  builder.Malloc(101, 2 * kMiB).Free(101);  // no more than was there: the same thread, or its cache would be new pages
  for (uint32_t i = 0; i < 100; ++i) builder.Free(i);
  const std::string path = testing::TempDir() + "/facts.trace";
  EXPECT_TRUE(builder.WriteTo(path).ok());
  return path;
}

proto::Run Replay(ReplayRequest request) {
  const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
  if (!report.ok() || report->runs_size() != 1) {
    ADD_FAILURE() << report.status();
    return proto::Run();
  }
  return report->runs(0);
}

ReplayRequest Request() {
  ReplayRequest request;
  request.trace_path = Trace();
  request.strategies = {"go-2010-radix"};
  request.virtual_world = true;
  request.platforms = {"linux-amd64"};
  request.touch = "full";
  return request;
}

const proto::PeakCause& CauseOf(const proto::Run& run, const std::string& metric) {
  for (const proto::PeakCause& cause : run.peak_causes()) {
    if (cause.metric() == metric) return cause;
  }
  ADD_FAILURE() << "no cause of " << metric;
  return proto::PeakCause::default_instance();
}

TEST(RunFactsTest, TheLargeObjectMadeThePeaks) {
  const proto::Run run = Replay(Request());
  for (const char* metric : {"peak_rss_bytes", "peak_vsize_bytes", "peak_commit_bytes"}) {
    const proto::PeakCause& cause = CauseOf(run, metric);
    EXPECT_EQ(cause.event(), 100u) << metric;
    EXPECT_EQ(cause.call(), "malloc of 8.0 MiB by thread 0") << metric;
    EXPECT_EQ(cause.live_bytes(), 100 * 1000 + 8 * kMiB) << metric;
    EXPECT_FALSE(cause.sampled()) << metric;
    EXPECT_EQ(cause.call_site_size(), 0);
  }
  EXPECT_EQ(run.peak_live_bytes(), 100 * 1000 + 8 * kMiB);
}

TEST(RunFactsTest, WhatIsReservedAtStartupHasNoEvent) {
  ReplayRequest request = Request();
  request.strategies = {"go-2011-02-reserve17g"};
  const proto::Run run = Replay(request);
  EXPECT_FALSE(CauseOf(run, "peak_vsize_bytes").has_event());
  EXPECT_EQ(CauseOf(run, "peak_vsize_bytes").call(), "");
  EXPECT_EQ(CauseOf(run, "peak_rss_bytes").event(), 100u);
}

TEST(RunFactsTest, TheRealWorldKnowsTheEventOfVsizeAndBoundsThatOfRss) {
  ReplayRequest request = Request();
  request.virtual_world = false;
  request.real = true;
  request.platforms.clear();
  const proto::Run run = Replay(request);
  EXPECT_EQ(CauseOf(run, "peak_vsize_bytes").event(), 100u);
  EXPECT_FALSE(CauseOf(run, "peak_vsize_bytes").sampled());
  const proto::PeakCause& rss = CauseOf(run, "peak_rss_bytes");
  EXPECT_TRUE(rss.sampled());
  EXPECT_LE(rss.since_event(), 100u);
  EXPECT_GE(rss.event(), 100u);
  EXPECT_EQ(run.peak_causes_size(), 2) << "commit charge and the moment of most mappings are not known there";
  EXPECT_EQ(run.address_space().when(), "at the end");
  for (const proto::SpacePiece& piece : run.address_space().pieces()) EXPECT_EQ(piece.holder(), "heap");
}

TEST(RunFactsTest, AnotherMallocIsSampledAndItsHeapIsNotSeen) {
  ReplayRequest request = Request();
  request.virtual_world = false;
  request.real = true;
  request.strategies.clear();
  request.platforms.clear();
  request.targets = {"malloc:glibc"};
  const proto::Run run = Replay(request);
  const proto::PeakCause& rss = CauseOf(run, "peak_rss_bytes");
  EXPECT_LE(rss.since_event(), 100u);
  EXPECT_GE(rss.event(), 100u);
  EXPECT_FALSE(run.has_fragmentation());
  EXPECT_EQ(run.size_classes_size(), 0);
  EXPECT_GT(run.address_space().pieces_size(), 0);
}

TEST(RunFactsTest, WhatLayInTheHeapWhenMostWasAlive) {
  const proto::Run run = Replay(Request());
  const proto::Fragmentation& fragmentation = run.fragmentation();
  EXPECT_EQ(fragmentation.events(), 101u);
  EXPECT_EQ(fragmentation.live_bytes(), 100 * 1000 + 8 * kMiB);
  EXPECT_EQ(fragmentation.rounded_bytes(), 100 * 1024 + 8 * kMiB) << "1,000 bytes take an object of 1,024";
  EXPECT_GE(fragmentation.span_bytes(), fragmentation.rounded_bytes());
  EXPECT_GE(fragmentation.heap_bytes(), fragmentation.span_bytes());
  EXPECT_GT(fragmentation.table_bytes(), 0u);
  ASSERT_EQ(run.size_classes_size(), 2);
  const proto::SizeClassUse& large = run.size_classes(0);
  EXPECT_EQ(large.object_bytes(), 0u);
  EXPECT_EQ(large.allocations(), 2u);
  EXPECT_EQ(large.live_objects(), 1u);
  EXPECT_EQ(large.requested_bytes(), 8 * kMiB);
  EXPECT_EQ(large.span_bytes(), 8 * kMiB);
  const proto::SizeClassUse& small = run.size_classes(1);
  EXPECT_EQ(small.object_bytes(), 1024u);
  EXPECT_EQ(small.allocations(), 100u);
  EXPECT_EQ(small.live_objects(), 100u);
  EXPECT_EQ(small.requested_bytes(), 100 * 1000u);
  EXPECT_EQ(large.span_bytes() + small.span_bytes(), fragmentation.span_bytes());
}

TEST(RunFactsTest, ADeathLeavesThePictureOfItsMoment) {
  ReplayRequest request = Request();
  request.address_limits = {10 * kMiB};
  const proto::Run run = Replay(request);
  ASSERT_EQ(run.outcome(), proto::LATE_ABORT) << run.ShortDebugString();
  EXPECT_EQ(run.refusal().event(), 100u);
  EXPECT_EQ(run.refusal().call(), "malloc of 8.0 MiB by thread 0");
  EXPECT_EQ(run.fragmentation().events(), 100u) << "at the end: the moment of most live bytes never came";
  EXPECT_EQ(run.fragmentation().live_bytes(), 100 * 1000u);
  for (const proto::SizeClassUse& use : run.size_classes()) EXPECT_FALSE(use.has_allocations());
  EXPECT_EQ(run.address_space().when(), "at the refusal");
  uint64_t mapped_bytes = 0, heap_bytes = 0;
  for (const proto::SpacePiece& piece : run.address_space().pieces()) {
    mapped_bytes += piece.end() - piece.start();
    if (piece.holder() == "heap") heap_bytes += piece.end() - piece.start();
  }
  EXPECT_EQ(mapped_bytes, run.refusal().in_use_bytes());
  EXPECT_EQ(run.address_space().user_end(), 0x7ffffffff000u);
  EXPECT_GT(heap_bytes, 0u);
}

TEST(RunFactsTest, AStartupAbortHasNoHeapToLookInto) {
  ReplayRequest request = Request();
  request.strategies = {"go-2011-02-reserve17g"};
  request.address_limits = {4 * kGiB};
  const proto::Run run = Replay(request);
  ASSERT_EQ(run.outcome(), proto::STARTUP_ABORT);
  EXPECT_FALSE(run.has_fragmentation());
  EXPECT_EQ(run.refusal().call(), "");
  EXPECT_EQ(run.address_space().when(), "at the refusal");
}

TEST(RunFactsTest, EachFactSaysWhereItComesFrom) {
  const proto::Run run = Replay(Request());
  for (const char* metric : {"peak_causes", "fragmentation", "size_classes", "address_space"}) {
    bool found = false;
    for (const proto::MetricProvenance& entry : run.provenance()) {
      found = found || (entry.metric() == metric && entry.provenance() == proto::MODELLED);
    }
    EXPECT_TRUE(found) << metric;
  }
}

}  // namespace
}  // namespace reheap

// Another malloc runs in a process that this one execs.
int main(int argc, char** argv) {
  reheap::MaybeRunReplayWorker(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
