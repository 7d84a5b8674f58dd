#include "sim/metrics/metric_sink.h"

#include <gtest/gtest.h>

namespace reheap {
namespace {

OsUsage Usage(uint64_t vsize, uint64_t rss) {
  OsUsage usage;
  usage.vsize_bytes = vsize;
  usage.rss_anonymous_bytes = rss;
  return usage;
}

TEST(MetricSinkTest, PeaksAreAboveTheBaselineAndNeverBelowZero) {
  MetricSink sink;
  sink.SetBaseline(Usage(1000, 100));
  sink.Sample(Usage(1500, 90));
  sink.Sample(Usage(1200, 130));
  EXPECT_EQ(sink.peak().vsize_bytes, 500u);
  EXPECT_EQ(sink.peak().rss_anonymous_bytes, 30u);
  EXPECT_EQ(sink.last().vsize_bytes, 200u);
}

TEST(MetricSinkTest, CommitAndMappingsHavePeaksToo) {
  const auto usage = [](uint64_t commit, uint64_t mappings) {
    OsUsage now;
    now.commit_bytes = commit;
    now.mapping_count = mappings;
    return now;
  };
  MetricSink sink;
  sink.SetBaseline(usage(100, 10));
  sink.Sample(usage(700, 12));
  sink.Sample(usage(400, 11));
  EXPECT_EQ(sink.peak().commit_bytes, 600u);
  EXPECT_EQ(sink.peak().mapping_count, 2u);
  EXPECT_EQ(sink.last().commit_bytes, 300u);
  EXPECT_EQ(sink.last().mapping_count, 1u);
  sink.AddPoint(5, 77);
  EXPECT_EQ(sink.point(0).event, 5u);
  EXPECT_EQ(sink.point(0).live_bytes, 77u);
  EXPECT_EQ(sink.point(0).commit_bytes, 300u);
}

TEST(MetricSinkTest, ALongTimelineKeepsItsFirstPointAndEvenDistances) {
  MetricSink sink;
  const uint64_t events = 10'000'000;
  for (uint64_t event = 0; event < events; event += sink.EventsUntilPoint(event)) {
    if (!sink.WantsPoint(event)) continue;
    sink.Sample(Usage(event, 0));
    sink.AddPoint(event, event);
  }
  ASSERT_GT(sink.point_count(), MetricSink::kTimelinePoints / 2);
  ASSERT_LE(sink.point_count(), MetricSink::kTimelinePoints);
  EXPECT_EQ(sink.point(0).event, 0u);
  const uint64_t stride = sink.point(1).event - sink.point(0).event;
  for (int i = 1; i < sink.point_count(); ++i) {
    EXPECT_EQ(sink.point(i).event - sink.point(i - 1).event, stride) << i;
    EXPECT_EQ(sink.point(i).vsize_bytes, sink.point(i).event);
  }
  EXPECT_GT(sink.point(sink.point_count() - 1).event + stride, events - stride);
}

TEST(MetricSinkTest, APeakIsTheEventsThatRaisedItLast) {
  MetricSink sink;
  sink.SetBaseline(OsUsage());
  sink.Sample(Usage(100, 10));
  EXPECT_FALSE(sink.is_placed());
  sink.Place(kAtStartup, 0, MetricSink::Missed::kNothing);
  EXPECT_TRUE(sink.is_placed());
  EXPECT_EQ(sink.moment(Peak::kVsize).event, kAtStartup);
  sink.Sample(Usage(100, 20));
  sink.Place(7, 64, MetricSink::Missed::kNothing);
  sink.Sample(Usage(100, 20));  // no more than before
  sink.Place(9, 32, MetricSink::Missed::kNothing);
  EXPECT_EQ(sink.moment(Peak::kVsize).event, kAtStartup);
  EXPECT_EQ(sink.moment(Peak::kRss).event, 7u);
  EXPECT_EQ(sink.moment(Peak::kRss).live_bytes, 64u);
  EXPECT_TRUE(sink.moment(Peak::kRss).exact());
}

TEST(MetricSinkTest, WhatSamplesMayHaveMissedLiesBetweenTwoEvents) {
  MetricSink sink;
  sink.SetBaseline(OsUsage());
  sink.Sample(Usage(100, 10));
  sink.Place(5, 0, MetricSink::Missed::kRss);
  EXPECT_EQ(sink.moment(Peak::kRss).since_event, kAtStartup);
  sink.Sample(Usage(200, 20));
  sink.Place(50, 0, MetricSink::Missed::kRss);
  EXPECT_EQ(sink.moment(Peak::kRss).since_event, 5u);
  EXPECT_EQ(sink.moment(Peak::kRss).event, 50u);
  EXPECT_TRUE(sink.moment(Peak::kVsize).exact()) << "address space changes by requests alone, and each is sampled";
  sink.Sample(Usage(300, 20));
  sink.Place(60, 0, MetricSink::Missed::kAnything);
  EXPECT_EQ(sink.moment(Peak::kVsize).since_event, 50u);
}

// Answers every request; its usage is what the test says.
class ScriptedUsage final : public Os {
 public:
  OsUsage now;
  std::optional<AddrRange> TakeImageBss(uint64_t) override { return std::nullopt; }
  Addr image_end() const override { return Addr(); }
  uint64_t os_page_bytes() const override { return 4096; }
  uint64_t granularity_bytes() const override { return 4096; }
  bool release_is_whole() const override { return false; }
  OsUsage Usage() override { return now; }

 private:
  OsResult<AddrRange> DoReserve(uint64_t bytes, Addr) override {
    now.vsize_bytes += bytes;
    return AddrRange{Addr(4096), bytes};
  }
  OsResult<AddrRange> DoMapReady(uint64_t bytes, Access, Addr) override { return DoReserve(bytes, Addr()); }
  OsResult<Done> DoMapReadyAt(AddrRange, Access) override { return Done(); }
  OsResult<Done> DoCommit(AddrRange, Access, CommitMethod) override { return Done(); }
  OsResult<Done> DoDiscard(AddrRange range) override {
    now.rss_anonymous_bytes -= range.bytes;
    return Done();
  }
  OsResult<Done> DoReuse(AddrRange) override { return Done(); }
  OsResult<Done> DoDecommit(AddrRange range) override { return DoDiscard(range); }
  OsResult<Done> DoRelease(AddrRange range) override {
    now.vsize_bytes -= range.bytes;
    return Done();
  }
};

TEST(OsSamplerTest, SeesRssBeforeItShrinksAndVsizeAfterItGrew) {
  ScriptedUsage os;
  MetricSink sink;
  sink.SetBaseline(os.Usage());
  OsSampler sampler(&os, &sink);
  os.set_observer(&sampler);
  ASSERT_TRUE(os.Reserve(8 * 4096, Addr()).ok());
  EXPECT_EQ(sink.peak().vsize_bytes, 8 * 4096u);
  os.now.rss_anonymous_bytes = 5 * 4096;  // the program wrote: nobody sampled that
  ASSERT_TRUE(os.Discard({Addr(4096), 3 * 4096}).ok());
  EXPECT_EQ(sink.peak().rss_anonymous_bytes, 5 * 4096u);
  os.now.rss_anonymous_bytes = 6 * 4096;
  ASSERT_TRUE(os.Decommit({Addr(4096), 4096}).ok());
  EXPECT_EQ(sink.peak().rss_anonymous_bytes, 6 * 4096u);
  os.now.rss_anonymous_bytes = 7 * 4096;
  ASSERT_TRUE(os.Release({Addr(4096), 8 * 4096}).ok());
  EXPECT_EQ(sink.peak().rss_anonymous_bytes, 7 * 4096u);
  ASSERT_TRUE(os.Reserve(4096, Addr()).ok());
  EXPECT_EQ(sink.peak().vsize_bytes, 8 * 4096u);
  os.set_observer(nullptr);
}

}  // namespace
}  // namespace reheap
