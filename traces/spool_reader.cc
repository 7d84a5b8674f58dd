#include "traces/spool_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"

namespace reheap {

using spool::ControlPage;

absl::StatusOr<std::unique_ptr<SpoolReader>> SpoolReader::Open(const std::string& path, bool recycle) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return absl::ErrnoToStatus(errno, path);
  struct stat info;
  void* base = MAP_FAILED;
  uint64_t bytes = 0;
  if (fstat(fd, &info) == 0 && static_cast<uint64_t>(info.st_size) >= spool::kControlBytes) {
    bytes = static_cast<uint64_t>(info.st_size);
    base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  }
  close(fd);
  if (bytes == 0) return absl::UnavailableError(path + ": no control page yet");
  if (base == MAP_FAILED) return absl::ErrnoToStatus(errno, path + ": mmap");
  std::unique_ptr<SpoolReader> reader(new SpoolReader(path, static_cast<uint8_t*>(base), bytes, recycle));
  const ControlPage& control = reader->control();
  if (control.phase.load(std::memory_order_acquire) == spool::kStarting) {
    return absl::UnavailableError(path + ": the recorder has not started");
  }
  if (control.magic != spool::kMagic || control.version != spool::kVersion) {
    return absl::DataLossError(absl::StrFormat("%s: offset 0: not a spool of version %d", path, spool::kVersion));
  }
  const uint32_t segments = control.max_segments;
  if (spool::FileBytes(segments) != bytes || control.facts_offset != spool::FactsOffset(segments) ||
      control.segments_offset != spool::SegmentsOffset(segments)) {
    return absl::DataLossError(absl::StrFormat("%s: offset 12: %d segments do not make %d bytes", path, segments, bytes));
  }
  reader->max_segments_ = segments;
  reader->control_->collector_attached.store(1, std::memory_order_relaxed);
  return reader;
}

SpoolReader::SpoolReader(std::string path, uint8_t* base, uint64_t file_bytes, bool recycle)
    : path_(std::move(path)),
      base_(base),
      file_bytes_(file_bytes),
      recycle_(recycle),
      control_(reinterpret_cast<ControlPage*>(base)),
      max_segments_(0) {}

SpoolReader::~SpoolReader() { munmap(base_, file_bytes_); }

std::atomic<uint32_t>& SpoolReader::state(uint32_t index) const {
  return reinterpret_cast<std::atomic<uint32_t>*>(base_ + spool::kControlBytes)[index];
}

spool::Segment& SpoolReader::segment(uint32_t index) const {
  return *reinterpret_cast<spool::Segment*>(base_ + spool::SegmentsOffset(max_segments_) +
                                            uint64_t{index} * spool::kSegmentBytes);
}

uint32_t SpoolReader::segments_made() const {
  return std::min(control_->segments_made.load(std::memory_order_acquire), max_segments_);
}

uint64_t SpoolReader::resident_bytes() const {
  return spool::SegmentsOffset(max_segments_) + uint64_t{segments_made()} * spool::kSegmentBytes;
}

absl::string_view SpoolReader::facts(uint64_t offset, uint64_t bytes) const {
  if (offset > spool::kFactsBytes) return {};
  bytes = std::min(bytes, spool::kFactsBytes - offset);
  return {reinterpret_cast<const char*>(base_ + spool::FactsOffset(max_segments_) + offset), bytes};
}

absl::string_view SpoolReader::program() const {
  return facts(uint64_t{control_->maps_bytes} + control_->arguments_bytes, control_->program_bytes);
}

void SpoolReader::TickEpoch() { control_->epoch.fetch_add(1, std::memory_order_relaxed); }

void SpoolReader::StopRecording() {
  control_->stop.store(1, std::memory_order_relaxed);
  TickEpoch();
}

void SpoolReader::ListSegments() {
  open_.clear();
  const uint32_t made = segments_made();
  for (uint32_t index = 0; index < made; ++index) {
    const uint32_t now = state(index).load(std::memory_order_acquire);
    if (now != spool::kActive && now != spool::kClosed) continue;
    const spool::Segment& here = segment(index);
    open_.push_back({here.lane, here.sequence, index});
  }
  std::sort(open_.begin(), open_.end(), [](const OpenSegment& a, const OpenSegment& b) {
    return std::pair(a.lane, a.sequence) < std::pair(b.lane, b.sequence);
  });
}

// Takes what is new in the segment. True: it was closed and is drained, so the lane goes on in the next one.
bool SpoolReader::Drain(const OpenSegment& open, LaneProgress& progress, const TakeRecords& take, uint64_t* taken) {
  spool::Segment& here = segment(open.index);
  // State first: a segment seen closed has its final `used`.
  const bool closed = state(open.index).load(std::memory_order_acquire) == spool::kClosed;
  const uint32_t used = std::min(here.used.load(std::memory_order_acquire), spool::kSegmentRecords);
  if (used > progress.taken) {
    take(open.lane, here.tid, absl::MakeConstSpan(here.records + progress.taken, used - progress.taken));
    *taken += used - progress.taken;
    progress.taken = used;
  }
  if (!closed) return false;
  if (recycle_) state(open.index).store(spool::kFree, std::memory_order_release);
  ++progress.next_sequence;
  progress.taken = 0;
  return true;
}

void SpoolReader::SkipTo(uint32_t sequence, LaneProgress& progress) {
  if (sequence == progress.next_sequence) return;
  lost_segments_ += sequence - progress.next_sequence;
  progress.next_sequence = sequence;
  progress.taken = 0;
}

void SpoolReader::ReleaseLane(uint32_t lane) {
  ListSegments();
  for (const OpenSegment& open : open_) {
    if (open.lane == lane && recycle_) state(open.index).store(spool::kFree, std::memory_order_release);
  }
  lanes_.erase(lane);
}

uint64_t SpoolReader::Sweep(const TakeRecords& take) {
  ListSegments();
  uint64_t taken = 0;
  for (size_t i = 0; i < open_.size();) {
    const uint32_t lane = open_[i].lane;
    LaneProgress& progress = lanes_[lane];
    // A later segment of a lane waits until the ones before it are drained. One that was opened while the list
    // was made is found by the next sweep.
    bool in_order = true;
    for (; i < open_.size() && open_[i].lane == lane; ++i) {
      // Drained before, and kept because nothing is recycled.
      if (open_[i].sequence < progress.next_sequence) continue;
      if (pass_over_gaps_ && in_order) SkipTo(open_[i].sequence, progress);
      in_order = in_order && open_[i].sequence == progress.next_sequence && Drain(open_[i], progress, take, &taken);
    }
  }
  return taken;
}

}  // namespace reheap
