// Every editor on traces of random but sound events: address-space calls anywhere, threads that come and go,
// calls that fail. Whatever an editor does not refuse with a reason must keep every rule.
#include <algorithm>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "traces/edited_trace_for_tests.h"
#include "traces/trace_anonymizer.h"
#include "traces/trace_cutter.h"
#include "traces/trace_filter.h"
#include "traces/trace_merger.h"
#include "traces/trace_writer.h"

namespace reheap {
namespace {

std::string Temp(const std::string& name) { return testing::TempDir() + "/" + name; }

// Writes a sound trace, event by event.
class Chaos {
 public:
  Chaos(uint64_t seed, bool wild) : random_(seed), wild_(wild) {}

  void Write(const std::string& path, int events) {
    proto::TraceHeader header;
    header.set_time_resolution_ns(1);
    header.mutable_host()->set_os_page_bytes(random_() % 3 == 0 ? random_() : 4096);
    for (uint64_t start = 0x400000; random_() % 4 != 0; start += random_() % 16 * 4096) {
      proto::Mapping& mapping = *header.add_mappings();
      mapping.set_start(start);
      start += (1 + random_() % 16) * 4096;
      mapping.set_end(wild_ && random_() % 8 == 0 ? random_() : start);
      mapping.set_permissions("rw-p");
    }
    absl::StatusOr<std::unique_ptr<TraceWriter>> writer = TraceWriter::Create(path, header, {100, 1});
    ASSERT_TRUE(writer.ok());
    for (int i = 0; i < events; ++i) {
      if (threads_.empty() || random_() % 40 == 0) {
        proto::TraceThread thread;
        thread.set_tid(static_cast<int32_t>(random_() % 5));
        threads_.push_back((*writer)->AddThread(thread));
        const TraceEvent start = Event(EventKind::kThreadStart, threads_.back());
        ASSERT_TRUE((*writer)->Append(&start, random_() % 2).ok());
      }
      ASSERT_TRUE((*writer)->Append(Next()).ok());
    }
    ASSERT_TRUE((*writer)->Finish().ok());
  }

 private:
  TraceEvent Event(EventKind kind, uint32_t thread) {
    TraceEvent event;
    event.kind = kind;
    event.thread = thread;
    event.time_ns = time_ns_ += random_() % 3;
    return event;
  }

  uint64_t Address() {
    if (wild_ && random_() % 4 == 0) return random_() >> random_() % 64;
    return 0x400000 + random_() % 64 * 4096;
  }

  TraceEvent Next() {
    const uint32_t thread = threads_[random_() % threads_.size()];
    if (threads_.size() > 1 && random_() % 50 == 0) {
      threads_.erase(std::find(threads_.begin(), threads_.end(), thread));
      return Event(EventKind::kThreadEnd, thread);
    }
    if (random_() % 3 == 0) return AddressSpace(thread);
    if (!live_.empty() && random_() % 2 == 0) return EndOrResize(thread);
    TraceEvent event = Event(EventKind::kAllocate, thread);
    event.size = random_() >> random_() % 64;
    event.failed = event.size > 1u << 30;
    event.alignment = random_() % 8 == 0 ? uint64_t{1} << random_() % 64 : 0;
    if (event.failed) return event;
    event.object = static_cast<uint32_t>(random_() % 3000);
    while (std::find(live_.begin(), live_.end(), event.object) != live_.end()) ++event.object;
    live_.push_back(event.object);
    return event;
  }

  TraceEvent EndOrResize(uint32_t thread) {
    TraceEvent event = Event(random_() % 4 == 0 ? EventKind::kResize : EventKind::kFree, thread);
    const size_t victim = random_() % live_.size();
    event.object = live_[victim];
    if (event.kind == EventKind::kFree) {
      live_.erase(live_.begin() + static_cast<ptrdiff_t>(victim));
    } else {
      event.size = random_() % 4096;
      event.failed = random_() % 8 == 0;
    }
    return event;
  }

  TraceEvent AddressSpace(uint32_t thread) {
    constexpr int kFirst = static_cast<int>(EventKind::kMap);
    TraceEvent event = Event(
        static_cast<EventKind>(kFirst + random_() % static_cast<uint64_t>(kEventKindCount - kFirst)), thread);
    event.address = Address();
    event.size = 1 + random_() % (wild_ ? ~uint64_t{0} >> random_() % 64 : 65536);
    event.alignment = random_() % 65536;
    event.argument = event.kind == EventKind::kRemap ? Address() : random_() % 8;
    event.failed = random_() % 16 == 0;
    return event;
  }

  std::mt19937_64 random_;
  const bool wild_;
  std::vector<uint32_t> threads_;
  std::vector<uint32_t> live_;
  uint64_t time_ns_ = 0;
};

// Sound, or a reason.
template <typename Report>
void ExpectSoundOrReason(const absl::StatusOr<Report>& report, bool may_refuse) {
  if (report.ok()) {
    ReadSoundTrace(Temp("edited.trace"));
  } else {
    EXPECT_TRUE(may_refuse) << report.status();
    EXPECT_NE(report.status().message().find(Temp("")), absl::string_view::npos) << report.status();
  }
}

TEST(EditorsRandomTest, WhatIsWrittenIsSound) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 60; ++round) {
    const bool wild = round % 2 == 1;
    SCOPED_TRACE(testing::Message() << "round " << round);
    const std::string a = Temp("a.trace"), b = Temp("b.trace"), out = Temp("edited.trace");
    Chaos(random(), wild).Write(a, 600);
    Chaos(random(), wild).Write(b, 300);
    ReadSoundTrace(a);
    const uint64_t from = random() % 600;
    ExpectSoundOrReason(CutTrace(a, out, {.from_event = from, .to_event = from + 1 + random() % 300}), false);
    ExpectSoundOrReason(FilterTrace(a, out, {.threads = {static_cast<uint32_t>(random() % 2)}}), true);
    ExpectSoundOrReason(FilterTrace(a, out, {.min_size_bytes = random() % 5000}), false);
    ExpectSoundOrReason(AnonymizeTrace(a, out), wild);
    // Wild addresses may lie above 2^56, and wild headers have OS pages of two sizes.
    for (const MergeClock clock : {MergeClock::kStart, MergeClock::kPosition}) {
      ExpectSoundOrReason(MergeTraces({a, b, a}, out, {.clock = clock}), true);
    }
  }
}

}  // namespace
}  // namespace reheap
