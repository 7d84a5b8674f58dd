// The worked example of traces/FORMAT.md is the truth: its bytes read as it says and are what the writer
// writes.
#include <zstd.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "traces/block_frame.h"
#include "traces/trace_builder.h"
#include "traces/trace_reader.h"

namespace reheap {
namespace {

std::string FileBytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// The bytes between ```hex and ```: "OFFSET  b0 b1 ... # comment", offsets in hex and counted from the first.
std::string DocumentedBytes() {
  std::istringstream document(FileBytes("traces/FORMAT.md"));
  std::string bytes;
  std::string line;
  while (std::getline(document, line) && line != "```hex") {
  }
  while (std::getline(document, line) && line != "```") {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string word;
    words >> word;
    EXPECT_EQ(std::stoul(word, nullptr, 16), bytes.size()) << line;
    while (words >> word) bytes.push_back(static_cast<char>(std::stoi(word, nullptr, 16)));
  }
  return bytes;
}

TraceBuilder Example() {
  TraceBuilder builder;
  builder.header().mutable_process()->set_program("/bin/true");
  builder.Malloc(0, 64).Malloc(1, 1000).Free(0).Malloc(0, 64).Free(1);
  return builder;
}

// The messages of a file, unpacked, each behind its type.
std::vector<std::string> Payloads(const std::string& file) {
  std::vector<std::string> payloads;
  BlockDecompressor decompressor;
  for (size_t at = kFileMagic.size(); file.substr(at, 8) == kFrameMarker;) {
    absl::StatusOr<FrameHeader> frame = FrameHeader::Decode(file.substr(at, kFrameBytes));
    EXPECT_TRUE(frame.ok()) << frame.status();
    if (!frame.ok()) break;
    std::string payload;
    EXPECT_TRUE(
        decompressor
            .Decompress(file.substr(at + kFrameBytes, frame->stored_bytes), frame->raw_bytes, &payload)
            .ok());
    payloads.push_back(std::to_string(frame->type) + ":" + payload);
    at += kFrameBytes + frame->stored_bytes;
  }
  return payloads;
}

TEST(TraceFormat, TheDocumentedBytesReadAsTheDocumentSays) {
  const std::string bytes = DocumentedBytes();
  absl::StatusOr<std::unique_ptr<TraceReader>> reader =
      TraceReader::Open(MemoryByteSource(bytes, "FORMAT.md"));
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->header().process().program(), "/bin/true");
  ASSERT_NE((*reader)->trailer(), nullptr);
  EXPECT_EQ((*reader)->trailer()->peak_live_bytes(), 1064u);
  ASSERT_EQ((*reader)->threads().size(), 1u);
  EXPECT_EQ((*reader)->threads()[0].tid(), 100);
  TraceBlock block;
  ASSERT_TRUE((*reader)->NextBlock(&block).value());
  std::vector<TraceEvent> events;
  ASSERT_TRUE(block.AppendTo(&events).ok());
  EXPECT_EQ(events, Example().events());
  EXPECT_FALSE((*reader)->NextBlock(&block).value());
  EXPECT_FALSE((*reader)->cut_off());
}

TEST(TraceFormat, TheWriterWritesTheDocumentedBytes) {
  const std::string path = testing::TempDir() + "/format_example";
  ASSERT_TRUE(Example().WriteTo(path).ok());
  const std::string written = FileBytes(path);
  EXPECT_EQ(Payloads(written), Payloads(DocumentedBytes()));
  // What zstd makes of a payload may change from release to release; the document has 1.5.4's.
  if (ZSTD_versionNumber() == 10504) {
    EXPECT_EQ(written, DocumentedBytes());
  }
}

}  // namespace
}  // namespace reheap
