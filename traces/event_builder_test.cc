#include "traces/event_builder.h"

#include <vector>

#include "gtest/gtest.h"

namespace reheap {
namespace {

using spool::Op;

class ListSink final : public EventSink {
 public:
  uint32_t AddThread(const proto::TraceThread& thread) override {
    threads.push_back(thread);
    return static_cast<uint32_t>(threads.size() - 1);
  }
  absl::Status Append(const TraceEvent* first, size_t count) override {
    events.insert(events.end(), first, first + count);
    return absl::OkStatus();
  }
  std::vector<proto::TraceThread> threads;
  std::vector<TraceEvent> events;
};

class EventBuilderTest : public testing::Test {
 protected:
  EventBuilderTest() : builder_(Options(), &sink_) {}

  static EventBuilderOptions Options() {
    EventBuilderOptions options;
    options.time_ns = [](const OrderedRecord& record) { return record.clock; };
    return options;
  }

  void Take(uint8_t op, uint64_t address, uint64_t value, uint8_t flags = 0, uint32_t lane = 0) {
    const spool::Record record = {spool::Head(op, address, flags), value};
    builder_.Take({lane, static_cast<int32_t>(100 + lane), ++clock_, 0, &record, nullptr});
  }
  void Call(CallKind call, uint64_t address, uint64_t value, uint8_t flags = 0, uint32_t lane = 0) {
    Take(static_cast<uint8_t>(Op::kCall) + static_cast<uint8_t>(call), address, value, flags, lane);
  }
  // Without the starts of threads.
  std::vector<TraceEvent> Events() {
    EXPECT_TRUE(builder_.Flush().ok());
    std::vector<TraceEvent> events;
    for (const TraceEvent& event : sink_.events) {
      if (event.kind != EventKind::kThreadStart) events.push_back(event);
    }
    return events;
  }

  ListSink sink_;
  EventBuilder builder_;
  uint64_t clock_ = 0;
};

TEST_F(EventBuilderTest, TheLastSlotFreedIsUsedNext) {
  Call(CallKind::kMalloc, 0x1000, 10);
  Call(CallKind::kMalloc, 0x2000, 20);
  Call(CallKind::kFree, 0x1000, 0);
  Call(CallKind::kMalloc, 0x3000, 30);
  const std::vector<TraceEvent> events = Events();
  ASSERT_EQ(events.size(), 4);
  EXPECT_EQ(events[1].object, 1);
  EXPECT_EQ(events[2].object, 0);
  EXPECT_EQ(events[3].object, 0);
  EXPECT_EQ(builder_.live_objects(), 2);
}

// While thread 0 is inside realloc, thread 1 is given the old address.
TEST_F(EventBuilderTest, ReallocKeepsItsSlotThoughTheOldAddressIsTaken) {
  Call(CallKind::kMalloc, 0x1000, 10);
  Take(static_cast<uint8_t>(Op::kResizeBegin), 0x1000, 500);
  Call(CallKind::kMalloc, 0x1000, 8, 0, 1);
  Call(CallKind::kRealloc, 0x5000, 500, spool::kResizes);
  const std::vector<TraceEvent> events = Events();
  ASSERT_EQ(events.size(), 3);
  EXPECT_EQ(events[2].kind, EventKind::kResize);
  EXPECT_EQ(events[2].object, 0);
  EXPECT_EQ(events[2].size, 500);
  EXPECT_EQ(builder_.repaired_addresses(), 0);
}

TEST_F(EventBuilderTest, ReallocToZeroFreesAndAFailedOneKeepsTheObject) {
  Call(CallKind::kMalloc, 0x1000, 10);
  Take(static_cast<uint8_t>(Op::kResizeBegin), 0x1000, 1 << 30);
  Call(CallKind::kRealloc, 0x1000, 1 << 30, spool::kFailed | spool::kResizes);
  Take(static_cast<uint8_t>(Op::kResizeBegin), 0x1000, 0);
  Call(CallKind::kRealloc, 0, 0, spool::kFailed | spool::kResizes);
  const std::vector<TraceEvent> events = Events();
  ASSERT_EQ(events.size(), 3);
  EXPECT_TRUE(events[1].failed);
  EXPECT_EQ(events[1].kind, EventKind::kResize);
  EXPECT_EQ(events[2].kind, EventKind::kFree);
  EXPECT_EQ(events[2].call, CallKind::kRealloc);
  EXPECT_FALSE(events[2].failed);
  EXPECT_EQ(builder_.live_objects(), 0);
}

// The second record of the first realloc was dropped; what follows is no end of it.
TEST_F(EventBuilderTest, AReallocWithoutAnEndIsAFree) {
  Call(CallKind::kMalloc, 0x1000, 10);
  Take(static_cast<uint8_t>(Op::kResizeBegin), 0x1000, 500);
  Call(CallKind::kRealloc, 0x5000, 77);  // realloc(NULL, 77)
  const std::vector<TraceEvent> events = Events();
  ASSERT_EQ(events.size(), 3);
  EXPECT_EQ(events[1].kind, EventKind::kFree);
  EXPECT_EQ(events[2].kind, EventKind::kAllocate);
  EXPECT_EQ(events[2].size, 77);
  EXPECT_EQ(builder_.live_objects(), 1);
  EXPECT_EQ(builder_.repaired_addresses(), 1);
}

TEST_F(EventBuilderTest, GapsAreMendedAndCounted) {
  Call(CallKind::kFree, 0x9000, 0);
  Call(CallKind::kMalloc, 0x1000, 10);
  Call(CallKind::kMalloc, 0x1000, 20);
  const std::vector<TraceEvent> events = Events();
  ASSERT_EQ(events.size(), 3);
  EXPECT_EQ(events[1].kind, EventKind::kFree);
  EXPECT_EQ(builder_.unmatched_records(), 1);
  EXPECT_EQ(builder_.repaired_addresses(), 1);
}

TEST_F(EventBuilderTest, FreeOfNullIsAnEventWithoutObject) {
  Call(CallKind::kFree, 0, 0);
  ASSERT_EQ(Events().size(), 1);
  EXPECT_EQ(Events()[0].object, kNoObject);
}

TEST_F(EventBuilderTest, AReusedTidIsAnotherGeneration) {
  Call(CallKind::kMalloc, 0x1000, 10, 0, 0);
  builder_.EndThread(0);
  const spool::Record record = {spool::Head(static_cast<uint8_t>(Op::kThreadStart), 0, 0), 0};
  builder_.Take({7, 100, 50, 0, &record, nullptr});
  ASSERT_EQ(sink_.threads.size(), 2);
  EXPECT_EQ(sink_.threads[0].generation(), 0);
  EXPECT_EQ(sink_.threads[1].generation(), 1);
}

}  // namespace
}  // namespace reheap
