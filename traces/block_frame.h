// Frames: what stands around each protobuf message of a trace file, and its compression (rows 3 and 4 of the
// walk).
//
//   file   := magic block(header) block(events)* block(trailer) footer
//   block  := frame (32 bytes) payload (zstd)
//   frame  := marker:8 type:4 sequence:4 stored_bytes:4 raw_bytes:4 payload_crc:4 frame_crc:4
//   footer := marker:8 trailer_offset:8 frames:4 crc:4
//
// All integers little-endian. The frame has a checksum of its own, so a damaged length is known as such
// before anybody believes it. FORMAT.md explains every field.
//
// Values only, but for the two zstd contexts, which are owned here and used by one thread at a time.
// Limits: kMaxStoredBytes and kMaxRawBytes, checked before anything is allocated.
#ifndef REHEAP_TRACES_BLOCK_FRAME_H_
#define REHEAP_TRACES_BLOCK_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace reheap {

// A byte above 0x7f and both kinds of line end, so that a transfer in "text mode" is caught at once.
inline constexpr std::string_view kFileMagic("\x89RHT\r\n\x1a\n", 8);
// Starts every block. 0xf5..0xff occur in no UTF-8 text.
inline constexpr std::string_view kFrameMarker("\xf5RHblk\x0a\xfa", 8);
inline constexpr std::string_view kFooterMarker("\xf6RHend\x0a\xfa", 8);

inline constexpr size_t kFrameBytes = 32;
inline constexpr size_t kFooterBytes = 24;
inline constexpr uint32_t kMaxStoredBytes = 16u << 20;
inline constexpr uint32_t kMaxRawBytes = 64u << 20;

enum BlockType : uint32_t {
  kHeaderBlock = 1,
  kEventBlock = 2,
  kTrailerBlock = 3,
};

struct FrameHeader {
  uint32_t type = 0;
  uint32_t sequence = 0;      // frames before this one
  uint32_t stored_bytes = 0;  // of the payload as it stands in the file
  uint32_t raw_bytes = 0;     // of the payload unpacked
  uint32_t payload_crc = 0;   // of the stored payload

  std::string Encode() const;
  // InvalidArgument with the reason. Preconditions: bytes.size() == kFrameBytes.
  static absl::StatusOr<FrameHeader> Decode(std::string_view bytes);
};

struct FileFooter {
  uint64_t trailer_offset = 0;
  uint32_t frames = 0;  // in the whole file, header and trailer included

  std::string Encode() const;
  // Preconditions: bytes.size() == kFooterBytes.
  static absl::StatusOr<FileFooter> Decode(std::string_view bytes);
};

class BlockCompressor {
 public:
  explicit BlockCompressor(int zstd_level);
  ~BlockCompressor();
  // One zstd frame that unpacks to the pieces joined; each piece gets entropy tables of its own, because
  // columns have little in common. Resource exhausted when a limit above would be broken.
  absl::StatusOr<std::string> Compress(const std::vector<std::string>& pieces);

 private:
  ZSTD_CCtx_s* context_;
};

class BlockDecompressor {
 public:
  BlockDecompressor();
  ~BlockDecompressor();
  // Preconditions: raw_bytes <= kMaxRawBytes.
  absl::Status Decompress(std::string_view stored, uint32_t raw_bytes, std::string* raw);

 private:
  ZSTD_DCtx_s* context_;
};

}  // namespace reheap

#endif  // REHEAP_TRACES_BLOCK_FRAME_H_
