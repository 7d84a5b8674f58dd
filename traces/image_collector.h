// ImageCollector: one process image's way from spool to trace file (row 3 of the walk; the Collector has many).
//
// Ownership: owns the reader, merger, builder and writer. Threads: one.
#ifndef REHEAP_TRACES_IMAGE_COLLECTOR_H_
#define REHEAP_TRACES_IMAGE_COLLECTOR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "traces/event_builder.h"
#include "traces/lane_merger.h"
#include "traces/spool_reader.h"
#include "traces/trace_writer.h"

namespace reheap {

class ImageCollector {
 public:
  struct Options {
    std::string trace_path;
    int zstd_level = 1;
    HeapSnapshot inherited;
    std::function<void(uint32_t fork_number, HeapSnapshot)> on_fork;
  };

  static absl::StatusOr<std::unique_ptr<ImageCollector>> Create(std::unique_ptr<SpoolReader> spool, Options options);
  ~ImageCollector();

  // Ticks the epoch, takes what is new, emits what is safe.
  absl::Status Step();
  // Looks which ending threads the kernel has let go; the Step after that ends their lanes.
  void NoteGoneThreads();
  void SampleMemory();
  // The image is over (or told to stop): the rest, and the end of the file.
  absl::Status Finish(bool in_order);

  SpoolReader& spool() { return *spool_; }
  const spool::ControlPage& control() const { return spool_->control(); }
  const std::string& trace_path() const { return trace_path_; }
  uint64_t events() const { return builder_->events(); }
  uint64_t dropped_events() const;

 private:
  class WriterSink;

  ImageCollector(std::unique_ptr<SpoolReader> spool, Options options, std::unique_ptr<TraceWriter> writer);

  uint64_t TimeOf(const OrderedRecord& record) const;
  std::string ThreadName(int32_t tid) const;
  uint64_t SweepOnce();
  void EndGoneThreads();

  const std::unique_ptr<SpoolReader> spool_;
  const std::string trace_path_;
  const std::unique_ptr<TraceWriter> writer_;
  std::unique_ptr<WriterSink> sink_;
  std::unique_ptr<EventBuilder> builder_;
  LaneMerger merger_;
  double tick_ns_;
  int statm_fd_ = -1;
  std::vector<uint32_t> gone_lanes_;
};

}  // namespace reheap

#endif  // REHEAP_TRACES_IMAGE_COLLECTOR_H_
