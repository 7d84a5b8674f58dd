// The fuzzer's corpus as a plain test: every file of tests/fuzz/corpus, and seeded mutations of each.
//
// Nothing to assert but that it ends: a crash, a hang or a sanitizer's report is the failure. The one check
// that needs numbers is that the corpus is there.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/fuzz/mend_checksums.h"
#include "traces/trace_checker.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace reheap {
namespace {

constexpr uint64_t kSeed = 17;
constexpr int kMutationsPerFile = 300;

std::vector<std::filesystem::path> Corpus() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator("tests/fuzz/corpus"))
    paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string Contents(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

void RunInput(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

// One to eight changes: a byte set, a piece doubled, a piece cut out, an end cut off.
std::string Mutate(std::string bytes, std::mt19937_64& random) {
  for (uint64_t left = 1 + random() % 8; left != 0 && !bytes.empty(); --left) {
    const size_t at = random() % bytes.size();
    const size_t length = std::min<size_t>(bytes.size() - at, 1 + random() % 16);
    switch (random() % 8) {
      case 0:
        bytes.insert(at, bytes.substr(at, length));
        break;
      case 1:
        bytes.erase(at, length);
        break;
      case 2:
        bytes.resize(random() % 4 == 0 ? at : bytes.size());
        break;
      case 3:
        bytes[at] = static_cast<char>(0xff);
        break;
      default:
        bytes[at] = static_cast<char>(random());
        break;
    }
  }
  return bytes;
}

TEST(TraceReaderCorpus, EveryFileAndItsMutationsEnd) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  const std::vector<std::filesystem::path> corpus = Corpus();
  ASSERT_GE(corpus.size(), 5u);
  std::mt19937_64 random(kSeed);
  for (const std::filesystem::path& path : corpus) {
    const std::string bytes = Contents(path);
    RunInput(bytes);
    for (int i = 0; i < kMutationsPerFile; ++i) RunInput(Mutate(bytes, random));
  }
}

// Else the mutations above would only ever test the checksums.
TEST(TraceReaderCorpus, MendedFilesPassTheChecksums) {
  for (const char* name : {"small.trace", "plain_payloads.trace"}) {
    std::string bytes = Contents(std::filesystem::path("tests/fuzz/corpus") / name);
    bytes[bytes.find("\xf5RHblk", 1) + 30] ^= 1;  // in the checksum of the header's frame
    EXPECT_FALSE(TraceReader::Open(MemoryByteSource(bytes, name)).ok());
    const std::string mended = MendChecksums(bytes);
    absl::StatusOr<std::unique_ptr<TraceReader>> reader = TraceReader::Open(MemoryByteSource(mended, name));
    ASSERT_TRUE(reader.ok()) << reader.status();
    absl::StatusOr<TraceCheckReport> report = CheckTrace(*std::move(reader));
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_GT(report->events, 0u);
  }
}

}  // namespace
}  // namespace reheap
