#include "traces/trace_writer.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "traces/block_frame.h"
#include "traces/crc32c.h"
#include "traces/valid_utf8.h"

namespace reheap {
namespace {

// Columns this large end a block early: well below kMaxRawBytes (an event adds at most 71 bytes), and zstd
// cannot make 8 MiB longer than kMaxStoredBytes.
constexpr size_t kEnoughRawBytes = 8u << 20;

// Adding up the columns costs as much as encoding an event, so it is done once in so many; they grow by 73 KB
// at most in between.
constexpr uint32_t kEventsPerSizeCheck = 1024;

constexpr uint32_t kMaxEventsPerBlock = 1u << 20;

}  // namespace

TraceWriter::TraceWriter(std::unique_ptr<OutputFile> file, const TraceWriterOptions& options)
    : options_(options), file_(std::move(file)), compressor_(options.zstd_level) {}

TraceWriter::~TraceWriter() = default;

absl::StatusOr<std::unique_ptr<TraceWriter>> TraceWriter::Create(const std::string& path,
                                                                 const proto::TraceHeader& header,
                                                                 const TraceWriterOptions& options) {
  if (options.events_per_block < 1 || options.events_per_block > kMaxEventsPerBlock) {
    return absl::InvalidArgumentError(absl::StrFormat("%s: %u events per block, expected 1 to %u", path,
                                                      options.events_per_block, kMaxEventsPerBlock));
  }
  if (options.zstd_level < 1 || options.zstd_level > 19) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: zstd level %d, expected 1 to 19", path, options.zstd_level));
  }
  proto::TraceHeader written = header;
  if (written.format_version() == proto::TRACE_FORMAT_UNSPECIFIED) {
    written.set_format_version(proto::TRACE_FORMAT_COLUMNS);
  }
  if (written.format_version() != proto::TRACE_FORMAT_COLUMNS) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: asked to write format_version %u, this writer writes %d", path,
                        written.format_version(), proto::TRACE_FORMAT_COLUMNS));
  }
  MakeStringsValidUtf8(&written);
  absl::StatusOr<std::unique_ptr<OutputFile>> file = OutputFile::Create(path);
  if (!file.ok()) return file.status();
  std::unique_ptr<TraceWriter> writer(new TraceWriter(*std::move(file), options));
  absl::Status status = writer->file_->Write(kFileMagic);
  if (status.ok()) status = writer->WriteBlock(kHeaderBlock, {written.SerializeAsString()});
  if (!status.ok()) return status;
  return writer;
}

uint32_t TraceWriter::AddThread(const proto::TraceThread& thread) {
  threads_.push_back(thread);
  MakeStringsValidUtf8(&threads_.back());
  return static_cast<uint32_t>(threads_.size() - 1);
}

inline bool TraceWriter::BlockIsFull() const {
  const uint32_t events = encoder_.events();
  return events == options_.events_per_block ||
         (events % kEventsPerSizeCheck == 0 && encoder_.raw_bytes() >= kEnoughRawBytes);
}

absl::Status TraceWriter::Append(const TraceEvent* events, size_t count) {
  if (finished_ && status_.ok()) {
    status_ = absl::FailedPreconditionError(file_->path() + ": appended to after Finish()");
  }
  for (size_t i = 0; i < count && status_.ok(); ++i) {
    const TraceEvent& event = events[i];
    if (static_cast<int>(event.kind) >= kEventKindCount || static_cast<int>(event.call) >= kCallKindCount) {
      status_ = absl::InvalidArgumentError(
          absl::StrFormat("%s: event %d has kind %d and call kind %d, expected less than %d and %d",
                          file_->path(), totals_.events(), static_cast<int>(event.kind),
                          static_cast<int>(event.call), kEventKindCount, kCallKindCount));
      break;
    }
    if (BlockIsFull()) {
      status_ = FlushEvents();
      if (!status_.ok()) break;
    }
    if (!encoder_.Add(event)) {
      status_ = FlushEvents();
      if (!status_.ok()) break;
      encoder_.Add(event);  // an empty block has room for any op
    }
    totals_.Add(event);
  }
  return status_;
}

absl::Status TraceWriter::FlushEvents() {
  const uint32_t events = encoder_.events();
  const bool new_threads = threads_written_ != threads_.size();
  if (events == 0 && !new_threads) return absl::OkStatus();
  index_.add_offsets(file_->bytes_written() - last_offset_);
  index_.add_events(events);
  index_.add_first_times(static_cast<int64_t>(encoder_.first_time_ns() - last_first_time_ns_));
  last_offset_ = file_->bytes_written();
  last_first_time_ns_ = encoder_.first_time_ns();
  const std::vector<proto::TraceThread> named(threads_.begin() + static_cast<ptrdiff_t>(threads_written_),
                                              threads_.end());
  threads_written_ = threads_.size();
  return WriteBlock(kEventBlock, encoder_.EndBlock(totals_.events() - events, named));
}

absl::Status TraceWriter::WriteBlock(uint32_t type, const std::vector<std::string>& pieces) {
  absl::StatusOr<std::string> stored = compressor_.Compress(pieces);
  if (!stored.ok()) {
    return absl::Status(stored.status().code(),
                        absl::StrFormat("%s: offset %d: %s", file_->path(), file_->bytes_written(),
                                        stored.status().message()));
  }
  FrameHeader frame;
  frame.type = type;
  frame.sequence = next_block_++;
  frame.stored_bytes = static_cast<uint32_t>(stored->size());
  for (const std::string& piece : pieces) frame.raw_bytes += static_cast<uint32_t>(piece.size());
  frame.payload_crc = Crc32c(*stored);
  absl::Status status = file_->Write(frame.Encode());
  return status.ok() ? file_->Write(*stored) : status;
}

void TraceWriter::FillTrailer(proto::TraceTrailer* trailer) const {
  trailer->set_events(totals_.events());
  int kinds = kEventKindCount;
  while (kinds > 0 && totals_.events_by_kind()[kinds - 1] == 0) --kinds;
  for (int kind = 0; kind < kinds; ++kind) trailer->add_events_by_kind(totals_.events_by_kind()[kind]);
  trailer->set_dropped_events(dropped_events_);
  for (const proto::TraceThread& thread : threads_) *trailer->add_threads() = thread;
  trailer->set_slot_count(totals_.slot_count());
  trailer->set_peak_live_bytes(totals_.peak_live_bytes());
  trailer->set_peak_live_objects(totals_.peak_live_objects());
  trailer->set_allocated_bytes(totals_.allocated_bytes());
  trailer->set_end_time_ns(totals_.end_time_ns());
  trailer->set_ended_in_order(ended_in_order_);
  *trailer->mutable_blocks() = index_;
}

absl::Status TraceWriter::Finish() {
  if (finished_ && status_.ok()) {
    status_ = absl::FailedPreconditionError(file_->path() + ": Finish() called twice");
  }
  if (status_.ok()) status_ = FlushEvents();
  if (!status_.ok()) return status_;
  finished_ = true;
  proto::TraceTrailer trailer;
  FillTrailer(&trailer);
  FileFooter footer;
  footer.trailer_offset = file_->bytes_written();
  status_ = WriteBlock(kTrailerBlock, {trailer.SerializeAsString()});
  footer.frames = next_block_;
  if (status_.ok()) status_ = file_->Write(footer.Encode());
  if (status_.ok()) status_ = file_->Commit();
  return status_;
}

}  // namespace reheap
