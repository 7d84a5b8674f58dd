// TraceCursor: the events of a trace in order, in batches of the caller's size (row 5 of the walk).
//
// The loop every tool is written around:
//   while (true) {
//     absl::StatusOr<size_t> count = cursor->NextBatch(batch, capacity);
//     if (!count.ok()) return count.status();
//     if (*count == 0) break;
//     ... batch[0] to batch[*count - 1] ...
//   }
// A batch of 256 events (14 KiB) stays in the first-level cache between decoding and use.
//
// Ownership: owns its reader. Threads: one at a time. Limits: memory is one block.
#ifndef REHEAP_TRACES_TRACE_CURSOR_H_
#define REHEAP_TRACES_TRACE_CURSOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "proto/trace.pb.h"
#include "traces/trace_event.h"
#include "traces/trace_reader.h"

namespace reheap {

class TraceCursor {
 public:
  static absl::StatusOr<std::unique_ptr<TraceCursor>> Open(const std::string& path,
                                                           const TraceReaderOptions& options = {});
  explicit TraceCursor(std::unique_ptr<TraceReader> reader) : reader_(std::move(reader)) {}

  const proto::TraceHeader& header() const { return reader_->header(); }
  const proto::TraceTrailer* trailer() const { return reader_->trailer(); }
  const TraceReader& reader() const { return *reader_; }

  // The next events, never more than `capacity`; fewer at the end of a block; 0 = end of the trace.
  // Preconditions: capacity > 0.
  absl::StatusOr<size_t> NextBatch(TraceEvent* events, size_t capacity);

  // Where the first event of the last batch stands: its block, and its number in the file.
  uint64_t block() const { return block_.number(); }
  uint64_t first_event() const { return batch_first_event_; }

 private:
  std::unique_ptr<TraceReader> reader_;
  TraceBlock block_;
  uint64_t batch_first_event_ = 0;
  uint64_t next_event_ = 0;
};

}  // namespace reheap

#endif  // REHEAP_TRACES_TRACE_CURSOR_H_
