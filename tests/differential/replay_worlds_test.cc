// One trace, one strategy, two worlds: the running kernel and the model of it must tell the same story. Peak
// VSIZE to the byte, peak anonymous RSS to the OS page, and under a limit death at the same event.
#include <gtest/gtest.h>
#include <sys/utsname.h>

#include <random>
#include <string>

#include "proto/report.pb.h"
#include "sim/replay/replay_request.h"
#include "traces/trace_writer.h"

namespace reheap {
namespace {

constexpr uint64_t kSeed = 20110204;

// A program of two threads that allocates, resizes and frees objects of 1 byte to 300 KiB, growing on average.
std::string MixedTrace(int events) {
  const std::string path = testing::TempDir() + "/mixed.trace";
  auto writer = TraceWriter::Create(path, proto::TraceHeader());
  EXPECT_TRUE(writer.ok()) << writer.status();
  const uint32_t threads[2] = {(*writer)->AddThread(proto::TraceThread()), (*writer)->AddThread(proto::TraceThread())};
  std::mt19937_64 random(kSeed);
  std::vector<uint32_t> live, free_slots;
  uint32_t slots = 0;
  for (int i = 0; i < events; ++i) {
    TraceEvent event;
    event.thread = threads[random() % 2];
    const uint64_t dice = random() % 100;
    if (live.empty() || dice < 55) {
      event.kind = EventKind::kAllocate;
      event.call = CallKind::kMalloc;
      if (free_slots.empty()) free_slots.push_back(slots++);
      event.object = free_slots.back();
      free_slots.pop_back();
      event.size = uint64_t{1} << (random() % 18);
      event.size += random() % event.size;
      if (dice < 3) event.alignment = uint64_t{16} << (random() % 9);
      live.push_back(event.object);
    } else {
      const size_t victim = random() % live.size();
      event.object = live[victim];
      if (dice < 65) {
        event.kind = EventKind::kResize;
        event.call = CallKind::kRealloc;
        event.size = 1 + random() % 100000;
      } else {
        event.kind = EventKind::kFree;
        event.call = CallKind::kFree;
        live[victim] = live.back();
        live.pop_back();
        free_slots.push_back(event.object);
      }
    }
    EXPECT_TRUE((*writer)->Append(event).ok());
  }
  EXPECT_TRUE((*writer)->Finish().ok());
  return path;
}

class ReplayWorldsTest : public testing::TestWithParam<const char*> {
 protected:
  static proto::Report Replay(const std::string& touch, std::optional<uint64_t> limit_bytes) {
    ReplayRequest request;
    request.trace_path = MixedTrace(40000);
    request.strategies = {GetParam()};
    request.real = request.virtual_world = true;
    request.platforms = {"linux-amd64"};
    request.address_limits = {limit_bytes};
    request.touch = touch;
    absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
    EXPECT_TRUE(report.ok()) << report.status();
    if (!report.ok() || report->runs_size() != 2) {
      ADD_FAILURE() << "two rows expected";
      return proto::Report();
    }
    EXPECT_EQ(report->runs(0).world(), proto::REAL);
    EXPECT_EQ(report->runs(1).world(), proto::VIRTUAL);
    return *std::move(report);
  }
};

TEST_P(ReplayWorldsTest, PeaksAreEqual) {
  for (const char* touch : {"none", "full"}) {
    const proto::Report report = Replay(touch, std::nullopt);
    if (report.runs_size() != 2) return;
    const proto::Run &real = report.runs(0), &model = report.runs(1);
    EXPECT_EQ(real.outcome(), proto::SURVIVED) << real.refusal().message();
    EXPECT_EQ(model.outcome(), proto::SURVIVED) << model.refusal().message();
    EXPECT_EQ(real.peak_vsize_bytes(), model.peak_vsize_bytes()) << "touch " << touch;
    EXPECT_EQ(real.peak_rss_bytes(), model.peak_rss_bytes()) << "touch " << touch;
    EXPECT_EQ(real.peak_live_bytes(), model.peak_live_bytes());
    EXPECT_EQ(real.os_calls(), model.os_calls());
    EXPECT_EQ(real.page_map().resident_bytes(), model.page_map().resident_bytes());
    EXPECT_GT(real.peak_rss_bytes(), 0u);
  }
}

TEST_P(ReplayWorldsTest, BothDieAtTheSameEventUnderTheSameLimit) {
  const proto::Report unlimited = Replay("none", std::nullopt);
  if (unlimited.runs_size() != 2) return;
  // Room for the whole start and two thirds of what came after it; a reservation has it all at the start.
  const uint64_t peak = unlimited.runs(0).peak_vsize_bytes();
  const uint64_t start = unlimited.runs(0).timeline(0).vsize_bytes();
  for (uint64_t limit : {start + (peak - start) * 2 / 3, start + (peak - start) / 5, start - 4096}) {
    const proto::Report report = Replay("none", limit);
    if (report.runs_size() != 2) return;
    const proto::Run &real = report.runs(0), &model = report.runs(1);
    EXPECT_EQ(real.outcome(), model.outcome()) << "limit " << limit;
    EXPECT_EQ(real.events(), model.events()) << "limit " << limit;
    EXPECT_EQ(real.refusal().event(), model.refusal().event()) << "limit " << limit;
    EXPECT_EQ(real.refusal().asked_bytes(), model.refusal().asked_bytes()) << "limit " << limit;
    EXPECT_EQ(real.refusal().operation(), model.refusal().operation()) << "limit " << limit;
    if (peak > start || limit < start) {
      EXPECT_NE(real.outcome(), proto::SURVIVED) << "limit " << limit;
      EXPECT_EQ(model.refusal().rule(), "RLIMIT_AS");
    }
  }
}

TEST_P(ReplayWorldsTest, VirtualRowsAreTheSameBytesEachTime) {
  ReplayRequest request;
  request.trace_path = MixedTrace(20000);
  request.strategies = {GetParam()};
  request.virtual_world = true;
  request.platforms = {"linux-amd64", "freebsd-amd64", "windows-amd64", "darwin-amd64"};
  request.address_limits = {std::nullopt, 64 * kMiB};
  const auto first = RunReplays(request, nullptr);
  const auto second = RunReplays(request, nullptr);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->runs_size(), 8);
  EXPECT_EQ(first->SerializeAsString(), second->SerializeAsString());
}

INSTANTIATE_TEST_SUITE_P(Strategies, ReplayWorldsTest,
                         testing::Values("go-2010-radix", "go-2011-01-reserve16g", "go-2011-02-reserve17g",
                                         "go-2011-02-pretend"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace reheap
