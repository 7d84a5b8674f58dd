#include "traces/lane_merger.h"

#include <algorithm>
#include <limits>
#include <queue>
#include <utility>

namespace reheap {
namespace {

using spool::Op;

uint8_t OpOf(const spool::Record& record) { return static_cast<uint8_t>(record.head >> spool::kOpShift); }

bool IsClock(const spool::Record& record) { return OpOf(record) == static_cast<uint8_t>(Op::kClock); }

constexpr uint64_t kForever = std::numeric_limits<uint64_t>::max();

}  // namespace

void LaneMerger::Add(uint32_t number, int32_t tid, absl::Span<const spool::Record> records) {
  Lane& lane = lanes_[number];
  lane.tid = tid;
  lane.records.insert(lane.records.end(), records.begin(), records.end());
}

uint64_t LaneMerger::Horizon() const {
  uint64_t horizon = kForever;
  for (const auto& [number, lane] : lanes_) {
    if (lane.swept_before == lane.records.size()) continue;
    const spool::Record& first_new = lane.records[lane.swept_before];
    horizon = std::min(horizon, IsClock(first_new) ? first_new.value : lane.clock_at_sweep);
  }
  return horizon;
}

bool LaneMerger::Settle(Lane& lane) {
  while (lane.next < lane.records.size() && IsClock(lane.records[lane.next])) {
    lane.clock = lane.records[lane.next].value;
    lane.coarse_us = lane.records[lane.next].head & spool::kAddressMask;
    ++lane.next;
  }
  return lane.next < lane.records.size();
}

void LaneMerger::EmitRun(uint32_t number, Lane& lane, const Emit& emit) {
  for (; lane.next < lane.records.size() && !IsClock(lane.records[lane.next]); ++lane.next) {
    const spool::Record& record = lane.records[lane.next];
    if (OpOf(record) == static_cast<uint8_t>(Op::kExtra)) continue;
    const bool extended = (record.head >> spool::kFlagsShift & spool::kExtended) != 0 && lane.next > 0;
    emit({number, lane.tid, lane.clock, lane.coarse_us, &record, extended ? &record - 1 : nullptr});
  }
}

void LaneMerger::EmitBefore(uint64_t horizon, const Emit& emit) {
  using Head = std::pair<uint64_t, uint32_t>;  // time, lane
  std::priority_queue<Head, std::vector<Head>, std::greater<Head>> heads;
  for (auto& [number, lane] : lanes_) {
    if (Settle(lane)) heads.push({lane.clock, number});
  }
  while (!heads.empty() && heads.top().first < horizon) {
    const uint32_t number = heads.top().second;
    heads.pop();
    Lane& lane = lanes_[number];
    EmitRun(number, lane, emit);
    if (Settle(lane)) heads.push({lane.clock, number});
  }
}

// Emitted records go; an extra record whose partner is still to come stays.
void LaneMerger::Compact(Lane& lane) {
  size_t done = lane.next;
  if (done > 0 && OpOf(lane.records[done - 1]) == static_cast<uint8_t>(Op::kExtra)) --done;
  lane.records.erase(lane.records.begin(), lane.records.begin() + static_cast<ptrdiff_t>(done));
  lane.next -= done;
}

void LaneMerger::EmitSafe(const Emit& emit) {
  EmitBefore(Horizon(), emit);
  for (auto& [number, lane] : lanes_) {
    Compact(lane);
    lane.swept_before = lane.records.size();
    lane.clock_at_sweep = lane.clock;
    for (size_t i = lane.records.size(); i > lane.next; --i) {
      if (!IsClock(lane.records[i - 1])) continue;
      lane.clock_at_sweep = lane.records[i - 1].value;
      break;
    }
  }
}

void LaneMerger::EmitAll(const Emit& emit) {
  EmitBefore(kForever, emit);
  for (auto& [number, lane] : lanes_) Compact(lane);
}

uint64_t LaneMerger::pending_records(uint32_t lane) const {
  const auto it = lanes_.find(lane);
  return it == lanes_.end() ? 0 : it->second.records.size() - it->second.next;
}

}  // namespace reheap
