// SpoolReader: the collector's side of one process image's spool (row 3 of the walk).
//
// Each Sweep() hands over, lane by lane and in order, the records that were stored since the last one, and gives
// drained segments back to the recorder. The other side may be running, killed in the middle of a store, or
// hostile: every number read from the mapping is checked before it is used.
//
// Ownership: owns the mapping and the descriptor; the file is the caller's to remove. Threads: one.
// Limits: spools made by this version of spool.h.
#ifndef REHEAP_TRACES_SPOOL_READER_H_
#define REHEAP_TRACES_SPOOL_READER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "traces/recorder/spool.h"

namespace reheap {

class SpoolReader {
 public:
  // Unavailable: the recorder has not finished setting it up (or died while it did).
  // `recycle`: give drained segments back to a running recorder. Without it the spool is only read.
  static absl::StatusOr<std::unique_ptr<SpoolReader>> Open(const std::string& path, bool recycle);
  ~SpoolReader();
  SpoolReader(const SpoolReader&) = delete;
  SpoolReader& operator=(const SpoolReader&) = delete;

  // Called with a piece of a lane; pieces of one lane come in order.
  using TakeRecords = std::function<void(uint32_t lane, int32_t tid, absl::Span<const spool::Record> records)>;
  // Returns the number of records taken.
  uint64_t Sweep(const TakeRecords& take);
  // The lane's thread is gone: its last segment is given back.
  void ReleaseLane(uint32_t lane);

  // From now on a lane goes on behind segments that are gone: those that an earlier collector, killed since, had
  // taken and recycled. What is lost is counted, not guessed. For the last sweeps of a process that has ended.
  void PassOverGaps() { pass_over_gaps_ = true; }
  uint64_t lost_segments() const { return lost_segments_; }

  // The millisecond tick: running threads take a clock at their next event.
  void TickEpoch();
  // The recorder stops at its threads' next events.
  void StopRecording();

  const spool::ControlPage& control() const { return *control_; }
  uint64_t dropped_events() const { return control_->dropped_events.load(std::memory_order_relaxed); }
  // Bytes of the traced process's address space, and of its resident pages at most, that are the spool's.
  uint64_t mapped_bytes() const { return file_bytes_; }
  uint64_t resident_bytes() const;
  const std::string& path() const { return path_; }

  // Text copied by the recorder at its start.
  absl::string_view maps() const { return facts(0, control_->maps_bytes); }
  absl::string_view arguments() const { return facts(control_->maps_bytes, control_->arguments_bytes); }
  absl::string_view program() const;

 private:
  struct LaneProgress {
    uint32_t next_sequence = 0;
    uint32_t taken = 0;  // records of the current segment
  };
  struct OpenSegment {
    uint32_t lane;
    uint32_t sequence;
    uint32_t index;
  };

  SpoolReader(std::string path, uint8_t* base, uint64_t file_bytes, bool recycle);

  void ListSegments();
  void SkipTo(uint32_t sequence, LaneProgress& progress);
  bool Drain(const OpenSegment& open, LaneProgress& progress, const TakeRecords& take, uint64_t* taken);
  absl::string_view facts(uint64_t offset, uint64_t bytes) const;
  std::atomic<uint32_t>& state(uint32_t index) const;
  spool::Segment& segment(uint32_t index) const;
  uint32_t segments_made() const;

  const std::string path_;
  uint8_t* const base_;
  const uint64_t file_bytes_;
  const bool recycle_;
  bool pass_over_gaps_ = false;
  uint64_t lost_segments_ = 0;
  spool::ControlPage* const control_;
  uint32_t max_segments_;
  std::vector<OpenSegment> open_;  // reused by each sweep
  absl::flat_hash_map<uint32_t, LaneProgress> lanes_;
};

}  // namespace reheap

#endif  // REHEAP_TRACES_SPOOL_READER_H_
