// The order between threads, checked by trying every interleaving of the recorder's steps on a small machine.
//
// The machine has one word of the table of last owners, a clock, and threads that each do a list of events; it takes
// the steps that traces/recorder/lane.h takes, one at a time, in every order that the program's own dependencies
// allow. At the end of each run the claim of traces/recorder/README.md must hold: of two consecutive events on one
// address, by different threads, the earlier one has the smaller time. A part of the runs goes through LaneMerger too.
#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "traces/lane_merger.h"

namespace reheap {
namespace {

using spool::Op;
using spool::Record;

constexpr int kNobody = 0;
constexpr int kClaiming = 100;
constexpr int kNameless = -1;

// One event of a thread. It begins when `after` events on its address have been stored: an object is freed by whoever
// got it, an address is given out after its free.
struct Planned {
  int address;
  int after;
  bool tick = false;  // the collector's tick makes the thread read the clock first
};

struct Plan {
  int name;  // kNameless: past its last destructor
  std::vector<Planned> events;
};

// Broken variants that the test must find out, so that it is known to be able to.
enum class Protocol { kReal, kNoClaim, kNamelessMarkIsAHit, kClockBeforeClaim };

enum class Step { kBegin, kRead, kMark, kClock, kSettle, kNobody, kStore };

struct Lane {
  size_t event = 0;
  Step step = Step::kBegin;
  int time = 0;
};

struct Stored {
  int lane;
  int time;
};

struct Machine {
  int word = kNobody;
  int clock = 0;
  std::array<Lane, 3> lanes;
  std::array<std::array<Stored, 4>, 2> stored{};  // by address, in the order that happened
  std::array<int, 2> stored_count{};
};

class Explorer {
 public:
  Explorer(std::vector<Plan> plans, Protocol protocol) : plans_(std::move(plans)), protocol_(protocol) {
    Machine machine;
    // Every thread's first record has a clock.
    for (size_t i = 0; i < plans_.size(); ++i) machine.lanes[i].time = ++machine.clock;
    Explore(machine);
  }
  uint64_t runs() const { return runs_; }
  uint64_t violations() const { return violations_; }

 private:
  int MarkOf(int name) const {
    if (name != kNameless) return kClaiming + name;
    return protocol_ == Protocol::kNamelessMarkIsAHit ? kNameless : kClaiming;
  }

  void Explore(const Machine& machine) {
    bool ended = true;
    for (size_t i = 0; i < plans_.size(); ++i) {
      if (machine.lanes[i].event == plans_[i].events.size()) continue;
      ended = false;
      const Planned& planned = plans_[i].events[machine.lanes[i].event];
      if (machine.lanes[i].step == Step::kBegin &&
          machine.stored_count[static_cast<size_t>(planned.address)] < planned.after) {
        continue;
      }
      Machine next = machine;
      Take(next, i, planned);
      Explore(next);
    }
    if (ended) Check(machine);
  }

  void Take(Machine& machine, size_t index, const Planned& planned) {
    Lane& lane = machine.lanes[index];
    const int name = plans_[index].name;
    switch (lane.step) {
      case Step::kBegin:
        if (planned.tick) lane.time = ++machine.clock;
        lane.step = Step::kRead;
        break;
      case Step::kRead:
        if (protocol_ == Protocol::kNoClaim || machine.word == name) {
          lane.step = Step::kStore;
        } else {
          lane.step = protocol_ == Protocol::kClockBeforeClaim ? Step::kClock : Step::kMark;
        }
        break;
      case Step::kMark:
        machine.word = MarkOf(name);
        lane.step = protocol_ == Protocol::kClockBeforeClaim ? Step::kSettle : Step::kClock;
        break;
      case Step::kClock:
        lane.time = ++machine.clock;
        lane.step = protocol_ == Protocol::kClockBeforeClaim ? Step::kMark : Step::kSettle;
        break;
      case Step::kSettle:
        if (machine.word == MarkOf(name)) {
          machine.word = name == kNameless ? kNobody : name;
          lane.step = Step::kStore;
        } else {
          lane.step = Step::kNobody;
        }
        break;
      case Step::kNobody:
        machine.word = kNobody;
        lane.step = Step::kStore;
        break;
      case Step::kStore: {
        const auto address = static_cast<size_t>(planned.address);
        machine.stored[address][static_cast<size_t>(machine.stored_count[address]++)] = {static_cast<int>(index),
                                                                                         lane.time};
        lane.step = Step::kBegin;
        ++lane.event;
      }
    }
  }

  void Check(const Machine& machine) {
    ++runs_;
    for (size_t address = 0; address < 2; ++address) {
      for (int i = 1; i < machine.stored_count[address]; ++i) {
        const Stored& before = machine.stored[address][static_cast<size_t>(i - 1)];
        const Stored& after = machine.stored[address][static_cast<size_t>(i)];
        if (before.lane != after.lane && before.time >= after.time) ++violations_;
      }
    }
    if (protocol_ == Protocol::kReal && runs_ % 64 == 0) CheckMerged(machine);
  }

  // The lanes as the collector would find them, in one sweep each: their order per address is the one that happened.
  void CheckMerged(const Machine& machine) {
    LaneMerger merger;
    for (size_t lane = 0; lane < plans_.size(); ++lane) {
      std::vector<Record> records;
      std::array<int, 2> place{};
      for (const Planned& planned : plans_[lane].events) {
        const auto address = static_cast<size_t>(planned.address);
        int& at = place[address];
        while (machine.stored[address][static_cast<size_t>(at)].lane != static_cast<int>(lane)) ++at;
        records.push_back({spool::Head(static_cast<uint8_t>(Op::kClock), 0, 0),
                           static_cast<uint64_t>(machine.stored[address][static_cast<size_t>(at)].time)});
        records.push_back({spool::Head(static_cast<uint8_t>(Op::kCall) + 1, address, 0), static_cast<uint64_t>(at)});
        ++at;
      }
      merger.Add(static_cast<uint32_t>(lane), 100, records);
    }
    std::array<uint64_t, 2> next{};
    merger.EmitAll([&](const OrderedRecord& record) {
      const uint64_t address = record.record->head & spool::kAddressMask;
      EXPECT_EQ(record.record->value, next[address]++);
    });
  }

  const std::vector<Plan> plans_;
  const Protocol protocol_;
  uint64_t runs_ = 0;
  uint64_t violations_ = 0;
};

// Thread 1 frees what thread 2 is given and frees; thread 1 gets it again. Ticks where they hurt.
std::vector<Plan> HandOver(bool first_tick, bool second_tick) {
  return {{1, {{0, 0}, {0, 1, first_tick}, {0, 4}}}, {2, {{0, 2, second_tick}, {0, 3}}}};
}

// Two threads with an address each on one word, and an object that goes over.
std::vector<Plan> SharedWord(int tick) {
  return {{1, {{0, 0, tick == 0}, {1, 1, tick == 1}}}, {2, {{1, 0, tick == 2}, {0, 1, tick == 3}}}};
}

// A third thread claims the word for another address meanwhile.
std::vector<Plan> Bystander(int first, int second, int third, bool tick) {
  return {{first, {{0, 0, tick}}}, {second, {{0, 1}}}, {third, {{1, 0}}}};
}

std::vector<std::vector<Plan>> Programs() {
  std::vector<std::vector<Plan>> programs;
  for (const bool tick : {false, true}) {
    for (const bool other : {false, true}) programs.push_back(HandOver(tick, other));
    programs.push_back(Bystander(1, 2, 3, tick));
    programs.push_back(Bystander(kNameless, kNameless, kNameless, tick));
    programs.push_back(Bystander(1, kNameless, kNameless, tick));
    programs.push_back(Bystander(kNameless, 2, kNameless, tick));
  }
  for (int tick = 0; tick < 5; ++tick) programs.push_back(SharedWord(tick));
  return programs;
}

uint64_t ViolationsOf(Protocol protocol, uint64_t* runs) {
  uint64_t violations = 0;
  for (const std::vector<Plan>& program : Programs()) {
    const Explorer explorer(program, protocol);
    *runs += explorer.runs();
    violations += explorer.violations();
  }
  return violations;
}

TEST(OwnerProtocol, OrdersEveryInterleaving) {
  uint64_t runs = 0;
  EXPECT_EQ(ViolationsOf(Protocol::kReal, &runs), 0);
  EXPECT_GT(runs, 10'000);
}

TEST(OwnerProtocol, BrokenVariantsAreFoundOut) {
  uint64_t runs = 0;
  for (const Protocol broken : {Protocol::kNoClaim, Protocol::kNamelessMarkIsAHit, Protocol::kClockBeforeClaim}) {
    EXPECT_GT(ViolationsOf(broken, &runs), 0) << static_cast<int>(broken);
  }
}

}  // namespace
}  // namespace reheap
