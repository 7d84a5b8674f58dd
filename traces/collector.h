// Collector: turns the spools of a directory into trace files, while the programs run or afterwards (row 3 of
// the walk).
//
//   spool file --SpoolReader--> records per lane --LaneMerger--> one order --EventBuilder--> events --> TraceWriter
//
// Every process image (a process between two execs) has its own spool and becomes its own trace file. The
// last image of the root process gets the name asked for; others get it with .PID or, when a
// process had several images, .PID.N behind.
//
// Ownership: owns its images; removes a spool when its trace is written. Threads: one; call Step() about every
// millisecond. Limits: one descriptor and two mappings per living image.
#ifndef REHEAP_TRACES_COLLECTOR_H_
#define REHEAP_TRACES_COLLECTOR_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "traces/event_builder.h"
#include "traces/spool_reader.h"

namespace reheap {

struct RecordedProcess {
  std::string path;     // the trace file
  int pid = 0;
  std::string program;  // path of the executable
  uint64_t events = 0;
  // Events that happened and are not in the trace, for whatever reason.
  uint64_t dropped_events = 0;
};

struct CollectorOptions {
  std::string directory;  // of spools
  std::string output;     // path of the root's trace
  int root_pid = 0;       // 0: the process whose spool started first
  int zstd_level = 1;
  // Programs are running: recycle their segments, and leave an empty file in the place of a finished spool, so that the
  // next image of the process finds the name taken. Else spools are only read, and removed when all traces are written.
  bool live = true;
};

class ImageCollector;  // one process image

class Collector {
 public:
  explicit Collector(CollectorOptions options);
  ~Collector();

  // Finds new spools, takes what was recorded, finishes the traces of images that are gone.
  absl::Status Step();
  // Living images that are being recorded.
  size_t active_images() const { return active_.size(); }
  bool found_any() const { return !finished_.empty() || !active_.empty(); }

  // Tells living images to stop recording and finishes every trace.
  absl::Status Finish();
  // Tells every image to stop, and writes nothing more: for when a Step() or Finish() failed.
  void Abandon();
  // Finished traces, the root's first; complete after Finish().
  const std::vector<RecordedProcess>& processes() const { return processes_; }

 private:
  using ImageId = std::pair<int32_t, uint32_t>;  // pid, image
  struct FinishedImage {
    ImageId id;
    std::string spool_path;
    uint64_t start_time_unix_ns;
    RecordedProcess process;
  };

  absl::Status FindSpools();
  // Unavailable: still being set up. FailedPrecondition: a forked child whose parent must be merged first.
  absl::Status OpenSpool(const ImageId& id, const std::string& path);
  absl::Status FinishImage(const ImageId& id, bool in_order);
  // Whether nothing will be added to the image's spool any more.
  bool IsOver(const ImageId& id) const;
  absl::Status NameFiles();

  const CollectorOptions options_;
  std::map<ImageId, std::unique_ptr<ImageCollector>> active_;
  std::map<ImageId, std::string> waiting_;  // spools that are still being set up
  std::map<std::pair<ImageId, uint32_t>, HeapSnapshot> snapshots_;  // image, fork number
  std::set<ImageId> finished_ids_;
  std::vector<FinishedImage> finished_;
  std::vector<RecordedProcess> processes_;
  int64_t next_check_ns_ = 0;
};

// Joins what a recorder without a collector left in `directory` into `output` (and output.PID...). Processes that still
// run are told to stop recording.
absl::Status CollectSpool(const std::string& directory, const std::string& output);

}  // namespace reheap

#endif  // REHEAP_TRACES_COLLECTOR_H_
