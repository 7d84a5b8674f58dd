#include "traces/trace_cursor.h"

namespace reheap {

absl::StatusOr<std::unique_ptr<TraceCursor>> TraceCursor::Open(const std::string& path,
                                                               const TraceReaderOptions& options) {
  absl::StatusOr<std::unique_ptr<TraceReader>> reader = TraceReader::Open(path, options);
  if (!reader.ok()) return reader.status();
  return std::make_unique<TraceCursor>(*std::move(reader));
}

absl::StatusOr<size_t> TraceCursor::NextBatch(TraceEvent* events, size_t capacity) {
  while (true) {
    absl::StatusOr<size_t> count = block_.Next(events, capacity);
    if (!count.ok() || *count != 0) {
      batch_first_event_ = next_event_;
      if (count.ok()) next_event_ += *count;
      return count;
    }
    absl::StatusOr<bool> more = reader_->NextBlock(&block_);
    if (!more.ok()) return more.status();
    if (!*more) return 0;
    next_event_ = block_.first_event();
  }
}

}  // namespace reheap
