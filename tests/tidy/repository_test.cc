// The repository keeps its own rules (tidy_rules.h): reads every source of the tree that this test was built
// from.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/tidy/tidy_rules.h"

namespace reheap {
namespace {

namespace fs = std::filesystem;

// Runfiles are links to the sources themselves; WORKSPACE lies at the top of them.
fs::path Repository() {
  const char* runfiles = std::getenv("TEST_SRCDIR");
  const char* workspace = std::getenv("TEST_WORKSPACE");
  if (runfiles == nullptr || workspace == nullptr) return fs::current_path();
  return fs::canonical(fs::path(runfiles) / workspace / "WORKSPACE").parent_path();
}

std::vector<std::string> NamesIn(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

// Every file below the folders of the design, and those at the top, from the repository's top.
std::vector<std::string> AllFiles(const fs::path& top) {
  std::vector<std::string> files;
  for (const char* folder : {"alloc", "proto", "sim", "tests", "tools", "traces", ".ci"}) {
    if (!fs::exists(top / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(top / folder)) {
      if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), top));
    }
  }
  for (const auto& entry : fs::directory_iterator(top)) {
    if (entry.is_regular_file()) files.push_back(entry.path().filename());
  }
  std::sort(files.begin(), files.end());
  return files;
}

void Report(const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) ADD_FAILURE() << finding.ToString();
}

TEST(RepositoryTest, EverySourceKeepsTheRules) {
  const fs::path top = Repository();
  int judged = 0;
  for (const std::string& path : AllFiles(top)) {
    if (!IsText(path)) continue;
    ++judged;
    std::ifstream file(top / path);
    Report(CheckFile({path, std::string(std::istreambuf_iterator<char>(file), {})}));
  }
  // The seams alone are more than this: fewer means that the tree was not found.
  EXPECT_GT(judged, 20) << top;
}

TEST(RepositoryTest, TheTopLevelIsTheDesigns) { Report(CheckTopLevel(NamesIn(Repository()))); }

TEST(RepositoryTest, EveryFolderExplainsItself) { Report(CheckReadmes(AllFiles(Repository()))); }

}  // namespace
}  // namespace reheap
