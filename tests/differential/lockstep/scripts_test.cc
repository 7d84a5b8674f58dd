// The scripts in tests/differential/scripts, each of which once made kernel and model part, or guards a rule
// that nothing else shows: on every kind of process, kernel and model agree.
#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "tests/differential/lockstep/script_run.h"

namespace reheap {
namespace {

class ScriptsTest : public testing::TestWithParam<std::tuple<ProcessKind, std::string>> {};

TEST_P(ScriptsTest, Agrees) {
  const auto& [kind, path] = GetParam();
  const auto setup = MakeSetup(kind, "");
  if (absl::IsUnavailable(setup.status())) GTEST_SKIP() << setup.status().message();
  ASSERT_TRUE(setup.ok()) << setup.status();
  const absl::Status agreed = RunScript(*setup, path);
  EXPECT_TRUE(agreed.ok()) << agreed.message();
}

std::string NameOf(const std::string& path) {
  const size_t start = path.rfind('/') + 1;
  return path.substr(start, path.rfind('.') - start);
}

INSTANTIATE_TEST_SUITE_P(Scripts, ScriptsTest,
                         testing::Combine(testing::ValuesIn(ProcessKinds().begin(), ProcessKinds().end()),
                                          testing::ValuesIn(ScriptsIn("tests/differential/scripts"))),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) + "_" +
                                  NameOf(std::get<1>(info.param));
                         });

}  // namespace
}  // namespace reheap
