// The fuzzer's corpus as a plain test: every file of tests/fuzz/corpus, and seeded mutations of each.
//
// Nothing to assert but that it ends: a crash, a hang or a sanitizer's report is the failure. The one check
// that needs numbers is that the corpus is there.
#include <cstdint>
#include <filesystem>
#include <string>

#include "gtest/gtest.h"
#include "tests/fuzz/corpus_runs.h"
#include "tests/fuzz/mend_checksums.h"
#include "traces/trace_checker.h"

namespace reheap {
namespace {

constexpr uint64_t kSeed = 17;
constexpr int kMutationsPerFile = 300;

TEST(TraceReaderCorpus, EveryFileAndItsMutationsEnd) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  EXPECT_GE(RunCorpus("tests/fuzz/corpus", kMutationsPerFile, kSeed), 5u);
}

// Else the mutations above would only ever test the checksums.
TEST(TraceReaderCorpus, MendedFilesPassTheChecksums) {
  for (const char* name : {"small.trace", "plain_payloads.trace"}) {
    std::string bytes = FileContents(std::filesystem::path("tests/fuzz/corpus") / name);
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
