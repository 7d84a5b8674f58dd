#include "traces/trace_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "traces/crc32c.h"
#include "traces/foreign_file.h"

namespace reheap {

absl::StatusOr<size_t> TraceBlock::Next(TraceEvent* events, size_t capacity) {
  absl::StatusOr<size_t> count = decoder_.Next(events, capacity);
  if (count.ok()) return count;
  return absl::DataLossError(
      absl::StrFormat("%s: offset %d, block %d: %s", file_name_, offset_, number_, count.status().message()));
}

absl::Status TraceBlock::AppendTo(std::vector<TraceEvent>* events) {
  const size_t before = events->size();
  const size_t left = decoder_.events() - decoder_.decoded();
  events->resize(before + left);
  return Next(events->data() + before, left).status();
}

TraceReader::TraceReader(std::unique_ptr<ByteSource> source, const TraceReaderOptions& options)
    : options_(options), source_(std::move(source)) {}

absl::StatusOr<std::unique_ptr<TraceReader>> TraceReader::Open(const std::string& path,
                                                               const TraceReaderOptions& options) {
  absl::StatusOr<std::unique_ptr<ByteSource>> source = OpenFileByteSource(path);
  if (!source.ok()) return source.status();
  return Open(*std::move(source), options);
}

absl::StatusOr<std::unique_ptr<TraceReader>> TraceReader::Open(std::unique_ptr<ByteSource> source,
                                                               const TraceReaderOptions& options) {
  std::unique_ptr<TraceReader> reader(new TraceReader(std::move(source), options));
  absl::Status status = reader->ReadHeader();
  if (status.ok()) status = reader->ReadTrailerThroughFooter();
  if (!status.ok()) return status;
  return reader;
}

absl::Status TraceReader::Damaged(uint64_t offset, absl::string_view reason) const {
  const std::string block =
      next_sequence_ == 0 ? "header block" : absl::StrFormat("block %u", next_sequence_ - 1);
  return absl::DataLossError(
      absl::StrFormat("%s: offset %d, %s: %s", source_->name(), offset, block, reason));
}

absl::Status TraceReader::ReadHeader() {
  std::string start;
  absl::Status status = source_->Read(0, std::min<uint64_t>(source_->size(), 512), &start);
  if (!status.ok()) return status;
  if (start.substr(0, kFileMagic.size()) != kFileMagic) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: offset 0: expected a trace's first 8 bytes, found %s", source_->name(),
                        DescribeForeignFile(start)));
  }
  offset_ = kFileMagic.size();
  FrameHeader frame;
  status = ReadBlock(&frame, &payload_);
  if (absl::IsOutOfRange(status)) return Damaged(offset_, "the file ends inside its header");
  if (!status.ok()) return status;
  if (frame.type != kHeaderBlock) return Damaged(offset_, "expected the header block first");
  if (frame.sequence != 0) return Damaged(offset_, "the header block is not number 0");
  if (!header_.ParseFromString(payload_)) return Damaged(offset_, "payload is not a TraceHeader message");
  if (header_.format_version() > proto::TRACE_FORMAT_COLUMNS) {
    return absl::UnimplementedError(absl::StrFormat(
        "%s: offset %d: format_version %u, this reader knows versions up to %d; a newer reheap is needed",
        source_->name(), offset_, header_.format_version(), proto::TRACE_FORMAT_COLUMNS));
  }
  if (header_.format_version() == proto::TRACE_FORMAT_UNSPECIFIED) {
    return Damaged(offset_, "the header names no format_version");
  }
  offset_ += kFrameBytes + frame.stored_bytes;
  next_sequence_ = 1;
  return absl::OkStatus();
}

absl::Status TraceReader::ReadTrailerThroughFooter() {
  std::string bytes;
  if (source_->size() < offset_ + kFooterBytes) return absl::OkStatus();
  absl::Status status = source_->Read(source_->size() - kFooterBytes, kFooterBytes, &bytes);
  if (!status.ok()) return status;
  absl::StatusOr<FileFooter> footer = FileFooter::Decode(bytes);
  // Cut off, or damaged: the walk through the blocks will tell which.
  if (!footer.ok()) return absl::OkStatus();

  const uint64_t first_block = offset_;
  offset_ = footer->trailer_offset;
  next_sequence_ = footer->frames - 1;
  FrameHeader frame;
  status = ReadBlock(&frame, &payload_);
  if (absl::IsOutOfRange(status)) status = Damaged(offset_, "the footer points behind the end of the file");
  if (status.ok() && (frame.type != kTrailerBlock || frame.sequence != next_sequence_)) {
    status = Damaged(offset_, "expected the trailer block, to which the footer points");
  }
  if (status.ok()) status = TakeTrailer(payload_, offset_);
  offset_ = first_block;
  next_sequence_ = 1;
  return options_.tolerant && absl::IsDataLoss(status) ? absl::OkStatus() : status;
}

absl::Status TraceReader::TakeTrailer(std::string_view payload, uint64_t offset) {
  proto::TraceTrailer trailer;
  if (!trailer.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return Damaged(offset, "payload is not a TraceTrailer message");
  }
  const proto::BlockIndex& blocks = trailer.blocks();
  if (blocks.offsets_size() != blocks.events_size() || blocks.offsets_size() != blocks.first_times_size()) {
    return Damaged(offset, "the columns of the block index are of different lengths");
  }
  std::vector<IndexEntry> index;
  index.reserve(static_cast<size_t>(blocks.offsets_size()));
  IndexEntry next{0, 0};
  for (int i = 0; i < blocks.offsets_size(); ++i) {
    next.offset += blocks.offsets(i);
    index.push_back(next);
    next.first_event += blocks.events(i);
  }
  if (next.first_event != trailer.events()) {
    return Damaged(offset, absl::StrFormat("the block index adds up to %d events, the trailer says %d",
                                           next.first_event, trailer.events()));
  }
  index_ = std::move(index);
  threads_.assign(trailer.threads().begin(), trailer.threads().end());
  trailer_ = std::move(trailer);
  has_trailer_ = true;
  return absl::OkStatus();
}

absl::Status TraceReader::ReadBlock(FrameHeader* frame, std::string* payload) {
  const uint64_t left = source_->size() - std::min(source_->size(), offset_);
  absl::Status status = source_->Read(offset_, std::min<uint64_t>(left, kFrameBytes), &stored_);
  if (!status.ok()) return status;
  if (left < kFrameBytes) {
    const size_t compared = std::min(stored_.size(), kFrameMarker.size());
    if (stored_.substr(0, compared) != kFrameMarker.substr(0, compared)) {
      return Damaged(offset_, "expected a block's marker");
    }
    return absl::OutOfRangeError("the file ends inside a block's frame");
  }
  absl::StatusOr<FrameHeader> decoded = FrameHeader::Decode(stored_);
  if (!decoded.ok()) return Damaged(offset_, decoded.status().message());
  *frame = *decoded;
  if (frame->stored_bytes > left - kFrameBytes) {
    return absl::OutOfRangeError("the file ends inside a block's payload");
  }
  status = source_->Read(offset_ + kFrameBytes, frame->stored_bytes, &stored_);
  if (!status.ok()) return status;
  const uint32_t crc = Crc32c(stored_);
  if (crc != frame->payload_crc) {
    return Damaged(
        offset_, absl::StrFormat("payload has checksum %08x, its bytes give %08x", frame->payload_crc, crc));
  }
  status = decompressor_.Decompress(stored_, frame->raw_bytes, payload);
  return status.ok() ? status : Damaged(offset_, status.message());
}

absl::Status TraceReader::CheckSequence(const FrameHeader& frame) {
  if (frame.sequence == next_sequence_) return absl::OkStatus();
  if (options_.tolerant && frame.sequence > next_sequence_) {
    skipped_blocks_ += frame.sequence - next_sequence_;
    next_sequence_ = frame.sequence;
    return absl::OkStatus();
  }
  return Damaged(offset_,
                 absl::StrFormat("frame number %u, expected %u: blocks are missing, doubled or out of order",
                                 frame.sequence, next_sequence_));
}

absl::StatusOr<bool> TraceReader::TakeBlock(const FrameHeader& frame, uint64_t offset, TraceBlock* block) {
  absl::Status status = CheckSequence(frame);
  if (!status.ok()) return status;
  if (frame.type == kTrailerBlock) {
    status = TakeTrailer(payload_, offset);
    if (status.ok() && skipped_blocks_ == 0 && trailer_.events() != next_event_) {
      status = Damaged(offset, absl::StrFormat("the trailer says %d events, the blocks hold %d",
                                               trailer_.events(), next_event_));
    }
    if (!status.ok()) return status;
    offset_ += kFrameBytes + frame.stored_bytes;
    status = CheckEnd();
    if (!status.ok()) return status;
    done_ = true;
    return false;
  }
  if (frame.type != kEventBlock) {
    return Damaged(offset, absl::StrFormat("block of type %u, expected events or the trailer", frame.type));
  }
  status = block->decoder_.Start(payload_);
  if (!status.ok()) return Damaged(offset, status.message());
  if (block->first_event() < next_event_ || (block->first_event() > next_event_ && skipped_blocks_ == 0)) {
    return Damaged(offset, absl::StrFormat("block begins with event %d, expected event %d",
                                           block->first_event(), next_event_));
  }
  block->file_name_ = source_->name();
  block->number_ = next_sequence_ - 1;
  block->offset_ = offset;
  if (!has_trailer_) {
    const auto& new_threads = block->decoder_.new_threads();
    threads_.insert(threads_.end(), new_threads.begin(), new_threads.end());
  }
  next_event_ = block->first_event() + block->events();
  ++next_sequence_;
  offset_ += kFrameBytes + frame.stored_bytes;
  return true;
}

absl::Status TraceReader::CheckEnd() {
  const uint64_t trailer_frame = next_sequence_;
  std::string rest;
  const uint64_t left = source_->size() - offset_;
  absl::Status status = source_->Read(offset_, std::min<uint64_t>(left, kFooterBytes + 1), &rest);
  if (!status.ok()) return status;
  // Where the footer says it is; the walk has just been there.
  FileFooter footer;
  footer.frames = static_cast<uint32_t>(trailer_frame + 1);
  footer.trailer_offset = last_frame_offset_;
  const std::string expected = footer.Encode();
  if (rest.size() > expected.size() || rest != expected.substr(0, rest.size())) {
    return Damaged(offset_, "expected the footer and nothing behind it");
  }
  cut_off_ = rest.size() < expected.size();
  return absl::OkStatus();
}

absl::Status TraceReader::SkipToNextFrame(uint64_t from) {
  // The scan reads a piece at a time; pieces overlap by a frame, so that none is missed at a seam.
  constexpr size_t kPieceBytes = 1 << 20;
  const uint64_t damaged_offset = offset_;
  std::string piece;
  for (uint64_t start = from; start + kFrameBytes <= source_->size(); start += kPieceBytes) {
    const uint64_t left = source_->size() - start;
    absl::Status status = source_->Read(start, std::min<uint64_t>(left, kPieceBytes + kFrameBytes), &piece);
    if (!status.ok()) return status;
    for (size_t at = piece.find(kFrameMarker); at != std::string::npos;
         at = piece.find(kFrameMarker, at + 1)) {
      if (at + kFrameBytes > piece.size()) break;
      if (!FrameHeader::Decode(std::string_view(piece).substr(at, kFrameBytes)).ok()) continue;
      offset_ = start + at;
      skipped_bytes_ += offset_ - damaged_offset;
      return absl::OkStatus();
    }
  }
  offset_ = source_->size();
  skipped_bytes_ += offset_ - damaged_offset;
  ++skipped_blocks_;
  return absl::OkStatus();
}

absl::StatusOr<bool> TraceReader::NextBlock(TraceBlock* block) {
  while (!done_) {
    if (offset_ == source_->size()) {
      if (has_trailer_ && !options_.tolerant) return Damaged(offset_, "expected the trailer block");
      cut_off_ = true;
      done_ = true;
      break;
    }
    last_frame_offset_ = offset_;
    FrameHeader frame;
    absl::Status status = ReadBlock(&frame, &payload_);
    if (absl::IsOutOfRange(status) && !has_trailer_) {
      cut_off_ = true;
      done_ = true;
      break;
    }
    if (absl::IsOutOfRange(status)) status = Damaged(offset_, status.message());
    if (status.ok()) {
      absl::StatusOr<bool> taken = TakeBlock(frame, offset_, block);
      if (taken.ok()) return taken;
      status = taken.status();
    }
    if (!options_.tolerant || !absl::IsDataLoss(status)) return status;
    offset_ = last_frame_offset_;
    status = SkipToNextFrame(offset_ + 1);
    if (!status.ok()) return status;
  }
  return false;
}

absl::Status TraceReader::SeekToBlock(size_t number) {
  if (number >= index_.size()) {
    return absl::OutOfRangeError(
        absl::StrFormat("%s: block %d asked for, the index has %d", source_->name(), number, index_.size()));
  }
  offset_ = index_[number].offset;
  next_event_ = index_[number].first_event;
  next_sequence_ = static_cast<uint32_t>(number + 1);
  done_ = false;
  cut_off_ = false;
  return absl::OkStatus();
}

absl::Status CutOffError(const std::string& path, uint64_t file_bytes) {
  return absl::DataLossError(
      absl::StrFormat("%s: offset %d: expected a trailer, found the end of the file: it was cut off", path, file_bytes));
}

}  // namespace reheap
