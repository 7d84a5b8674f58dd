#include "traces/block_frame.h"

#include <zstd.h>

#include "absl/strings/str_format.h"
#include "traces/crc32c.h"

namespace reheap {
namespace {

// Little-endian at any alignment, whatever the host is.
template <typename T>
void PutInteger(T value, std::string* out) {
  for (size_t i = 0; i < sizeof(T); ++i) {
    out->push_back(static_cast<char>(value >> (8 * i)));
  }
}

template <typename T>
T GetInteger(std::string_view bytes, size_t offset) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<T>(static_cast<unsigned char>(bytes[offset + i])) << (8 * i);
  }
  return value;
}

}  // namespace

std::string FrameHeader::Encode() const {
  std::string out(kFrameMarker);
  PutInteger(type, &out);
  PutInteger(sequence, &out);
  PutInteger(stored_bytes, &out);
  PutInteger(raw_bytes, &out);
  PutInteger(payload_crc, &out);
  PutInteger(Crc32c(out), &out);
  return out;
}

absl::StatusOr<FrameHeader> FrameHeader::Decode(std::string_view bytes) {
  if (bytes.substr(0, kFrameMarker.size()) != kFrameMarker) {
    return absl::InvalidArgumentError("expected a block's marker");
  }
  const uint32_t expected = GetInteger<uint32_t>(bytes, 28);
  const uint32_t actual = Crc32c(bytes.substr(0, 28));
  if (actual != expected) {
    return absl::InvalidArgumentError(
        absl::StrFormat("block frame has checksum %08x, its bytes give %08x", expected, actual));
  }
  FrameHeader frame;
  frame.type = GetInteger<uint32_t>(bytes, 8);
  frame.sequence = GetInteger<uint32_t>(bytes, 12);
  frame.stored_bytes = GetInteger<uint32_t>(bytes, 16);
  frame.raw_bytes = GetInteger<uint32_t>(bytes, 20);
  frame.payload_crc = GetInteger<uint32_t>(bytes, 24);
  if (frame.stored_bytes > kMaxStoredBytes || frame.raw_bytes > kMaxRawBytes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("block of %u stored and %u unpacked bytes, expected at most %u and %u",
                        frame.stored_bytes, frame.raw_bytes, kMaxStoredBytes, kMaxRawBytes));
  }
  return frame;
}

std::string FileFooter::Encode() const {
  std::string out(kFooterMarker);
  PutInteger(trailer_offset, &out);
  PutInteger(frames, &out);
  PutInteger(Crc32c(out), &out);
  return out;
}

absl::StatusOr<FileFooter> FileFooter::Decode(std::string_view bytes) {
  if (bytes.substr(0, kFooterMarker.size()) != kFooterMarker) {
    return absl::InvalidArgumentError("expected the footer's marker");
  }
  if (Crc32c(bytes.substr(0, 20)) != GetInteger<uint32_t>(bytes, 20)) {
    return absl::InvalidArgumentError("footer's checksum does not match its bytes");
  }
  return FileFooter{GetInteger<uint64_t>(bytes, 8), GetInteger<uint32_t>(bytes, 16)};
}

BlockCompressor::BlockCompressor(int zstd_level) : context_(ZSTD_createCCtx()) {
  ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, zstd_level);
}

BlockCompressor::~BlockCompressor() { ZSTD_freeCCtx(context_); }

absl::StatusOr<std::string> BlockCompressor::Compress(const std::vector<std::string>& pieces) {
  size_t raw_bytes = 0;
  for (const std::string& piece : pieces) raw_bytes += piece.size();
  if (raw_bytes > kMaxRawBytes) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("a block of %d bytes; the format allows %u", raw_bytes, kMaxRawBytes));
  }
  ZSTD_CCtx_reset(context_, ZSTD_reset_session_only);
  ZSTD_CCtx_setPledgedSrcSize(context_, raw_bytes);
  // A flush ends a zstd block early: 3 bytes of block header more for each piece, generously doubled.
  std::string stored(ZSTD_compressBound(raw_bytes) + 8 * pieces.size() + 64, '\0');
  ZSTD_outBuffer out{stored.data(), stored.size(), 0};
  for (size_t i = 0; i < pieces.size(); ++i) {
    const ZSTD_EndDirective end = i + 1 == pieces.size() ? ZSTD_e_end : ZSTD_e_flush;
    ZSTD_inBuffer in{pieces[i].data(), pieces[i].size(), 0};
    size_t left;
    do {
      left = ZSTD_compressStream2(context_, &out, &in, end);
      if (ZSTD_isError(left)) {
        return absl::InternalError(absl::StrFormat("zstd: %s", ZSTD_getErrorName(left)));
      }
    } while (left != 0 && out.pos < out.size);
  }
  if (out.pos > kMaxStoredBytes) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("a block of %d compressed bytes; the format allows %u", out.pos, kMaxStoredBytes));
  }
  stored.resize(out.pos);
  return stored;
}

BlockDecompressor::BlockDecompressor() : context_(ZSTD_createDCtx()) {}

BlockDecompressor::~BlockDecompressor() { ZSTD_freeDCtx(context_); }

absl::Status BlockDecompressor::Decompress(std::string_view stored, uint32_t raw_bytes, std::string* raw) {
  raw->resize(raw_bytes);
  const size_t result = ZSTD_decompressDCtx(context_, raw->data(), raw->size(), stored.data(), stored.size());
  if (ZSTD_isError(result)) {
    return absl::InvalidArgumentError(absl::StrFormat("zstd: %s", ZSTD_getErrorName(result)));
  }
  if (result != raw_bytes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("payload unpacks to %d bytes, expected %u", result, raw_bytes));
  }
  return absl::OkStatus();
}

}  // namespace reheap
