// Tidy rules: what the repository promises about its own sources, as functions from text to findings.
//
// Each rule takes what it judges as a value, so that it can be tested on bad input (tidy_rules_test.cc); the
// test of the real tree is repository_test.cc. Threads: any; no state.
#ifndef REHEAP_TESTS_TIDY_TIDY_RULES_H_
#define REHEAP_TESTS_TIDY_TIDY_RULES_H_

#include <string>
#include <vector>

namespace reheap {

struct SourceFile {
  std::string path;  // from the top of the repository: "alloc/os.h"
  std::string text;
};

struct Finding {
  std::string path;
  int line = 0;  // from 1; 0 = the file or folder as a whole
  std::string rule;

  std::string ToString() const;  // "alloc/os.h:12: alloc/ must not include absl/..."
};

// Who may know whom: each #include against the table of the folders.
std::vector<Finding> CheckIncludes(const SourceFile& file);
// A header's guard is its path.
std::vector<Finding> CheckHeaderGuard(const SourceFile& file);
// A file that nobody wants to read in one go should be two.
std::vector<Finding> CheckLength(const SourceFile& file);
// No promises of later work in place of work.
std::vector<Finding> CheckUnfinishedWork(const SourceFile& file);
// The model of an OS is data: sim/os must not ask which platform it is.
std::vector<Finding> CheckPlatformBranches(const SourceFile& file);
// All of the above.
std::vector<Finding> CheckFile(const SourceFile& file);

// `names`: what lies at the top of the repository.
std::vector<Finding> CheckTopLevel(const std::vector<std::string>& names);
// `paths`: every file. A folder that holds sources explains itself.
std::vector<Finding> CheckReadmes(const std::vector<std::string>& paths);

// Does `path` name a file whose text the rules judge?
bool IsText(const std::string& path);

}  // namespace reheap

#endif  // REHEAP_TESTS_TIDY_TIDY_RULES_H_
