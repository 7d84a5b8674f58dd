// The fuzzer's corpus as a plain test: every file of tests/fuzz/platform_corpus, and seeded changes of each.
//
// What is asserted is in the fuzzer's function; a crash, a hang or a sanitizer's report fails as well.
#include <cstdint>

#include "gtest/gtest.h"
#include "tests/fuzz/corpus_runs.h"

namespace reheap {
namespace {

constexpr uint64_t kSeed = 29;
constexpr int kMutationsPerFile = 60;

TEST(PlatformCorpus, EveryFileAndItsMutationsEnd) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  EXPECT_GE(RunCorpus("tests/fuzz/platform_corpus", kMutationsPerFile, kSeed), 5u);
}

}  // namespace
}  // namespace reheap
