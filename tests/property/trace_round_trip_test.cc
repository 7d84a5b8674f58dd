// What is written is what is read: for every field of TraceEvent, at every block boundary, for any stream.
#include <unistd.h>

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "traces/trace_builder.h"
#include "traces/trace_cursor.h"
#include "traces/trace_reader.h"
#include "traces/trace_writer.h"

namespace reheap {
namespace {

std::string TestPath(const std::string& name) { return testing::TempDir() + "/round_trip_" + name; }

absl::Status WriteTrace(const std::string& path, const std::vector<TraceEvent>& events,
                        const TraceWriterOptions& options = {}) {
  absl::StatusOr<std::unique_ptr<TraceWriter>> writer = TraceWriter::Create(path, {}, options);
  if (!writer.ok()) return writer.status();
  absl::Status status = (*writer)->Append(events.data(), events.size());
  return status.ok() ? (*writer)->Finish() : status;
}

std::vector<TraceEvent> ReadTrace(const std::string& path, size_t batch = 256) {
  std::vector<TraceEvent> events;
  absl::StatusOr<std::unique_ptr<TraceCursor>> cursor = TraceCursor::Open(path);
  EXPECT_TRUE(cursor.ok()) << cursor.status();
  if (!cursor.ok()) return events;
  std::vector<TraceEvent> buffer(batch);
  while (true) {
    absl::StatusOr<size_t> count = (*cursor)->NextBatch(buffer.data(), batch);
    EXPECT_TRUE(count.ok()) << count.status();
    if (!count.ok() || *count == 0) return events;
    EXPECT_EQ((*cursor)->first_event(), events.size());
    events.insert(events.end(), buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(*count));
  }
}

// Numbers of every length, with the ends of each range likely.
uint64_t AnyNumber(std::mt19937_64& random) {
  const uint64_t number = random() >> (random() % 64);
  switch (random() % 8) {
    case 0:
      return 0;
    case 1:
      return std::numeric_limits<uint64_t>::max() - (number & 3);
    default:
      return number;
  }
}

// An event of arbitrary fields: what the format can hold, not what a program can do.
TraceEvent AnyEvent(std::mt19937_64& random) {
  TraceEvent event;
  event.kind = static_cast<EventKind>(random() % kEventKindCount);
  event.call = static_cast<CallKind>(random() % kCallKindCount);
  event.failed = random() % 4 == 0;
  event.thread = static_cast<uint32_t>(AnyNumber(random));
  event.object = static_cast<uint32_t>(random() % 4 == 0 ? AnyNumber(random) : random() % 50);
  event.size = AnyNumber(random);
  event.alignment = AnyNumber(random);
  event.time_ns = AnyNumber(random);
  event.address = AnyNumber(random);
  event.argument = AnyNumber(random);
  return event;
}

// A program's stream: slots reused last freed first, few threads, time in ticks.
std::vector<TraceEvent> ProgramLikeEvents(std::mt19937_64& random, size_t count) {
  TraceBuilder builder;
  std::vector<uint32_t> live;
  std::vector<uint32_t> free_slots;
  uint32_t slots = 0;
  for (size_t i = 0; i < count; ++i) {
    if (random() % 20 == 0) builder.Thread(static_cast<uint32_t>(random() % 5));
    builder.Time(i / 100 * 1'000'000);
    if (live.empty() || random() % 2 == 0) {
      uint32_t slot = slots;
      if (free_slots.empty()) {
        ++slots;
      } else {
        slot = free_slots.back();
        free_slots.pop_back();
      }
      live.push_back(slot);
      builder.Malloc(slot, random() % 1000);
    } else {
      const size_t victim = random() % live.size();
      if (random() % 5 == 0) {
        builder.Realloc(live[victim], random() % 5000);
      } else {
        builder.Free(live[victim]);
        free_slots.push_back(live[victim]);
        live[victim] = live.back();
        live.pop_back();
      }
    }
  }
  return builder.events();
}

TEST(TraceRoundTrip, ArbitraryEventsComeBackEqual) {
  const uint64_t seed = 20110204;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  const std::string path = TestPath("arbitrary");
  for (int round = 0; round < 30; ++round) {
    std::vector<TraceEvent> events(random() % 3000);
    for (TraceEvent& event : events) event = AnyEvent(random);
    const TraceWriterOptions options{static_cast<uint32_t>(1 + random() % 500), 1};
    ASSERT_TRUE(WriteTrace(path, events, options).ok());
    EXPECT_EQ(ReadTrace(path, 1 + random() % 300), events) << "round " << round;
  }
}

TEST(TraceRoundTrip, ProgramLikeEventsComeBackEqualWhateverTheBlockSize) {
  const uint64_t seed = 1464;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  const std::string path = TestPath("program");
  const std::vector<TraceEvent> events = ProgramLikeEvents(random, 20'000);
  for (const uint32_t events_per_block : {1u, 2u, 7u, 999u, 19'999u, 20'000u, 20'001u, 1u << 20}) {
    ASSERT_TRUE(WriteTrace(path, events, {events_per_block, 3}).ok());
    EXPECT_EQ(ReadTrace(path), events) << events_per_block << " events per block";
  }
}

TEST(TraceRoundTrip, EachFieldAloneComesBackEqual) {
  std::vector<TraceEvent> events(1);
  const auto add = [&](auto set) {
    TraceEvent event;
    set(event);
    events.push_back(event);
  };
  for (int kind = 0; kind < kEventKindCount; ++kind) {
    add([&](TraceEvent& e) { e.kind = static_cast<EventKind>(kind); });
    add([&](TraceEvent& e) { e.kind = static_cast<EventKind>(kind), e.object = 3; });
  }
  for (int call = 0; call < kCallKindCount; ++call) {
    add([&](TraceEvent& e) { e.call = static_cast<CallKind>(call); });
  }
  add([](TraceEvent& e) { e.failed = true; });
  add([](TraceEvent& e) { e.object = 0; });
  add([](TraceEvent& e) { e.object = kNoObject - 1; });
  for (const uint64_t value : {uint64_t{1}, uint64_t{127}, uint64_t{128}, uint64_t{1} << 63, ~uint64_t{0}}) {
    add([&](TraceEvent& e) { e.thread = static_cast<uint32_t>(value); });
    add([&](TraceEvent& e) { e.size = value; });
    add([&](TraceEvent& e) { e.alignment = value; });
    add([&](TraceEvent& e) { e.time_ns = value; });
    add([&](TraceEvent& e) { e.address = value; });
    add([&](TraceEvent& e) { e.argument = value; });
  }
  const std::string path = TestPath("fields");
  ASSERT_TRUE(WriteTrace(path, events).ok());
  EXPECT_EQ(ReadTrace(path), events);
}

// A block never grows towards the reader's limit, however long its events are.
TEST(TraceRoundTrip, BlocksOfLongEventsAreCutEarly) {
  std::vector<TraceEvent> events(250'000);
  for (size_t i = 0; i < events.size(); ++i) {
    TraceEvent& event = events[i];
    event.kind = EventKind::kMap;
    event.thread = static_cast<uint32_t>(~i);
    event.object = static_cast<uint32_t>(i);
    event.time_ns = event.address = i % 2 == 0 ? 0 : uint64_t{1} << 63;
    event.size = event.alignment = event.argument = ~uint64_t{i};
  }
  const std::string path = TestPath("long");
  ASSERT_TRUE(WriteTrace(path, events, {1u << 20, 1}).ok());
  EXPECT_EQ(ReadTrace(path), events);
  absl::StatusOr<std::unique_ptr<TraceReader>> reader = TraceReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_GT((*reader)->block_count(), 1u);
}

TEST(TraceRoundTrip, ATraceWithoutEventsHasHeaderAndTrailer) {
  const std::string path = TestPath("empty");
  ASSERT_TRUE(WriteTrace(path, {}).ok());
  EXPECT_TRUE(ReadTrace(path).empty());
  absl::StatusOr<std::unique_ptr<TraceReader>> reader = TraceReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  ASSERT_NE((*reader)->trailer(), nullptr);
  EXPECT_EQ((*reader)->trailer()->events(), 0u);
  EXPECT_EQ((*reader)->block_count(), 0u);
}

TEST(TraceRoundTrip, HeaderAndThreadsComeBackEqual) {
  proto::TraceHeader header;
  header.mutable_process()->set_program("/usr/bin/sort");
  header.mutable_process()->add_arguments("-n");
  header.mutable_process()->set_rlimit_as_bytes(4ull << 30);
  header.mutable_host()->set_os_page_bytes(4096);
  header.add_mappings()->set_name("[heap]");
  header.add_unknown("time");
  const std::string path = TestPath("header");
  absl::StatusOr<std::unique_ptr<TraceWriter>> writer = TraceWriter::Create(path, header);
  ASSERT_TRUE(writer.ok()) << writer.status();
  proto::TraceThread thread;
  for (int i = 0; i < 1000; ++i) {
    thread.set_tid(i / 2);
    thread.set_generation(static_cast<uint32_t>(i % 2));
    EXPECT_EQ((*writer)->AddThread(thread), static_cast<uint32_t>(i));
  }
  (*writer)->set_dropped_events(17);
  ASSERT_TRUE((*writer)->Finish().ok());

  absl::StatusOr<std::unique_ptr<TraceReader>> reader = TraceReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  header.set_format_version(proto::TRACE_FORMAT_COLUMNS);
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals((*reader)->header(), header));
  ASSERT_NE((*reader)->trailer(), nullptr);
  EXPECT_EQ((*reader)->trailer()->dropped_events(), 17u);
  EXPECT_TRUE((*reader)->trailer()->ended_in_order());
  ASSERT_EQ((*reader)->threads().size(), 1000u);
  EXPECT_EQ((*reader)->threads()[501].tid(), 250);
  EXPECT_EQ((*reader)->threads()[501].generation(), 1u);
}

TEST(TraceRoundTrip, NamesThatAreNotUtf8DoNotMakeTheTraceUnreadable) {
  proto::TraceHeader header;
  header.mutable_process()->add_arguments("caf\xc3\xa9 \xff\xc0\xaf \xed\xa0\x80 end");
  const std::string path = TestPath("utf8");
  absl::StatusOr<std::unique_ptr<TraceWriter>> writer = TraceWriter::Create(path, header);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Finish().ok());
  absl::StatusOr<std::unique_ptr<TraceReader>> reader = TraceReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->header().process().arguments(0), "caf\xc3\xa9 ??? ??? end");
}

TEST(TraceRoundTrip, TheTrailerCountsWhatTheEventsSay) {
  const std::string path = TestPath("totals");
  ASSERT_TRUE(TraceBuilder()
                  .Malloc(0, 100)
                  .Malloc(1, 50)
                  .Free(0)
                  .Malloc(0, 10)
                  .Realloc(0, 120)  // live: 50 + 120, the peak
                  .FailedMalloc(1ull << 40)
                  .FreeNull()
                  .Time(5)
                  .Free(1)
                  .WriteTo(path, {3, 1})
                  .ok());
  absl::StatusOr<std::unique_ptr<TraceReader>> reader = TraceReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  const proto::TraceTrailer* trailer = (*reader)->trailer();
  ASSERT_NE(trailer, nullptr);
  EXPECT_EQ(trailer->events(), 8u);
  EXPECT_EQ(trailer->events_by_kind(static_cast<int>(EventKind::kAllocate)), 4u);
  EXPECT_EQ(trailer->events_by_kind(static_cast<int>(EventKind::kFree)), 3u);
  EXPECT_EQ(trailer->events_by_kind(static_cast<int>(EventKind::kResize)), 1u);
  EXPECT_EQ(trailer->slot_count(), 2u);
  EXPECT_EQ(trailer->peak_live_bytes(), 170u);
  EXPECT_EQ(trailer->peak_live_objects(), 2u);
  EXPECT_EQ(trailer->allocated_bytes(), 100u + 50 + 10 + 120);
  EXPECT_EQ(trailer->end_time_ns(), 5u);
  EXPECT_EQ((*reader)->block_count(), 3u);
}

TEST(TraceRoundTrip, ReadingCanStartAtAnyBlock) {
  std::mt19937_64 random(7);
  const std::vector<TraceEvent> events = ProgramLikeEvents(random, 1000);
  const std::string path = TestPath("seek");
  ASSERT_TRUE(WriteTrace(path, events, {64, 1}).ok());
  absl::StatusOr<std::unique_ptr<TraceReader>> reader = TraceReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  ASSERT_EQ((*reader)->block_count(), 16u);  // 1000 / 64, rounded up
  for (size_t number = 16; number-- > 0;) {
    ASSERT_TRUE((*reader)->SeekToBlock(number).ok());
    std::vector<TraceEvent> tail;
    TraceBlock block;
    while (true) {
      absl::StatusOr<bool> more = (*reader)->NextBlock(&block);
      ASSERT_TRUE(more.ok()) << more.status();
      if (!*more) break;
      ASSERT_TRUE(block.AppendTo(&tail).ok());
    }
    EXPECT_EQ(tail,
              std::vector<TraceEvent>(events.begin() + static_cast<ptrdiff_t>(64 * number), events.end()));
  }
  EXPECT_FALSE((*reader)->SeekToBlock(16).ok());
}

}  // namespace
}  // namespace reheap
