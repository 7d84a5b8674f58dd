#include "tests/fuzz/mend_checksums.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "traces/block_frame.h"
#include "traces/crc32c.h"

namespace reheap {
namespace {

// The frame's fields, whatever its checksum.
FrameHeader FieldsAt(std::string_view bytes, size_t at) {
  const auto field = [&](size_t offset) {
    uint32_t value = 0;
    for (size_t i = 0; i < 4; ++i) {
      value |= uint32_t{static_cast<unsigned char>(bytes[at + offset + i])} << (8 * i);
    }
    return value;
  };
  return {field(8), field(12), field(16), field(20), field(24)};
}

bool IsZstd(std::string_view payload) { return payload.starts_with("\x28\xb5\x2f\xfd"); }

}  // namespace

std::string MendChecksums(std::string_view bytes) {
  BlockCompressor compressor(1);
  std::string out(bytes.substr(0, std::min(bytes.find(kFrameMarker), bytes.size())));
  uint64_t trailer_offset = 0;
  uint32_t frames = 0;
  for (size_t at = bytes.find(kFrameMarker); at < bytes.size() && bytes.size() - at >= kFrameBytes;) {
    FrameHeader frame = FieldsAt(bytes, at);
    const size_t next = std::min(bytes.find(kFrameMarker, at + 1), bytes.find(kFooterMarker, at + 1));
    std::string payload(bytes.substr(at + kFrameBytes, std::min(next, bytes.size()) - at - kFrameBytes));
    if (!IsZstd(payload)) {
      frame.raw_bytes = static_cast<uint32_t>(payload.size());
      absl::StatusOr<std::string> stored = compressor.Compress({payload});
      if (!stored.ok()) return out;
      payload = *std::move(stored);
    }
    frame.stored_bytes = static_cast<uint32_t>(payload.size());
    frame.payload_crc = Crc32c(payload);
    trailer_offset = out.size();
    ++frames;
    out += frame.Encode() + payload;
    at = next;
    if (bytes.substr(std::min(at, bytes.size())).starts_with(kFooterMarker)) break;
  }
  if (bytes.find(kFooterMarker) != std::string_view::npos) {
    FileFooter footer;
    footer.trailer_offset = trailer_offset;
    footer.frames = frames;
    out += footer.Encode();
  }
  return out;
}

}  // namespace reheap
