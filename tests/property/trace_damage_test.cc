// No damaged file is taken for a good one, and none crashes the reader: cuts, flips, foreign files, false
// lengths.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "traces/block_frame.h"
#include "traces/crc32c.h"
#include "traces/synthetic_trace.h"
#include "traces/trace_builder.h"
#include "traces/trace_reader.h"

namespace reheap {
namespace {

namespace fs = std::filesystem;

// An empty folder of the test's own.
fs::path TestFolder() {
  const fs::path folder =
      fs::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name();
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder;
}

std::string FileBytes(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// Four event blocks with two threads and two time ticks.
TraceBuilder SmallTrace() {
  TraceBuilder builder;
  builder.Malloc(0, 64).Malloc(1, 4096).Free(0).Time(1000).Thread(1).Malloc(0, 64).Realloc(1, 9000);
  builder.Memalign(2, 32, 100)
      .Thread(0)
      .Free(1)
      .Time(2000)
      .Map(0xf800000000, 1 << 20, 3, 0x22)
      .Free(2)
      .Free(0);
  return builder;
}

std::string SmallTraceBytes() {
  const fs::path path = TestFolder() / "small";
  EXPECT_TRUE(SmallTrace().WriteTo(path, {3, 1}).ok());
  return FileBytes(path);
}

// Everything a reader can be asked for.
struct Reading {
  absl::Status status;
  std::vector<TraceEvent> events;
  bool has_trailer = false;
  bool cut_off = false;
  uint64_t skipped_blocks = 0;
};

Reading Read(const std::string& bytes, bool tolerant = false) {
  Reading reading;
  absl::StatusOr<std::unique_ptr<TraceReader>> opened =
      TraceReader::Open(MemoryByteSource(bytes, "damaged.trace"), {tolerant});
  reading.status = opened.status();
  if (!opened.ok()) return reading;
  TraceReader& reader = **opened;
  reading.has_trailer = reader.trailer() != nullptr;
  TraceBlock block;
  while (true) {
    absl::StatusOr<bool> more = reader.NextBlock(&block);
    reading.status = more.status();
    if (!more.ok() || !*more) break;
    reading.status = block.AppendTo(&reading.events);
    if (!reading.status.ok()) break;
  }
  reading.cut_off = reader.cut_off();
  reading.skipped_blocks = reader.skipped_blocks();
  return reading;
}

bool IsPrefix(const std::vector<TraceEvent>& events, const std::vector<TraceEvent>& whole) {
  return events.size() <= whole.size() && std::equal(events.begin(), events.end(), whole.begin());
}

// A message for a person: which file, where, why.
void ExpectNamesThePlace(const absl::Status& status) {
  const std::string text(status.message());
  EXPECT_NE(text.find("damaged.trace"), std::string::npos) << text;
  EXPECT_NE(text.find("offset "), std::string::npos) << text;
  EXPECT_GT(text.size(), std::string("damaged.trace: offset 0: ").size()) << text;
}

// Joins blocks with right checksums around any payload: what a hostile or newer writer could make.
class FileMaker {
 public:
  FileMaker() : bytes_(kFileMagic) {}

  FileMaker& Block(uint32_t type, const std::string& payload) {
    BlockCompressor compressor(1);
    const std::string stored = *compressor.Compress({payload});
    return Frame({type, frames_, static_cast<uint32_t>(stored.size()), static_cast<uint32_t>(payload.size()),
                  Crc32c(stored)},
                 stored);
  }
  FileMaker& Frame(const FrameHeader& frame, const std::string& stored) {
    ++frames_;
    bytes_ += frame.Encode() + stored;
    return *this;
  }
  FileMaker& Header(uint32_t version = proto::TRACE_FORMAT_COLUMNS) {
    proto::TraceHeader header;
    header.set_format_version(version);
    return Block(kHeaderBlock, header.SerializeAsString());
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  uint32_t frames_ = 0;
};

TEST(TraceDamage, TheSmallTraceReadsWhole) {
  const Reading reading = Read(SmallTraceBytes());
  EXPECT_TRUE(reading.status.ok()) << reading.status;
  EXPECT_EQ(reading.events, SmallTrace().events());
  EXPECT_TRUE(reading.has_trailer);
  EXPECT_FALSE(reading.cut_off);
}

TEST(TraceDamage, CutAtEveryByteGivesAllWholeBlocksOrAnError) {
  const std::string bytes = SmallTraceBytes();
  const std::vector<TraceEvent> events = SmallTrace().events();
  size_t best = 0;
  for (size_t length = 0; length < bytes.size(); ++length) {
    SCOPED_TRACE(testing::Message() << "cut at " << length << " of " << bytes.size());
    const Reading reading = Read(bytes.substr(0, length));
    EXPECT_FALSE(reading.has_trailer);
    ASSERT_TRUE(IsPrefix(reading.events, events));
    EXPECT_GE(reading.events.size(), best) << "a longer file gave fewer events";
    best = reading.events.size();
    if (reading.status.ok()) {
      EXPECT_TRUE(reading.cut_off);
    } else {
      ExpectNamesThePlace(reading.status);
      EXPECT_EQ(best, 0u) << "only a file cut inside its header is an error";
    }
  }
  EXPECT_EQ(best, events.size());
}

TEST(TraceDamage, EveryFlippedBitIsAnErrorThatNamesThePlace) {
  const std::string bytes = SmallTraceBytes();
  const std::vector<TraceEvent> events = SmallTrace().events();
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    SCOPED_TRACE(testing::Message() << "bit " << bit % 8 << " of byte " << bit / 8);
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const Reading reading = Read(flipped);
    ASSERT_FALSE(reading.status.ok());
    ExpectNamesThePlace(reading.status);
    ASSERT_TRUE(IsPrefix(reading.events, events));
  }
}

TEST(TraceDamage, ATolerantReaderLosesOneBlockToOneFlip) {
  const std::string bytes = SmallTraceBytes();
  const std::vector<TraceEvent> events = SmallTrace().events();
  const size_t first_block = bytes.find(kFrameMarker, kFileMagic.size() + 1);
  const size_t second_block = bytes.find(kFrameMarker, first_block + 1);
  for (size_t byte = first_block; byte < second_block; ++byte) {
    SCOPED_TRACE(testing::Message() << "byte " << byte);
    std::string flipped = bytes;
    flipped[byte] = static_cast<char>(flipped[byte] ^ 0x10);
    const Reading reading = Read(flipped, /*tolerant=*/true);
    EXPECT_TRUE(reading.status.ok()) << reading.status;
    EXPECT_EQ(reading.skipped_blocks, 1u);
    EXPECT_EQ(reading.events, std::vector<TraceEvent>(events.begin() + 3, events.end()));
  }
}

TEST(TraceDamage, ATolerantReaderEndsOnEveryFlipAndCut) {
  const std::string bytes = SmallTraceBytes();
  const size_t first_block = bytes.find(kFrameMarker, kFileMagic.size() + 1);
  const size_t all = SmallTrace().events().size();
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const Reading reading = Read(flipped, /*tolerant=*/true);
    if (bit / 8 < first_block) {
      EXPECT_FALSE(reading.status.ok()) << "a file without header says nothing about its events; bit " << bit;
    } else {
      EXPECT_TRUE(reading.status.ok()) << reading.status << "; bit " << bit;
      EXPECT_GE(reading.events.size() + 3, all) << "bit " << bit;
    }
  }
  for (size_t length = first_block; length < bytes.size(); ++length) {
    EXPECT_TRUE(Read(bytes.substr(0, length), /*tolerant=*/true).status.ok()) << "cut at " << length;
  }
}

TEST(TraceDamage, BlocksMissingDoubledOrSwappedAreNoticed) {
  const std::string bytes = SmallTraceBytes();
  std::vector<size_t> starts;
  for (size_t at = bytes.find(kFrameMarker); at != std::string::npos; at = bytes.find(kFrameMarker, at + 1)) {
    starts.push_back(at);
  }
  ASSERT_EQ(starts.size(), 6u);  // header, 4 of events (11 / 3), trailer
  const auto block = [&](size_t i) { return bytes.substr(starts[i], starts[i + 1] - starts[i]); };
  const std::string head = bytes.substr(0, starts[1]);
  const std::string rest = bytes.substr(starts[3]);
  for (const std::string& middle :
       {block(1), block(2), block(1) + block(1) + block(2), block(2) + block(1)}) {
    const Reading reading = Read(head + middle + rest);
    ASSERT_FALSE(reading.status.ok());
    ExpectNamesThePlace(reading.status);
  }
}

TEST(TraceDamage, ForeignFilesAreNamed) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "an empty file"},
      {std::string("\x7f") + "ELF\x02\x01\x01", "ELF"},
      {std::string("\x1f\x8b\x08\x00", 4) + std::string(100, '\0'), "gzip"},
      {"186: malloc 0xb6027400 1024\n186: free 0xb6027400\n", "text"},
      {std::string(5000, '\0'), "\\x00"},
  };
  for (const auto& [bytes, expected] : cases) {
    const Reading reading = Read(bytes);
    ASSERT_FALSE(reading.status.ok());
    ExpectNamesThePlace(reading.status);
    EXPECT_NE(std::string(reading.status.message()).find(expected), std::string::npos) << reading.status;
  }
}

TEST(TraceDamage, ANewerVersionIsRefusedNamingBothNumbers) {
  const Reading reading = Read(FileMaker().Header(7).bytes());
  EXPECT_EQ(reading.status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(std::string(reading.status.message()).find("format_version 7"), std::string::npos);
  EXPECT_NE(std::string(reading.status.message()).find("up to 1"), std::string::npos);
}

// Checksums are right and lengths lie: the reader must refuse before it allocates.
TEST(TraceDamage, HugeLengthsAreRefusedWithLittleMemory) {
  const std::string little(20, 'x');
  const uint32_t crc = Crc32c(little);
  const FrameHeader frames[] = {
      {kEventBlock, 1, 0xffffffff, 100, crc},
      {kEventBlock, 1, 20, 0xffffffff, crc},
      {kEventBlock, 1, kMaxStoredBytes + 1, 100, crc},
      {kEventBlock, 1, 20, kMaxRawBytes + 1, crc},
  };
  for (const FrameHeader& frame : frames) {
    const Reading reading = Read(FileMaker().Header().Frame(frame, little).bytes());
    ASSERT_FALSE(reading.status.ok());
    ExpectNamesThePlace(reading.status);
  }
  // Allowed lengths, but nothing behind them.
  EXPECT_FALSE(
      Read(FileMaker().Header().Frame({kEventBlock, 1, 20, kMaxRawBytes, crc}, little).bytes()).status.ok());
  const Reading cut =
      Read(FileMaker().Header().Frame({kEventBlock, 1, kMaxStoredBytes, 100, crc}, little).bytes());
  EXPECT_TRUE(cut.status.ok()) << "a block without its end, and no footer: cut off";
  EXPECT_TRUE(cut.cut_off);
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  EXPECT_LT(usage.ru_maxrss, 512 * 1024) << "kB; the largest allowed block has 64 MiB";
}

TEST(TraceDamage, ColumnsThatContradictEachOtherAreErrors) {
  using Columns = proto::EventColumns;
  const uint32_t allocate = 0 | 1 << 8 | (1u << 1 | 3u << 7) << 16;  // malloc with a size, by slot
  const uint32_t by_allocation = 1 | 5 << 8 | (2u << 7) << 16;       // free of an allocation of this block
  const uint32_t reuse = 0 | 1 << 8 | (1u << 7) << 16;               // malloc into the slot freed last
  const std::function<void(Columns*)> breaks[] = {
      [](Columns* c) { c->set_events(2); },
      [](Columns* c) { c->set_events(0xffffffff); },
      [](Columns* c) { c->set_first_event(1); },
      [](Columns* c) { c->set_ops("\x07"); },
      [](Columns* c) { c->set_op_table(0, 12); },        // kind 12
      [](Columns* c) { c->set_op_table(0, 31 << 8); },   // call kind 31
      [](Columns* c) { c->set_op_table(0, 1u << 31); },  // an unknown flag
      [](Columns* c) { c->clear_objects(); },
      [](Columns* c) { c->set_objects(0, -1); },
      [](Columns* c) { c->set_objects(0, kNoObject); },
      [](Columns* c) { c->set_objects(0, INT64_MIN); },
      [](Columns* c) { c->add_objects(1); },
      [](Columns* c) { c->clear_sizes(); },
      [](Columns* c) { c->add_sizes(1); },
      [](Columns* c) { c->add_alignments(1); },
      [](Columns* c) { c->add_threads(1); },
      [](Columns* c) { c->add_times(1); },
      [](Columns* c) { c->add_addresses(1); },
      [](Columns* c) { c->add_arguments(1); },
      [=](Columns* c) { c->set_op_table(0, by_allocation); },
      [=](Columns* c) { c->set_op_table(0, reuse); },
      [](Columns* c) {
        for (int i = 0; i < 300; ++i) c->add_op_table(0);
      },
  };
  Columns good;
  good.set_events(1);
  good.add_op_table(allocate);
  good.set_ops(std::string(1, '\0'));
  good.add_objects(5);
  good.add_sizes(64);
  const Reading whole = Read(FileMaker().Header().Block(kEventBlock, good.SerializeAsString()).bytes());
  ASSERT_TRUE(whole.status.ok()) << whole.status;
  EXPECT_EQ(whole.events, TraceBuilder().Malloc(5, 64).events());

  for (size_t i = 0; i < std::size(breaks); ++i) {
    Columns bad = good;
    breaks[i](&bad);
    const Reading reading = Read(FileMaker().Header().Block(kEventBlock, bad.SerializeAsString()).bytes());
    ASSERT_FALSE(reading.status.ok()) << "break " << i;
    ExpectNamesThePlace(reading.status);
  }
}

// The two readings of a packed column: our own walk through its bytes, and protobuf's.
TEST(TraceDamage, EventBlocksAreOrdinaryProtobufMessages) {
  const std::string bytes = SmallTraceBytes();
  const size_t start = bytes.find(kFrameMarker, bytes.find(kFrameMarker) + 1);
  const FrameHeader frame = *FrameHeader::Decode(bytes.substr(start, kFrameBytes));
  std::string payload;
  ASSERT_TRUE(
      BlockDecompressor()
          .Decompress(bytes.substr(start + kFrameBytes, frame.stored_bytes), frame.raw_bytes, &payload)
          .ok());
  proto::EventColumns columns;
  ASSERT_TRUE(columns.ParseFromString(payload));
  EXPECT_EQ(columns.events(), 3u);  // malloc 0, malloc 1, free 0
  EXPECT_EQ(columns.ops(), std::string("\0\0\1", 3));
  EXPECT_EQ(std::vector<uint64_t>(columns.sizes().begin(), columns.sizes().end()),
            (std::vector<uint64_t>{64, 4096}));
  EXPECT_EQ(std::vector<int64_t>(columns.objects().begin(), columns.objects().end()),
            (std::vector<int64_t>{0, 0, 0}));
  EXPECT_EQ(columns.SerializeAsString(), payload);
}

TEST(TraceDamage, TwoWritersOfOnePathLeaveTheLastOneWhole) {
  const fs::path folder = TestFolder();
  const std::string path = folder / "trace";
  absl::StatusOr<std::unique_ptr<TraceWriter>> first = TraceWriter::Create(path, {});
  absl::StatusOr<std::unique_ptr<TraceWriter>> second = TraceWriter::Create(path, {});
  ASSERT_TRUE(first.ok() && second.ok());
  const std::vector<TraceEvent> one = TraceBuilder().Malloc(0, 1).events();
  const std::vector<TraceEvent> two = TraceBuilder().Malloc(0, 2).Free(0).events();
  ASSERT_TRUE((*first)->Append(one.data(), one.size()).ok());
  ASSERT_TRUE((*second)->Append(two.data(), two.size()).ok());
  EXPECT_FALSE(fs::exists(path));
  ASSERT_TRUE((*second)->Finish().ok());
  EXPECT_EQ(Read(FileBytes(path)).events, two);
  ASSERT_TRUE((*first)->Finish().ok());
  EXPECT_EQ(Read(FileBytes(path)).events, one);
  first->reset();
  second->reset();
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1) << "no temporary stays behind";
}

TEST(TraceDamage, AnUnfinishedWriterLeavesNothing) {
  const fs::path folder = TestFolder();
  absl::StatusOr<std::unique_ptr<TraceWriter>> writer = TraceWriter::Create(folder / "trace", {});
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
  writer->reset();
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 0);
}

TEST(TraceDamage, AKilledWriterLeavesOnlyAReadableTemporary) {
  const fs::path folder = TestFolder();
  const pid_t child = fork();
  if (child == 0) {
    absl::StatusOr<std::unique_ptr<TraceWriter>> writer = TraceWriter::Create(folder / "trace", {}, {4, 1});
    if (writer.ok() && (*writer)->Append(SmallTrace().events().data(), 11).ok()) raise(SIGKILL);
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
  const fs::path left = *fs::directory_iterator(folder);
  EXPECT_EQ(left.extension(), ".partial");
  const Reading reading = Read(FileBytes(left));
  EXPECT_TRUE(reading.status.ok()) << reading.status;
  EXPECT_TRUE(reading.cut_off);
  EXPECT_EQ(reading.events.size(), 8u);  // two whole blocks of 4
}

TEST(TraceDamage, AFullDiskIsAStatus) {
  if (access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full here";
  const absl::Status status = SmallTrace().WriteTo("/dev/full");
  EXPECT_FALSE(status.ok());
  EXPECT_NE(std::string(status.message()).find("/dev/full"), std::string::npos) << status;
  EXPECT_TRUE(fs::is_character_file("/dev/full")) << "the device must not be replaced";
}

TEST(TraceDamage, APathThatCannotBeIsAStatus) {
  const fs::path folder = TestFolder();
  EXPECT_TRUE(absl::IsNotFound(SmallTrace().WriteTo(folder / "no" / "such" / "folder")));
  EXPECT_FALSE(SmallTrace().WriteTo(folder).ok());
  EXPECT_TRUE(absl::IsNotFound(TraceReader::Open(folder / "nothing").status()));
  EXPECT_FALSE(TraceReader::Open(folder).ok());
  EXPECT_FALSE(SmallTrace().WriteTo(folder / "t", {0, 1}).ok());
  EXPECT_FALSE(SmallTrace().WriteTo(folder / "t", {1, 99}).ok());
}

}  // namespace
}  // namespace reheap
