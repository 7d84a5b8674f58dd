#include "traces/image_collector.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "traces/process_facts.h"

namespace reheap {

class ImageCollector::WriterSink final : public EventSink {
 public:
  explicit WriterSink(TraceWriter* writer) : writer_(writer) {}
  uint32_t AddThread(const proto::TraceThread& thread) override { return writer_->AddThread(thread); }
  absl::Status Append(const TraceEvent* events, size_t count) override { return writer_->Append(events, count); }

 private:
  TraceWriter* const writer_;
};

absl::StatusOr<std::unique_ptr<ImageCollector>> ImageCollector::Create(std::unique_ptr<SpoolReader> spool,
                                                                       Options options) {
  TraceWriterOptions writer_options;
  writer_options.zstd_level = options.zstd_level;
  absl::StatusOr<std::unique_ptr<TraceWriter>> writer =
      TraceWriter::Create(options.trace_path, DescribeProcess(*spool), writer_options);
  if (!writer.ok()) return writer.status();
  return std::unique_ptr<ImageCollector>(
      new ImageCollector(std::move(spool), std::move(options), *std::move(writer)));
}

ImageCollector::ImageCollector(std::unique_ptr<SpoolReader> spool, Options options,
                               std::unique_ptr<TraceWriter> writer)
    : spool_(std::move(spool)),
      trace_path_(std::move(options.trace_path)),
      writer_(std::move(writer)),
      sink_(std::make_unique<WriterSink>(writer_.get())),
      tick_ns_(control().clock_kind == spool::kTsc ? TscTickNs() : 0) {
  EventBuilderOptions builder;
  builder.time_ns = [this](const OrderedRecord& record) { return TimeOf(record); };
  builder.thread_name = [this](int32_t tid) { return ThreadName(tid); };
  builder.inherited = std::move(options.inherited);
  builder.lossy = [this] { return spool_->dropped_events() + spool_->lost_segments() != 0; };
  builder.on_fork = std::move(options.on_fork);
  builder_ = std::make_unique<EventBuilder>(std::move(builder), sink_.get());
  // Kept open: a later process with the same pid is then never sampled by mistake.
  statm_fd_ = open(absl::StrCat("/proc/", control().pid, "/statm").c_str(), O_RDONLY | O_CLOEXEC);
}

ImageCollector::~ImageCollector() {
  if (statm_fd_ >= 0) close(statm_fd_);
}

uint64_t ImageCollector::TimeOf(const OrderedRecord& record) const {
  if (control().clock_kind != spool::kTsc) return record.coarse_us * 1000;
  if (record.clock <= control().clock_at_start) return 0;
  return static_cast<uint64_t>(static_cast<double>(record.clock - control().clock_at_start) * tick_ns_);
}

std::string ImageCollector::ThreadName(int32_t tid) const {
  std::ifstream file(absl::StrCat("/proc/", control().pid, "/task/", tid, "/comm"));
  std::string name;
  std::getline(file, name);
  return name;
}

uint64_t ImageCollector::SweepOnce() {
  return spool_->Sweep([this](uint32_t lane, int32_t tid, absl::Span<const spool::Record> records) {
    merger_.Add(lane, tid, records);
  });
}

absl::Status ImageCollector::Step() {
  spool_->TickEpoch();
  SweepOnce();
  merger_.EmitSafe([this](const OrderedRecord& record) { builder_->Take(record); });
  EndGoneThreads();
  return builder_->Flush();
}

void ImageCollector::NoteGoneThreads() {
  gone_lanes_.clear();
  for (const auto& [lane, tid] : builder_->ending_lanes()) {
    if (access(absl::StrCat("/proc/", control().pid, "/task/", tid).c_str(), F_OK) != 0) gone_lanes_.push_back(lane);
  }
  std::sort(gone_lanes_.begin(), gone_lanes_.end());
}

void ImageCollector::EndGoneThreads() {
  for (const uint32_t lane : gone_lanes_) {
    if (merger_.pending_records(lane) != 0) continue;
    builder_->EndThread(lane);
    spool_->ReleaseLane(lane);
    merger_.Forget(lane);
  }
  gone_lanes_.clear();
}

void ImageCollector::SampleMemory() {
  char text[128];
  const ssize_t length = statm_fd_ < 0 ? -1 : pread(statm_fd_, text, sizeof(text) - 1, 0);
  if (length <= 0) return;
  text[length] = 0;
  unsigned long long pages = 0;
  unsigned long long resident = 0;
  if (std::sscanf(text, "%llu %llu", &pages, &resident) != 2 || pages == 0) return;
  const uint64_t page_bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  // Less what the recorder brought: its spool. (Its code and tables, about 300 KiB, stay in.)
  const uint64_t vsize = pages * page_bytes;
  const uint64_t rss = resident * page_bytes;
  const uint64_t spool_resident = spool_->resident_bytes();
  builder_->AddMemorySample(vsize - std::min<uint64_t>(vsize, spool_->mapped_bytes()),
                            rss - std::min<uint64_t>(rss, spool_resident));
}

uint64_t ImageCollector::dropped_events() const {
  // A repaired address is a free that was not seen; of a lost segment no more is known than that it held something.
  return spool_->dropped_events() + spool_->lost_segments() + builder_->unmatched_records() +
         builder_->repaired_addresses();
}

absl::Status ImageCollector::Finish(bool in_order) {
  // A sweep takes at most one step per segment that was opened meanwhile; the image writes no more.
  while (SweepOnce() > 0) {
  }
  spool_->PassOverGaps();
  while (SweepOnce() > 0) {
  }
  merger_.EmitAll([this](const OrderedRecord& record) { builder_->Take(record); });
  NoteGoneThreads();
  EndGoneThreads();
  absl::Status status = builder_->Flush();
  if (!status.ok()) return status;
  writer_->set_dropped_events(dropped_events());
  const bool gave_up = control().phase.load(std::memory_order_relaxed) == spool::kStopped;
  writer_->set_ended_in_order(in_order && !gave_up && dropped_events() == 0);
  return writer_->Finish();
}

}  // namespace reheap
