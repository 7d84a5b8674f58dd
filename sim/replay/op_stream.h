// OpStream: a trace file as checked ReplayOps, in total order (rows 5 and 6 of the walk).
//
// A replay must not be led into undefined behaviour by a bad trace: each op is checked against the set of live
// slots here, once, so that targets need not. A broken rule is an error that names the event; `reheap trace
// check` lists them all.
//
// Owns its cursor. Threads: one. Limits: memory grows with the number of slots (1 bit each) and threads.
#ifndef REHEAP_SIM_REPLAY_OP_STREAM_H_
#define REHEAP_SIM_REPLAY_OP_STREAM_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sim/replay/foreign_op.h"
#include "sim/replay/replay_op.h"
#include "traces/trace_cursor.h"

namespace reheap {

class OpStream {
 public:
  // Where a replay of the trace starts and how large its tables must be.
  struct Facts {
    uint32_t slot_count = 0;   // highest object slot + 1
    uint64_t event_count = 0;  // 0 = not known
    uint64_t foreign_count = 0;  // address-space calls, thread starts and ends among them
    bool has_times = false;      // some event has another time than 0
  };

  // A file without trailer was cut off: an error that says where, unless `allow_cut_off`; then its whole blocks
  // are replayed.
  static absl::StatusOr<std::unique_ptr<OpStream>> Open(const std::string& path, bool allow_cut_off);
  // Reads the whole trace when its trailer is missing, else just the trailer.
  static absl::StatusOr<Facts> ReadFacts(const std::string& path, bool allow_cut_off);

  const proto::TraceHeader& header() const { return cursor_->header(); }

  // Up to `capacity` ops; 0 at the end. `foreign` has as much room, for the address-space calls among them; null:
  // those are kNothing. `times` (null: nobody asks) gets the batch's. Preconditions: with times capacity <= BatchTimes::kMostOps.
  absl::StatusOr<size_t> Next(ReplayOp* ops, size_t capacity, ForeignOp* foreign = nullptr,
                              BatchTimes* times = nullptr);

 private:
  static constexpr uint64_t kNoThread = ~uint64_t{0};  // no uint32_t equals it

  OpStream(std::string path, std::unique_ptr<TraceCursor> cursor);

  // Whether `event` keeps the rules; its op in `op`.
  bool Translate(const TraceEvent& event, ReplayOp* op);
  void TranslateForeign(const TraceEvent& event, ReplayOp* op);
  bool TranslateObject(const TraceEvent& event, ReplayOp* op);
  void EndThread(uint32_t thread, ReplayOp* op);
  bool FindLane(uint32_t thread);
  void MarkTimes(size_t count, BatchTimes* times);
  // Which rule `event` breaks, after Translate said no.
  absl::Status Explain(const TraceEvent& event) const;
  absl::Status Broken(const TraceEvent& event, const char* rule) const;
  bool IsLive(uint32_t slot) const { return slot / 64 < live_.size() && (live_[slot / 64] >> slot % 64 & 1) != 0; }

  std::string path_;
  std::unique_ptr<TraceCursor> cursor_;
  std::vector<TraceEvent> events_;
  std::vector<uint64_t> live_;  // bit per slot
  uint32_t slot_limit_;         // the trailer's: tables are that large
  uint32_t slot_count_ = 0;     // highest slot seen + 1
  // The thread of the last op and its lane: most events are of the thread before.
  uint64_t last_thread_ = kNoThread;
  uint16_t last_lane_ = 0;
  std::vector<int32_t> lane_of_thread_;  // -1 = none
  std::vector<uint16_t> free_lanes_;
  uint32_t lanes_ever_ = 0;
  uint64_t event_number_ = 0;
  uint64_t next_mark_ns_ = BatchTimes::kTimeStepNs;
  uint64_t recorded_page_bytes_ = 4096;
  ForeignOp* foreign_ = nullptr;  // of the batch being made
  uint32_t foreign_count_ = 0;    // in it
  uint64_t foreign_left_ = 0;     // that may come yet, by the trailer
};

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_OP_STREAM_H_
