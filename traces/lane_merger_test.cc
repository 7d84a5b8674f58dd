#include "traces/lane_merger.h"

#include <vector>

#include "gtest/gtest.h"

namespace reheap {
namespace {

using spool::Op;
using spool::Record;

Record Clock(uint64_t ticks) { return {spool::Head(static_cast<uint8_t>(Op::kClock), 0, 0), ticks}; }
// `name` tells events apart in what was emitted.
Record Event(uint64_t name) { return {spool::Head(static_cast<uint8_t>(Op::kCall) + 1, name, 0), 0}; }

class LaneMergerTest : public testing::Test {
 protected:
  void Add(uint32_t lane, std::vector<Record> records) { merger_.Add(lane, 100, records); }
  std::vector<uint64_t> Safe() {
    emitted_.clear();
    merger_.EmitSafe([this](const OrderedRecord& record) { Note(record); });
    return emitted_;
  }
  std::vector<uint64_t> All() {
    emitted_.clear();
    merger_.EmitAll([this](const OrderedRecord& record) { Note(record); });
    return emitted_;
  }
  void Note(const OrderedRecord& record) { emitted_.push_back(record.record->head & spool::kAddressMask); }

  LaneMerger merger_;
  std::vector<uint64_t> emitted_;
};

using Names = std::vector<uint64_t>;

TEST_F(LaneMergerTest, SortsByTheLastClockAndKeepsEachLanesOrder) {
  Add(0, {Clock(10), Event(1), Event(2), Clock(30), Event(3)});
  Add(1, {Clock(20), Event(4), Clock(40), Event(5)});
  EXPECT_EQ(All(), (Names{1, 2, 4, 3, 5}));
}

TEST_F(LaneMergerTest, WhatOneSweepSawWaitsForTheNext) {
  Add(0, {Clock(10), Event(1)});
  EXPECT_EQ(Safe(), Names{});
  EXPECT_EQ(Safe(), Names{1});
}

// Lane 1's event 3 was stored while lane 0 was read already: its predecessor 2 arrives one sweep later.
TEST_F(LaneMergerTest, APredecessorThatIsSeenLaterStillComesFirst) {
  Add(0, {Clock(10), Event(1)});
  Add(1, {Clock(20), Event(3)});
  EXPECT_EQ(Safe(), Names{});
  Add(0, {Event(2)});
  EXPECT_EQ(Safe(), Names{});  // nothing before time 10, when the new record's lane stood
  EXPECT_EQ(Safe(), (Names{1, 2, 3}));
}

TEST_F(LaneMergerTest, AnIdleLaneHoldsNobodyUp) {
  Add(0, {Clock(10), Event(1)});
  Add(1, {Clock(20), Event(2)});
  Safe();
  EXPECT_EQ(Safe(), (Names{1, 2}));
  Add(1, {Clock(50), Event(3)});
  EXPECT_EQ(Safe(), Names{});
  EXPECT_EQ(Safe(), Names{3});
}

TEST_F(LaneMergerTest, AnExtraRecordReachesItsPartnerAcrossSweeps) {
  const Record extra = {spool::Head(static_cast<uint8_t>(Op::kExtra), 0, 0), 77};
  Record partner = Event(1);
  partner.head |= uint64_t{spool::kExtended} << spool::kFlagsShift;
  Add(0, {Clock(10), extra});
  Safe();
  Safe();
  Add(0, {partner});
  uint64_t seen = 0;
  merger_.EmitAll([&](const OrderedRecord& record) { seen = record.extra == nullptr ? 0 : record.extra->value; });
  EXPECT_EQ(seen, 77);
}

}  // namespace
}  // namespace reheap
