// The fuzzer can fail: a model that is wrong on purpose is found out, and the script that shows it is short.
#include "tests/differential/lockstep/minimiser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "tests/differential/lockstep/fuzz_run.h"
#include "tests/differential/lockstep/script_text.h"

namespace reheap {
namespace {

class MinimiserTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto setup = MakeSetup(*FindProcessKind("amd64"), "");
    if (absl::IsUnavailable(setup.status())) GTEST_SKIP() << setup.status().message();
    ASSERT_TRUE(setup.ok()) << setup.status();
    setup_ = *setup;
  }

  // Fuzzes until kernel and model part; the shortest script.
  Script Find() {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      Tally tally;
      Script failing;
      const absl::Status agreed = FuzzRun(setup_, seed, 2000, &tally, &failing);
      if (agreed.ok()) continue;
      EXPECT_NE(std::string(agreed.message()).find("they part at: "), std::string::npos) << agreed;
      return Minimise(setup_, failing);
    }
    ADD_FAILURE() << "40,000 operations did not show that the model is wrong";
    return {};
  }

  std::string TextOf(const Script& script) {
    std::string text;
    for (const Operation& operation : script) text += FormatOperation(operation) + "\n";
    return text;
  }

  LockstepSetup setup_;
};

TEST_F(MinimiserTest, AWrongMergeRuleIsAFewOperations) {
  setup_.switches.written_joins_unwritten = !setup_.switches.written_joins_unwritten;
  const Script script = Find();
  // Map two pages with different access, write one, give them the same: the rest of what was drawn is gone.
  EXPECT_LE(script.size(), 8u) << TextOf(script);
  ASSERT_FALSE(script.empty());
  // Whatever changes a mapping where it lies may make it like its neighbour.
  const OperationKind changes[] = {OperationKind::kMprotect, OperationKind::kMadvise, OperationKind::kMlock,
                                   OperationKind::kMunlock, OperationKind::kMseal};
  EXPECT_NE(std::find(std::begin(changes), std::end(changes), script.back().kind), std::end(changes)) << TextOf(script);
}

TEST_F(MinimiserTest, AWrongHintFloorIsOneOperation) {
  setup_.switches.hint_floor_bytes += 4096;
  const Script script = Find();
  ASSERT_EQ(script.size(), 1u) << TextOf(script);
  EXPECT_EQ(script[0].kind, OperationKind::kMmap);
  EXPECT_EQ(script[0].arguments[1], 4096u) << "the length is simplified: " << TextOf(script);
}

TEST_F(MinimiserTest, AWrongDataLimitIsAMapALimitAndWhatMeetsIt) {
  setup_.platform.limits.data = DataLimitRule::kNotEnforced;
  const Script script = Find();
  // A map, a limit and what meets it; where that is an mremap, one more that makes the mapping as long as it must be.
  EXPECT_LE(script.size(), 4u) << TextOf(script);
  EXPECT_NE(TextOf(script).find("rlimit data "), std::string::npos) << TextOf(script);
}

// What no answer shows, only /proc/PID/smaps.
TEST_F(MinimiserTest, AWrongCommitChargeIsFoundAtACheckpoint) {
  setup_.switches.protect_uncharges_unwritten = !setup_.switches.protect_uncharges_unwritten;
  EXPECT_LE(Find().size(), 4u);
}

TEST_F(MinimiserTest, AScriptThatAgreesStaysAsItIs) {
  const Script script = {{OperationKind::kMunmap, 0, {0x10000, 4096}}};
  int runs = 0;
  EXPECT_EQ(Minimise(setup_, script, &runs), script);
  EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace reheap
