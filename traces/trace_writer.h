// TraceWriter: the one way to make a trace file (row 3 of the walk: the collector and the importers write
// here).
//
//   Create(path, header)  ->  AddThread*  Append*  ->  Finish()
//
// Events go to a temporary file beside `path`, block by block; Finish() adds the trailer, the block index and
// the footer and renames it into place, so a reader never sees half a trace under the final name and the last
// of two writers wins whole. A `path` that exists and is not a regular file (a pipe, /dev/null) is written
// directly. Byte layout: FORMAT.md.
//
// Ownership: owns the temporary file; the destructor removes it unless Finish() succeeded. After an error
// every later call returns that error. Threads: one at a time. Limits: memory is one block, plus 32 bytes per
// object slot in use, plus about 12 bytes per block written.
#ifndef REHEAP_TRACES_TRACE_WRITER_H_
#define REHEAP_TRACES_TRACE_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/trace.pb.h"
#include "traces/block_encoder.h"
#include "traces/block_frame.h"
#include "traces/output_file.h"
#include "traces/trace_event.h"
#include "traces/trace_totals.h"

namespace reheap {

struct TraceWriterOptions {
  // A block is also cut when its columns reach 8 MiB or 256 distinct ops. 1 .. 1,048,576.
  uint32_t events_per_block = 65536;
  // 1 while recording; 3 or more for archives. 1 .. 19.
  int zstd_level = 1;
};

class TraceWriter {
 public:
  // A header without format_version gets the current one.
  static absl::StatusOr<std::unique_ptr<TraceWriter>> Create(const std::string& path,
                                                             const proto::TraceHeader& header,
                                                             const TraceWriterOptions& options = {});
  ~TraceWriter();
  TraceWriter(const TraceWriter&) = delete;
  TraceWriter& operator=(const TraceWriter&) = delete;

  // Returns the thread's number: what TraceEvent::thread says. Never refuses; numbers count from 0.
  uint32_t AddThread(const proto::TraceThread& thread);

  // Takes any TraceEvent as it is; whether the events make sense together is TraceChecker's question.
  // Refuses only what the file cannot say: a kind or call kind that does not exist.
  absl::Status Append(const TraceEvent& event) { return Append(&event, 1); }
  absl::Status Append(const TraceEvent* events, size_t count);

  // Events that happened and were not appended.
  void set_dropped_events(uint64_t dropped_events) { dropped_events_ = dropped_events; }
  // Default true; see TraceTrailer.
  void set_ended_in_order(bool ended_in_order) { ended_in_order_ = ended_in_order; }

  // Ends the file and gives it its name. Call once; nothing can be appended afterwards. The data is handed to
  // the kernel, not forced to the disk: a crash of the machine, not of the program, can still lose it.
  absl::Status Finish();

  // Bytes handed to the file so far.
  uint64_t bytes_written() const { return file_->bytes_written(); }
  uint64_t events_written() const { return totals_.events(); }

 private:
  TraceWriter(std::unique_ptr<OutputFile> file, const TraceWriterOptions& options);

  absl::Status WriteBlock(uint32_t type, const std::vector<std::string>& pieces);
  bool BlockIsFull() const;
  absl::Status FlushEvents();
  void FillTrailer(proto::TraceTrailer* trailer) const;

  const TraceWriterOptions options_;
  std::unique_ptr<OutputFile> file_;
  BlockCompressor compressor_;
  BlockEncoder encoder_;
  TraceTotals totals_;
  proto::BlockIndex index_;
  uint64_t last_offset_ = 0;
  uint64_t last_first_time_ns_ = 0;
  uint32_t next_block_ = 0;
  std::vector<proto::TraceThread> threads_;
  size_t threads_written_ = 0;
  uint64_t dropped_events_ = 0;
  bool ended_in_order_ = true;
  bool finished_ = false;
  absl::Status status_;
};

}  // namespace reheap

#endif  // REHEAP_TRACES_TRACE_WRITER_H_
