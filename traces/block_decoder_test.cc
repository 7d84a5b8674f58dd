// BlockDecoder on blocks spelled out column by column: what no encoder of ours writes and a file may hold.
#include "traces/block_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "proto/trace.pb.h"
#include "traces/op_code.h"

namespace reheap {
namespace {

using testing::HasSubstr;

constexpr uint32_t Flags(ObjectMode mode, uint32_t others) { return mode << kOpObjectShift | others; }
constexpr uint32_t kAllocateSlot = MakeOp(EventKind::kAllocate, CallKind::kMalloc, Flags(kBySlot, kOpSize));
constexpr uint32_t kFreeAllocation = MakeOp(EventKind::kFree, CallKind::kFree, Flags(kByAllocation, 0));
constexpr uint32_t kFreeSlot = MakeOp(EventKind::kFree, CallKind::kFree, Flags(kBySlot, 0));
constexpr uint32_t kReuseSlot = MakeOp(EventKind::kAllocate, CallKind::kMalloc, Flags(kReuse, kOpSize));
constexpr uint32_t kStart = MakeOp(EventKind::kThreadStart, CallKind::kUnknown, Flags(kNoObjectMode, kOpThread));

// A block whose op n is entry n of `ops`.
proto::EventColumnBytes Block(const std::vector<uint32_t>& ops) {
  proto::EventColumnBytes block;
  block.set_events(static_cast<uint32_t>(ops.size()));
  for (uint32_t op : ops) {
    block.mutable_ops()->push_back(static_cast<char>(block.op_table_size()));
    block.add_op_table(op);
  }
  return block;
}

absl::StatusOr<std::vector<TraceEvent>> Decode(const proto::EventColumnBytes& block) {
  BlockDecoder decoder;
  if (absl::Status status = decoder.Start(block.SerializeAsString()); !status.ok()) return status;
  std::vector<TraceEvent> events(block.events());
  const absl::StatusOr<size_t> count = decoder.Next(events.data(), events.size());
  if (!count.ok()) return count.status();
  events.resize(*count);
  return events;
}

TEST(BlockDecoderTest, ColumnsAreJoinedByTheModes) {
  proto::EventColumnBytes block = Block({kAllocateSlot, kAllocateSlot, kFreeAllocation, kReuseSlot, kFreeSlot, kStart});
  // Allocations: slot 0 + 5, then the next + 0. Frees: allocation 0 + 1; slot 0 + 5, of a path of its own.
  block.set_objects(std::string("\x0a\x00\x02\x0a", 4));
  block.set_sizes("\x10\xff\x7f\x40");  // 16; 16,383 in two bytes; 64
  block.set_threads("\x07");
  const auto events = Decode(block);
  ASSERT_TRUE(events.ok()) << events.status();
  ASSERT_EQ(events->size(), 6u);
  const uint32_t objects[] = {5, 6, 6, 6, 5, kNoObject};
  const uint64_t sizes[] = {16, 16383, 0, 64, 0, 0};
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ((*events)[i].object, objects[i]) << i;
    EXPECT_EQ((*events)[i].size, sizes[i]) << i;
    EXPECT_EQ((*events)[i].thread, i == 5 ? 7u : 0u) << i;
  }
}

TEST(BlockDecoderTest, TheLargestNumbersPass) {
  proto::EventColumnBytes block = Block({kAllocateSlot, kStart});
  block.set_objects("\xfc\xff\xff\xff\x1f");  // zigzag of 2^32 - 2, the highest slot
  block.set_sizes("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
  block.set_threads("\xff\xff\xff\xff\x0f");
  const auto events = Decode(block);
  ASSERT_TRUE(events.ok()) << events.status();
  EXPECT_EQ((*events)[0].object, kNoObject - 1);
  EXPECT_EQ((*events)[0].size, ~uint64_t{0});
  EXPECT_EQ((*events)[1].thread, 0xffffffffu);
}

TEST(BlockDecoderTest, EveryBrokenColumnIsAnErrorAtItsEvent) {
  using Columns = proto::EventColumnBytes;
  const struct {
    const char* what;
    std::vector<uint32_t> ops;
    std::function<void(Columns*)> change;
    const char* expected;
  } cases[] = {
      {"no sizes", {kAllocateSlot, kAllocateSlot}, [](Columns* b) { b->set_objects(std::string(2, '\0')); }, "event 0 "},
      {"one size too few", {kReuseSlot}, [](Columns*) {}, "event 0 "},
      {"half a size", {kAllocateSlot}, [](Columns* b) { b->set_objects(std::string(1, '\0')), b->set_sizes("\xff"); }, "event 0 "},
      {"half a long size", {kAllocateSlot},
       [](Columns* b) { b->set_objects(std::string(1, '\0')), b->set_sizes("\xff\xff\xff"); }, "event 0 "},
      {"a size of 65 bits", {kAllocateSlot},
       [](Columns* b) { b->set_objects(std::string(1, '\0')), b->set_sizes("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"); },
       "event 0 "},
      {"an endless size", {kAllocateSlot},
       [](Columns* b) { b->set_objects(std::string(1, '\0')), b->set_sizes(std::string(11, '\x80')); }, "event 0 "},
      {"a slot of 2^32 - 1", {kFreeSlot}, [](Columns* b) { b->set_objects("\xfe\xff\xff\xff\x1f"); }, "event 0 "},
      {"a slot below 0", {kFreeSlot}, [](Columns* b) { b->set_objects("\x01"); }, "event 0 "},
      {"an allocation that was not yet", {kFreeAllocation}, [](Columns* b) { b->set_objects(std::string(1, '\0')); },
       "event 0 "},
      {"a reuse of nothing", {kFreeSlot, kReuseSlot, kReuseSlot},
       [](Columns* b) { b->set_objects("\x02"), b->set_sizes("\x01\x01"); }, "event 2 "},
      {"a thread of 33 bits", {kStart}, [](Columns* b) { b->set_threads("\xff\xff\xff\xff\x1f"); }, "event 0 "},
      {"a size too many", {kStart}, [](Columns* b) { b->set_threads("\x01"), b->set_sizes("\x01"); }, "1 bytes too many"},
      {"an op beyond the table", {kStart}, [](Columns* b) { b->set_ops("\x01"); }, "op number 1"},
      {"more events than ops", {kStart}, [](Columns* b) { b->set_events(2); }, "2 events and has 1 ops"},
      {"a kind too high", {kEventKindCount}, [](Columns*) {}, "expected kind < 12"},
      {"a call too high", {uint32_t{kCallKindCount} << 8}, [](Columns*) {}, "call kind < 31"},
      {"a flag too many", {uint32_t{1} << (16 + kOpFlagBits)}, [](Columns*) {}, "9 flag bits"},
      {"event numbers beyond 2^64", {kStart}, [](Columns* b) { b->set_first_event(~uint64_t{0}); }, "do not fit"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.what);
    Columns block = Block(c.ops);
    c.change(&block);
    const auto events = Decode(block);
    ASSERT_FALSE(events.ok());
    EXPECT_EQ(events.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(events.status().message()), HasSubstr(c.expected));
  }
}

}  // namespace
}  // namespace reheap
