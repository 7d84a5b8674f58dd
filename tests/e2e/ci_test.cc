// The pipelines of tools/ci, tried: they are YAML, their `reheap` commands run, and what they leave is JUnit
// as CI systems read it (junit.xsd), whatever the budget's words are.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace reheap {
namespace {

namespace fs = std::filesystem;

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

int Shell(const std::string& folder, const std::string& command) {
  std::ofstream(folder + "/.command") << command << "\n";
  const std::string tools = fs::absolute("tools").string();
  const int status = std::system(absl::StrCat("cd '", folder, "' && PATH='", tools,
                                              "':\"$PATH\" GITHUB_STEP_SUMMARY=summary.md bash -e .command")
                                     .c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

constexpr char kBudget[] = R"(
row { name: "lives"  strategy: "go-1.11-sparse"  platform: "linux-amd64"  at_most { peak_rss: "%s" } of_baseline { peak_rss: 1.1 } }
row { name: "<\"&'\t\n\001 of \303\244>"  strategy: "go-2011-02-reserve17g"  platform: "linux-amd64"  limits { address: "4GiB" } }
)";

class CiTest : public testing::Test {
 protected:
  // What a repository that uses the snippets has.
  static std::string Repository(const char* name) {
    const std::string folder = absl::StrCat(testing::TempDir(), "/", name);
    fs::create_directories(folder + "/traces");
    fs::copy_file("tests/example_workspace/shop.trace", folder + "/traces/web.trace",
                  fs::copy_options::overwrite_existing);
    WriteBudget(folder, "64MiB");
    EXPECT_EQ(Shell(folder,
                    "reheap replay traces/web.trace --strategy go-1.11-sparse --save traces/web.baseline "
                    "--quiet >/dev/null"),
              0);
    return folder;
  }

  static void WriteBudget(const std::string& folder, const std::string& peak_rss) {
    std::string text = kBudget;
    text.replace(text.find("%s"), 2, peak_rss);
    std::ofstream(folder + "/traces/web.budget.textproto") << text;
  }

  // Both rows fail or one does; the file is right either way.
  static void ExpectJUnit(const std::string& folder, const std::string& counts) {
    const std::string schema = fs::absolute("tests/e2e/junit.xsd").string();
    EXPECT_EQ(Shell(folder, absl::StrCat("xmllint --noout --schema '", schema, "' reheap.xml")), 0)
        << ReadAll(folder + "/reheap.xml");
    EXPECT_TRUE(absl::StrContains(ReadAll(folder + "/reheap.xml"), counts))
        << ReadAll(folder + "/reheap.xml");
  }
};

TEST_F(CiTest, GitHubActions) {
  const YAML::Node workflow = YAML::LoadFile("tools/ci/github-actions.yml");
  ASSERT_TRUE(workflow["on"] && workflow["jobs"]);
  const std::string folder = Repository("github");
  std::vector<int> exit_codes;
  for (const YAML::Node& step : workflow["jobs"]["memory-budget"]["steps"]) {
    if (!step["name"] || !absl::StartsWith(step["name"].as<std::string>(), "Replay")) continue;
    exit_codes.push_back(Shell(folder, step["run"].as<std::string>()));
  }
  EXPECT_EQ(exit_codes, (std::vector<int>{1, 0})) << "the second row dies; comparing tolerates all";
  ExpectJUnit(folder, "tests=\"2\" failures=\"1\"");
  EXPECT_TRUE(absl::StrContains(ReadAll(folder + "/summary.md"), "1 runs in both"));
  EXPECT_TRUE(absl::StrContains(ReadAll(folder + "/summary.md"), "only in the second"));
}

TEST_F(CiTest, GitLab) {
  const YAML::Node pipeline = YAML::LoadFile("tools/ci/gitlab-ci.yml");
  const YAML::Node job = pipeline["memory-budget"];
  ASSERT_TRUE(job["script"] && job["after_script"]);
  EXPECT_EQ(job["artifacts"]["reports"]["junit"].as<std::string>(), "reheap.xml");
  const std::string folder = Repository("gitlab");
  WriteBudget(folder, "1MiB");
  EXPECT_EQ(Shell(folder, job["script"][0].as<std::string>()), 1);
  EXPECT_EQ(Shell(folder, job["after_script"][0].as<std::string>()), 0);
  ExpectJUnit(folder, "tests=\"2\" failures=\"2\"");
}

TEST_F(CiTest, TheSchemaRefusesWhatIsNoJUnit) {
  const std::string folder = Repository("schema");
  std::ofstream(folder + "/no.xml")
      << "<testsuites><testsuite name='x' tests='1' failures='0'><testcase/></testsuite></testsuites>";
  EXPECT_NE(Shell(folder, absl::StrCat("xmllint --noout --schema '",
                                       fs::absolute("tests/e2e/junit.xsd").string(), "' no.xml 2>/dev/null")),
            0);
}

}  // namespace
}  // namespace reheap
