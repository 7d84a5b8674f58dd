// Kernel and model in lockstep: random operations on every kind of process, each answer, mapping and sum
// compared after each operation. A mismatch fails with the shortest script that shows it.
//
// Fixed seeds, and a fresh one that is printed; REHEAP_SEED=N takes the place of the fresh one.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <tuple>

#include "tests/differential/lockstep/fuzz_run.h"
#include "tests/differential/lockstep/operation_mix.h"

namespace reheap {
namespace {

constexpr uint64_t kSequence = 2000;  // operations of one process
constexpr uint64_t kSequences = 50;   // of fixed seeds, and of fresh ones: 200,000 operations per kind
// Of each kind of operation and answer, so that a mix that no longer reaches a rule is noticed. The rarest come to
// 45 with an unlucky seed.
constexpr uint64_t kLeastAnswers = 10;

// A kind of process, and whether the seeds are fresh.
class LockstepTest : public testing::TestWithParam<std::tuple<ProcessKind, bool>> {};

uint64_t FreshSeed() {
  const char* const given = std::getenv("REHEAP_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device()();
}

TEST_P(LockstepTest, Agrees) {
  const auto& [kind, is_fresh] = GetParam();
  const auto setup = MakeSetup(kind, "");
  if (absl::IsUnavailable(setup.status())) GTEST_SKIP() << setup.status().message();
  ASSERT_TRUE(setup.ok()) << setup.status();
  const uint64_t first_seed = is_fresh ? FreshSeed() : 1;
  std::printf("seed %llu\n", static_cast<unsigned long long>(first_seed));
  Tally tally;
  for (uint64_t seed = first_seed; seed < first_seed + kSequences; ++seed) {
    const absl::Status agreed = FuzzRun(*setup, seed, kSequence, &tally);
    ASSERT_TRUE(agreed.ok()) << agreed.message() << "\nrepeat with --test_env=REHEAP_SEED=" << seed;
  }
  std::printf("%s%llu operations\n", tally.ToString().c_str(),
              static_cast<unsigned long long>(tally.total()));
  EXPECT_EQ(tally.total(), kSequence * kSequences);
  for (size_t i = 0; i < OperationMix().size(); ++i) {
    const MixRow& row = OperationMix()[i];
    EXPECT_GE(tally.granted[i], row.may_succeed ? kLeastAnswers : 0) << row.name;
    EXPECT_GE(tally.refused[i], row.may_be_refused ? kLeastAnswers : 0) << row.name;
  }
}

// A process with as many mappings as it may have.
class MappingLimitTest : public testing::TestWithParam<const char*> {};

TEST_P(MappingLimitTest, Agrees) {
  const auto setup = MakeSetup(*FindProcessKind(GetParam()), "");
  if (absl::IsUnavailable(setup.status())) GTEST_SKIP() << setup.status().message();
  ASSERT_TRUE(setup.ok()) << setup.status();
  const uint64_t seed = FreshSeed();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  Tally tally;
  const absl::Status agreed = FuzzAtMappingLimit(*setup, seed, 5000, &tally);
  if (absl::IsUnavailable(agreed)) GTEST_SKIP() << agreed.message();
  ASSERT_TRUE(agreed.ok()) << agreed.message() << "\nrepeat with --test_env=REHEAP_SEED=" << seed;
  std::printf("%s", tally.ToString().c_str());
}

INSTANTIATE_TEST_SUITE_P(Kinds, MappingLimitTest, testing::Values("amd64", "i386"));

INSTANTIATE_TEST_SUITE_P(Kinds, LockstepTest,
                         testing::Combine(testing::ValuesIn(ProcessKinds().begin(), ProcessKinds().end()),
                                          testing::Bool()),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) +
                                  (std::get<1>(info.param) ? "_fresh" : "_fixed");
                         });

}  // namespace
}  // namespace reheap
