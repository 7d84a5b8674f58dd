// One trace, one strategy, two worlds: the running kernel and the model of it must tell the same story. Peak
// VSIZE to the byte, peak anonymous RSS to the OS page, and under a limit death at the same event.
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>

#include <fstream>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/report.pb.h"
#include "proto/strategy.pb.h"
#include "sim/replay/replay_request.h"
#include "sim/strategies/strategy_catalog.h"
#include "traces/trace_builder.h"
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
    event.time_ns = static_cast<uint64_t>(i) * 100'000'000;  // a quarter of an hour: what goes back by time goes back
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

// A program that beside malloc maps, unmaps, protects, moves and grows memory of its own, moves the break and
// starts threads. Its mappings lie where a heap wants to be, and elsewhere.
std::string ForeignTrace(int events) {
  const std::string path = testing::TempDir() + "/foreign.trace";
  std::mt19937_64 random(kSeed);
  constexpr uint64_t kPage = 4096;
  constexpr uint32_t kPrivate = 0x22, kShared = 0x21, kFixed = 0x10, kNoReserve = 0x4000, kFile = 0x02;
  const uint64_t places[] = {0xf840000000, 0xc000000000, 0x7e0000000000, 0x500000000000};
  TraceBuilder builder;
  uint64_t break_address = 0x600000000000;
  for (int i = 0; i < events; ++i) {
    const uint32_t slot = static_cast<uint32_t>(i);
    builder.Thread(0).Malloc(slot, 1 + random() % 30000);
    if (random() % 4 != 0) builder.Free(slot);
    if (i % 20 != 0) continue;
    const uint64_t at = places[random() % 4] + random() % 512 * 16 * kPage;
    const uint64_t bytes = (1 + random() % 64) * kPage - random() % 2 * 100;
    const uint32_t flags[] = {kPrivate, kShared, kPrivate | kFixed, kPrivate | kNoReserve, kFile};
    TraceEvent event;
    event.address = at;
    event.size = bytes;
    switch (random() % 7) {
      case 0: builder.Unmap(at, bytes); break;
      case 1: event.kind = EventKind::kProtect; event.argument = random() % 4; builder.Event(event); break;
      case 2:
        event.kind = EventKind::kRemap;
        event.alignment = kPage;
        event.argument = random() % 2 == 0 ? at : at + kGiB;
        builder.Event(event);
        break;
      case 3:
        event.kind = EventKind::kBreak;
        event.argument = (random() % 8 + 1) * kPage;
        event.address = break_address += event.argument;
        event.size = 0;
        builder.Event(event);
        break;
      case 4: {
        const uint32_t thread = static_cast<uint32_t>(i / 20 + 1);
        builder.Thread(thread).ThreadStart().Malloc(20000 + slot, 100);
        if (random() % 3 != 0) builder.ThreadEnd();
        break;
      }
      default: builder.Map(at, bytes, random() % 4, flags[random() % 5]); break;
    }
  }
  EXPECT_TRUE(builder.WriteTo(path).ok());
  return path;
}

const proto::PeakCause& CauseOf(const proto::Run& run, const std::string& metric) {
  for (const proto::PeakCause& cause : run.peak_causes()) {
    if (cause.metric() == metric) return cause;
  }
  return proto::PeakCause::default_instance();
}

// In the picture of the address space.
// Without single OS pages (a stack's guard): where there are many pieces the smallest are left out, and a modelled
// process has more of them, the image's.
uint64_t BytesOf(const proto::Run& run, const std::string& holder) {
  uint64_t bytes = 0;
  for (const proto::SpacePiece& piece : run.address_space().pieces()) {
    const uint64_t size = piece.end() - piece.start();
    if (piece.holder() == holder && size > 4 * kKiB) bytes += size;
  }
  return bytes;
}

// What made the peaks and what lay in the heap. The kernel tells RSS to samples only: the modelled event lies between.
void ExpectSameFacts(const proto::Run& real, const proto::Run& model) {
  EXPECT_EQ(CauseOf(real, "peak_vsize_bytes").DebugString(), CauseOf(model, "peak_vsize_bytes").DebugString());
  EXPECT_FALSE(CauseOf(model, "peak_vsize_bytes").sampled());
  const proto::PeakCause& sampled = CauseOf(real, "peak_rss_bytes");
  const proto::PeakCause& exact = CauseOf(model, "peak_rss_bytes");
  EXPECT_FALSE(exact.sampled());
  EXPECT_EQ(sampled.has_event(), exact.has_event() || sampled.sampled());
  if (exact.has_event()) {
    EXPECT_LE(exact.event(), sampled.event());
    if (sampled.has_since_event()) {
      EXPECT_GE(exact.event(), sampled.since_event());
    }
  }
  EXPECT_EQ(real.fragmentation().DebugString(), model.fragmentation().DebugString());
  EXPECT_EQ(real.has_fragmentation(), real.outcome() != proto::STARTUP_ABORT);
  ASSERT_EQ(real.size_classes_size(), model.size_classes_size());
  for (int i = 0; i < real.size_classes_size(); ++i) {
    EXPECT_EQ(real.size_classes(i).DebugString(), model.size_classes(i).DebugString());
  }
}

// Same story, whatever its end.
void ExpectSameStory(const proto::Run& real, const proto::Run& model) {
  SCOPED_TRACE(testing::Message() << "address limit " << real.limits().address_bytes() << ", data limit "
                                  << real.limits().data_bytes() << ", touch " << real.touch());
  EXPECT_EQ(real.world(), proto::REAL);
  EXPECT_EQ(model.world(), proto::VIRTUAL);
  EXPECT_EQ(real.outcome(), model.outcome()) << real.refusal().ShortDebugString() << "\n" << model.refusal().ShortDebugString();
  EXPECT_EQ(real.events(), model.events());
  EXPECT_EQ(real.refusal().event(), model.refusal().event());
  EXPECT_EQ(real.refusal().asked_bytes(), model.refusal().asked_bytes());
  EXPECT_EQ(real.refusal().operation(), model.refusal().operation());
  EXPECT_EQ(real.peak_vsize_bytes(), model.peak_vsize_bytes());
  EXPECT_EQ(real.peak_rss_bytes(), model.peak_rss_bytes());
  EXPECT_EQ(real.peak_live_bytes(), model.peak_live_bytes());
  EXPECT_EQ(real.os_calls(), model.os_calls());
  EXPECT_EQ(real.foreign().DebugString(), model.foreign().DebugString());
  EXPECT_EQ(real.page_map().resident_bytes(), model.page_map().resident_bytes());
  ExpectSameFacts(real, model);
}

class ReplayWorldsTest : public testing::TestWithParam<const char*> {
 protected:
  // Both worlds; what is not set is unlimited.
  static ReplayRequest BothWorlds(const std::string& touch) {
    ReplayRequest request;
    request.trace_path = MixedTrace(10000);
    request.strategies = {GetParam()};
    request.real = request.virtual_world = true;
    request.platforms = {"linux-amd64"};
    request.touch = touch;
    request.measure_lookup = false;
    return request;
  }

  // The report's rows come in pairs; its pairs that survived.
  static int ReplayPairs(const ReplayRequest& request, proto::Report* report) {
    absl::StatusOr<proto::Report> made = RunReplays(request, nullptr);
    if (!made.ok() || made->runs_size() % 2 != 0) {
      ADD_FAILURE() << made.status();
      return 0;
    }
    *report = *std::move(made);
    int survived = 0;
    for (int i = 0; i < report->runs_size(); i += 2) {
      ExpectSameStory(report->runs(i), report->runs(i + 1));
      survived += report->runs(i).outcome() == proto::SURVIVED;
    }
    return survived;
  }
};

TEST_P(ReplayWorldsTest, PeaksAreEqual) {
  for (const char* touch : {"none", "full"}) {
    proto::Report report;
    ASSERT_EQ(ReplayPairs(BothWorlds(touch), &report), 1);
    EXPECT_GT(report.runs(0).peak_rss_bytes(), 0u);
    const proto::Run& real = report.runs(0);
    const proto::Run& model = report.runs(1);
    EXPECT_EQ(real.fragmentation().live_bytes(), real.peak_live_bytes());
    EXPECT_GT(real.size_classes_size(), 30);
    // The heap's place and bytes are the same, whoever tells them.
    const auto heap_of = [](const proto::Run& run) {
      std::string pieces;
      for (const proto::SpacePiece& piece : run.address_space().pieces()) {
        if (piece.holder() == "heap") pieces += piece.ShortDebugString() + "\n";
      }
      return pieces;
    };
    EXPECT_NE(heap_of(real), "");
    EXPECT_EQ(heap_of(real), heap_of(model));
    EXPECT_EQ(real.address_space().user_end(), model.address_space().user_end());
  }
}

TEST_P(ReplayWorldsTest, BothDieAtTheSameEventUnderTheSameLimit) {
  proto::Report unlimited;
  ASSERT_EQ(ReplayPairs(BothWorlds("none"), &unlimited), 1);
  // Between what the start takes and the peak; a reservation has all of it at the start.
  const uint64_t peak = unlimited.runs(0).peak_vsize_bytes();
  const uint64_t start = unlimited.runs(0).timeline(0).vsize_bytes();
  for (const char* touch : {"none", "full"}) {
    ReplayRequest request = BothWorlds(touch);
    request.address_limits = {0, start - 4096, start, peak - 1, peak};
    constexpr uint64_t kSteps = 17;  // an odd number of bytes each, so that limits are no whole pages either
    for (uint64_t step = 1; step < kSteps; ++step) request.address_limits.push_back(start + (peak - start) / kSteps * step);
    proto::Report report;
    const int survived = ReplayPairs(request, &report);
    ASSERT_EQ(report.runs_size(), 42);
    if (peak > start) {
      EXPECT_GE(survived, 1) << "the peak itself";
      EXPECT_LE(survived, 3) << "a growth that is refused asks again for what it needs: just below may be enough";
    } else {
      EXPECT_EQ(survived, 18) << "whatever is not below the start";
    }
    for (int i = 1; i < report.runs_size(); i += 2) {
      const proto::Run& model = report.runs(i);
      EXPECT_EQ(model.refusal().rule(), model.outcome() == proto::SURVIVED ? "" : "RLIMIT_AS");
    }
  }
}

TEST_P(ReplayWorldsTest, BothDieAtTheSameEventUnderTheSameDataLimit) {
  for (const char* touch : {"none", "full"}) {
    ReplayRequest request = BothWorlds(touch);
    request.data_limits = {0, 300 * kKiB, kMiB, 5 * kMiB, 20 * kMiB, 35 * kMiB, 64 * kMiB, kGiB};
    proto::Report report;
    const int survived = ReplayPairs(request, &report);
    ASSERT_EQ(report.runs_size(), 16);
    EXPECT_GT(survived, 0);
    EXPECT_LT(survived, 8);
  }
}

TEST_P(ReplayWorldsTest, BothMeetTheSquatter) {
  // Where these plans want to be: the heap's first page, inside the reservation, a MiB above Go 1.11's hint.
  for (AddrRange squatter : {AddrRange{Addr(0xf800000000), 4096}, AddrRange{Addr(0xf840100000), kMiB},
                             AddrRange{Addr(0xc000100000), kMiB}, AddrRange{Addr(0x7000000000), kGiB}}) {
    SCOPED_TRACE(testing::Message() << "squatter at " << squatter.start.value());
    ReplayRequest request = BothWorlds("full");
    request.squatters = {squatter};
    proto::Report report;
    ReplayPairs(request, &report);
    ASSERT_EQ(report.runs_size(), 2);
    EXPECT_EQ(report.runs(0).refusal().obtained_address(), report.runs(1).refusal().obtained_address());
  }
}

TEST_P(ReplayWorldsTest, BothHaveTheProgramsOwnMappingsBesideTheHeap) {
  ReplayRequest request = BothWorlds("full");
  request.trace_path = ForeignTrace(8000);
  request.squatters = {{Addr(0xf840100000), 64 * kKiB}, {Addr(0xc000100000), kMiB}};
  proto::Report report;
  ReplayPairs(request, &report);
  ASSERT_EQ(report.runs_size(), 2);
  const proto::Foreign& foreign = report.runs(0).foreign();
  if (report.runs(0).outcome() != proto::SURVIVED) {
    // A plan that does not give way dies of whoever is there, and the modelled kernel says who that is.
    const proto::Refusal& refusal = report.runs(1).refusal();
    EXPECT_EQ(refusal.rule(), "address taken");
    EXPECT_THAT(refusal.largest_holder().name(), testing::AnyOf("squatters", "mapped by the program"));
    return;
  }
  EXPECT_GT(foreign.calls(), 100u);
  EXPECT_GT(foreign.mapped(), 50u);
  EXPECT_GT(foreign.moved(), 0u) << "the squatters' places";
  EXPECT_GT(foreign.outside(), 0u);
  EXPECT_GT(foreign.stacks(), 5u);
  EXPECT_EQ(foreign.refused(), 0u);
  EXPECT_GT(BytesOf(report.runs(0), "thread stacks"), 0u);
  EXPECT_EQ(BytesOf(report.runs(0), "thread stacks"), BytesOf(report.runs(1), "thread stacks"));
  EXPECT_GT(BytesOf(report.runs(0), "mapped by the program"), 0u);
  request.foreign = "ignore";
  proto::Report without;
  ReplayPairs(request, &without);
  ASSERT_EQ(without.runs_size(), 2);
  EXPECT_FALSE(without.runs(0).has_foreign());
  EXPECT_LE(without.runs(0).peak_vsize_bytes() + foreign.peak_bytes() / 2, report.runs(0).peak_vsize_bytes());
}

// A program that is refused a mapping of its own goes on without it, in both worlds, until the heap is refused.
TEST_P(ReplayWorldsTest, BothRefuseTheProgramsOwnMappings) {
  ReplayRequest request = BothWorlds("none");
  request.trace_path = ForeignTrace(8000);
  proto::Report unlimited;
  ReplayPairs(request, &unlimited);
  const uint64_t start = unlimited.runs(0).timeline(0).vsize_bytes();
  const uint64_t peak = unlimited.runs(0).peak_vsize_bytes();
  for (int eighth = 1; eighth < 8; ++eighth) request.address_limits.push_back(start + (peak - start) / 8 * static_cast<uint64_t>(eighth));
  proto::Report report;
  ReplayPairs(request, &report);
  ASSERT_EQ(report.runs_size(), 14);
  int refused = 0;
  for (const proto::Run& run : report.runs()) {
    refused += run.foreign().refused() != 0;
    if (run.outcome() == proto::DEGRADED) {
      EXPECT_EQ(run.refusal().operation().find("the program's own "), 0u);
    }
    if (run.has_refusal()) {
      EXPECT_GT(run.refusal().holders_size(), 1) << run.refusal().ShortDebugString();
    }
  }
  EXPECT_GT(refused, 0);
}

// Each release policy with each method, whose plan is otherwise that of February 2011.
TEST(ReplayWorldsReleaseTest, BothGiveTheSameBack) {
  const char* const policies[] = {"IDLE age_ms: 20000 tick_ms: 1000", "RATE pages_freed_per_page: 4",
                                  "DECAY dirty_ms: 50000", "GOAL keep_percent: 5 tick_ms: 1000"};
  for (const char* policy : policies) {
    for (const char* method : {"DISCARD", "DECOMMIT"}) {
      SCOPED_TRACE(absl::StrCat(policy, ", ", method));
      proto::Strategy text = LoadStrategy("go-2011-02-pretend")->text;
      text.set_name("releases");
      text.clear_release();
      ASSERT_TRUE(google::protobuf::TextFormat::MergeFromString(
          absl::StrCat("release { policy: ", policy, " method: ", method, " }"), &text));
      std::string printed;
      google::protobuf::TextFormat::PrintToString(text, &printed);
      const std::string path = testing::TempDir() + "/releases.textproto";
      std::ofstream(path) << printed;
      ReplayRequest request;
      request.trace_path = MixedTrace(10000);
      request.strategies = {path};
      request.real = request.virtual_world = true;
      request.platforms = {"linux-amd64"};
      request.touch = "full";
      request.measure_lookup = false;
      const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
      ASSERT_TRUE(report.ok()) << report.status();
      ASSERT_EQ(report->runs_size(), 2);
      ExpectSameStory(report->runs(0), report->runs(1));
      ASSERT_EQ(report->runs(0).timeline_size(), report->runs(1).timeline_size());
      for (int i = 0; i < report->runs(0).timeline_size(); ++i) {
        EXPECT_EQ(report->runs(0).timeline(i).rss_bytes(), report->runs(1).timeline(i).rss_bytes()) << i;
      }
      EXPECT_GT(report->runs(0).os_calls(), 100u) << "it gave nothing back";
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
                                         "go-2011-02-pretend", "go-1.11-sparse", "go-1.20"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = c == '-' || c == '.' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace reheap
