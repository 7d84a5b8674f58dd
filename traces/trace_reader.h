// TraceReader: the blocks of a trace file, checked, one at a time (row 4 of the walk).
//
//   Open(path) reads the header and, through the footer, the trailer; NextBlock() then walks the file from
//   the front. Each block stands alone, so SeekToBlock() can start anywhere and many readers can share out
//   one file.
//
// A file that was cut off (no footer) still gives all its whole blocks; trailer() is then null and
// cut_off() tells after the last block that bytes of an unfinished one followed. Damage in the middle is an
// error that names file, block, offset and reason; a tolerant reader skips to the next intact block
// instead and counts what it passed over.
//
// Ownership: owns the file. Threads: one at a time. Limits: memory is one block (at most 16 MiB stored and 64
// MiB unpacked, refused before anything is allocated) plus the trailer.
#ifndef REHEAP_TRACES_TRACE_READER_H_
#define REHEAP_TRACES_TRACE_READER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/trace.pb.h"
#include "traces/block_decoder.h"
#include "traces/block_frame.h"
#include "traces/byte_source.h"
#include "traces/trace_event.h"

namespace reheap {

// One event block, ready to be taken apart. Reused from call to call to keep its buffers.
class TraceBlock {
 public:
  uint64_t number() const { return number_; }  // of event blocks, from 0; of frames in tolerant mode
  uint64_t offset() const { return offset_; }  // of its frame in the file
  uint64_t first_event() const { return decoder_.first_event(); }
  uint32_t events() const { return decoder_.events(); }

  // The block's next events in order, at most `capacity`; 0 = no more. DataLoss when the columns
  // contradict each other, which a checksum cannot see.
  absl::StatusOr<size_t> Next(TraceEvent* events, size_t capacity);
  // All that is left, behind what `events` holds already.
  absl::Status AppendTo(std::vector<TraceEvent>* events);

 private:
  friend class TraceReader;
  BlockDecoder decoder_;
  std::string file_name_;
  uint64_t number_ = 0;
  uint64_t offset_ = 0;
};

// What commands say of a file that ends without trailer: kDataLoss with path, offset and what was expected.
absl::Status CutOffError(const std::string& path, uint64_t file_bytes);

struct TraceReaderOptions {
  // Pass over damaged blocks and count them instead of returning an error.
  bool tolerant = false;
};

class TraceReader {
 public:
  static absl::StatusOr<std::unique_ptr<TraceReader>> Open(const std::string& path,
                                                           const TraceReaderOptions& options = {});
  // `name` stands for the file name in messages.
  static absl::StatusOr<std::unique_ptr<TraceReader>> Open(std::unique_ptr<ByteSource> source,
                                                           const TraceReaderOptions& options = {});
  TraceReader(const TraceReader&) = delete;
  TraceReader& operator=(const TraceReader&) = delete;

  const proto::TraceHeader& header() const { return header_; }
  // Null when the file was cut off.
  const proto::TraceTrailer* trailer() const { return has_trailer_ ? &trailer_ : nullptr; }
  // The trailer's, or as far as the blocks read so far have named them.
  const std::vector<proto::TraceThread>& threads() const { return threads_; }

  const std::string& name() const { return source_->name(); }
  uint64_t file_bytes() const { return source_->size(); }

  // The next event block; false = no more. After an error the reader stays at it.
  absl::StatusOr<bool> NextBlock(TraceBlock* block);

  // Event blocks by the trailer's index; 0 when there is no trailer.
  size_t block_count() const { return index_.size(); }
  // NextBlock() continues with event block `number`. Needs a trailer.
  absl::Status SeekToBlock(size_t number);

  // After the last block: the file ends without a whole trailer and footer.
  bool cut_off() const { return cut_off_; }
  // Tolerant mode: blocks that were damaged or missing, and the bytes passed over to get behind them.
  uint64_t skipped_blocks() const { return skipped_blocks_; }
  uint64_t skipped_bytes() const { return skipped_bytes_; }

 private:
  struct IndexEntry {
    uint64_t offset;
    uint64_t first_event;
  };

  TraceReader(std::unique_ptr<ByteSource> source, const TraceReaderOptions& options);

  absl::Status ReadHeader();
  absl::Status ReadTrailerThroughFooter();
  absl::Status TakeTrailer(std::string_view payload, uint64_t offset);
  // What follows the trailer block: the footer and nothing else.
  absl::Status CheckEnd();
  // Frame and payload at offset_; OutOfRange = the file ends inside it.
  absl::Status ReadBlock(FrameHeader* frame, std::string* payload);
  absl::Status CheckSequence(const FrameHeader& frame);
  absl::StatusOr<bool> TakeBlock(const FrameHeader& frame, uint64_t offset, TraceBlock* block);
  absl::Status SkipToNextFrame(uint64_t from);
  absl::Status Damaged(uint64_t offset, absl::string_view reason) const;

  const TraceReaderOptions options_;
  std::unique_ptr<ByteSource> source_;
  BlockDecompressor decompressor_;
  proto::TraceHeader header_;
  proto::TraceTrailer trailer_;
  bool has_trailer_ = false;
  std::vector<IndexEntry> index_;
  std::vector<proto::TraceThread> threads_;
  std::string stored_;  // compressed payload, kept for its buffer
  std::string payload_;
  uint64_t offset_ = 0;  // of the next frame
  uint64_t last_frame_offset_ = 0;
  uint32_t next_sequence_ = 0;  // expected in it
  uint64_t next_event_ = 0;     // expected first event of the next event block
  bool done_ = false;
  bool cut_off_ = false;
  uint64_t skipped_blocks_ = 0;
  uint64_t skipped_bytes_ = 0;
};

}  // namespace reheap

#endif  // REHEAP_TRACES_TRACE_READER_H_
