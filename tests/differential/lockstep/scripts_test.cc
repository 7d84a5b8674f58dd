// The scripts in tests/differential/scripts, each of which once made kernel and model part, or guards a rule
// that nothing else shows: on every kind of process, kernel and model agree.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "tests/differential/lockstep/minimiser.h"
#include "tests/differential/lockstep/script_text.h"

namespace reheap {
namespace {

std::vector<std::string> ScriptNames() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("tests/differential/scripts")) {
    if (entry.path().extension() == ".txt") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class ScriptsTest : public testing::TestWithParam<std::tuple<ProcessKind, std::string>> {};

TEST_P(ScriptsTest, Agrees) {
  const auto& [kind, name] = GetParam();
  const std::string path = "tests/differential/scripts/" + name + ".txt";
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  const auto script = ParseScript(text.str(), path);
  ASSERT_TRUE(script.ok()) << script.status();
  ASSERT_FALSE(script->empty());
  const auto setup = MakeSetup(kind, "");
  if (absl::IsUnavailable(setup.status())) GTEST_SKIP() << setup.status().message();
  ASSERT_TRUE(setup.ok()) << setup.status();
  auto pair = LockstepPair::Start(*setup);
  ASSERT_TRUE(pair.ok()) << pair.status();
  const uint64_t word_mask = kind.word_bits == 32 ? 0xffffffff : ~uint64_t{0};
  std::vector<uint64_t> answers;
  Script carried;
  for (ScriptLine line : *script) {
    for (int i = 0; i < kMaxArguments; ++i) {
      if (line.answers[i] != 0) line.operation.arguments[i] += answers[line.answers[i] - 1];
      if (line.operation.kind != OperationKind::kRlimit) line.operation.arguments[i] &= word_mask;
    }
    carried.push_back(line.operation);
    answers.push_back((*pair)->Queue(line.operation).value);
    std::optional<Mismatch> mismatch = (*pair)->Flush();
    if (!mismatch.has_value()) mismatch = (*pair)->Checkpoint();
    ASSERT_FALSE(mismatch.has_value()) << path << "\n" << DescribeFailure(*setup, carried);
  }
}

INSTANTIATE_TEST_SUITE_P(Scripts, ScriptsTest,
                         testing::Combine(testing::ValuesIn(ProcessKinds().begin(), ProcessKinds().end()),
                                          testing::ValuesIn(ScriptNames())),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) + "_" + std::get<1>(info.param);
                         });

}  // namespace
}  // namespace reheap
