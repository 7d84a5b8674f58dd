#include "tests/tidy/tidy_rules.h"

#include <algorithm>
#include <cctype>
#include <regex>
#include <set>
#include <sstream>

namespace reheap {
namespace {

bool StartsWith(const std::string& text, const std::string& prefix) { return text.rfind(prefix, 0) == 0; }
bool EndsWith(const std::string& text, const std::string& suffix) {
  return text.size() >= suffix.size() &&
         text.compare(text.size() - suffix.size(), suffix.size(), suffix) == 0;
}
bool IsHeader(const std::string& path) { return EndsWith(path, ".h"); }
bool IsCpp(const std::string& path) { return IsHeader(path) || EndsWith(path, ".cc"); }
bool IsTest(const std::string& path) { return EndsWith(path, "_test.cc") || EndsWith(path, "_bench.cc"); }

// Lines with their numbers, from 1.
template <class Visit>
void ForEachLine(const std::string& text, Visit visit) {
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) visit(number, line);
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

// One row of "who may know whom". An entry that ends in '/' allows a folder, another one a single header.
struct FolderRule {
  std::string folder;
  std::vector<std::string> may_include;
  bool bare = false;  // neither protobuf nor abseil nor iostream: runs inside other programs, or is malloc
};

// The most specific folder comes first.
const std::vector<FolderRule>& FolderRules() {
  static const std::vector<FolderRule> rules = {
      {"alloc/", {"alloc/"}, true},
      // trace_event.h: the numbers of the call kinds, which the collector must read as the recorder wrote
      // them.
      {"traces/recorder/", {"traces/recorder/", "traces/trace_event.h"}, true},
      {"traces/", {"traces/", "proto/"}},
      {"sim/os/",
       {"sim/os/", "sim/textproto/", "proto/", "alloc/os.h", "alloc/memory.h", "alloc/addr.h", "alloc/check.h",
        "sim/report/human_units.h"}},
      {"sim/strategies/",
       {"sim/strategies/", "sim/textproto/", "proto/", "alloc/reservation_strategy.h", "alloc/os.h", "alloc/addr.h",
        "alloc/check.h", "sim/report/human_units.h"}},
      {"sim/textproto/", {"sim/textproto/", "alloc/addr.h", "alloc/check.h"}},
      {"sim/metrics/", {"sim/metrics/", "proto/", "alloc/os.h", "alloc/addr.h", "alloc/check.h"}},
      {"sim/replay/",
       {"sim/replay/", "sim/metrics/", "sim/os/", "sim/strategies/", "alloc/", "traces/", "proto/",
        "sim/report/human_units.h"}},
      {"sim/studies/",
       {"sim/", "proto/", "alloc/addr.h", "alloc/check.h", "alloc/reservation_strategy.h",
        "traces/synthetic_trace.h", "traces/crc32c.h"}},
      {"sim/", {"sim/", "proto/", "alloc/addr.h", "alloc/check.h"}},
      {"tools/", {"tools/", "sim/", "alloc/", "traces/", "proto/"}},
      {"proto/", {"proto/"}},
      {"tests/", {"tests/", "tools/", "sim/", "alloc/", "traces/", "proto/"}},
  };
  return rules;
}

const std::vector<std::string>& ProjectFolders() {
  static const std::vector<std::string> folders = {"alloc/", "proto/", "sim/", "tests/", "tools/", "traces/"};
  return folders;
}

bool IsLibraryThatHarms(const std::string& header) {
  return StartsWith(header, "google/") || StartsWith(header, "absl/") || StartsWith(header, "boost/") ||
         header == "iostream" || EndsWith(header, ".pb.h");
}

bool Allows(const FolderRule& rule, const std::string& header) {
  return std::any_of(rule.may_include.begin(), rule.may_include.end(), [&](const std::string& allowed) {
    return allowed.back() == '/' ? StartsWith(header, allowed) : header == allowed;
  });
}

}  // namespace

std::string Finding::ToString() const { return path + ":" + std::to_string(line) + ": " + rule; }

std::vector<Finding> CheckIncludes(const SourceFile& file) {
  static const std::regex include("^\\s*#\\s*include\\s*[<\"]([^>\"]+)[>\"].*$");
  std::vector<Finding> findings;
  const auto& rules = FolderRules();
  const auto rule = std::find_if(rules.begin(), rules.end(),
                                 [&](const FolderRule& r) { return StartsWith(file.path, r.folder); });
  if (!IsCpp(file.path) || rule == rules.end()) return findings;
  ForEachLine(file.text, [&](int number, const std::string& line) {
    std::smatch match;
    if (!std::regex_match(line, match, include)) return;
    const std::string header = match[1];
    const bool ours = std::any_of(ProjectFolders().begin(), ProjectFolders().end(),
                                  [&](const std::string& folder) { return StartsWith(header, folder); });
    const bool harms = rule->bare && !IsTest(file.path) && IsLibraryThatHarms(header);
    if ((ours && !Allows(*rule, header)) || harms) {
      findings.push_back({file.path, number, rule->folder + " must not include " + header});
    }
  });
  return findings;
}

std::vector<Finding> CheckHeaderGuard(const SourceFile& file) {
  if (!IsHeader(file.path)) return {};
  std::string guard = "REHEAP_";
  for (char c : file.path) {
    guard += std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::toupper(c)) : '_';
  }
  guard += '_';
  std::vector<std::string> directives;
  std::vector<int> numbers;
  ForEachLine(file.text, [&](int number, const std::string& line) {
    if (!StartsWith(line, "#")) return;
    directives.push_back(line);
    numbers.push_back(number);
  });
  const bool good = directives.size() >= 3 && directives[0] == "#ifndef " + guard &&
                    directives[1] == "#define " + guard && directives.back() == "#endif  // " + guard;
  if (good) return {};
  return {{file.path, numbers.empty() ? 0 : numbers[0], "the header guard must be " + guard}};
}

std::vector<Finding> CheckLength(const SourceFile& file) {
  constexpr int kMaxLines = 500;
  if (!IsCpp(file.path) && !EndsWith(file.path, ".bzl") && !EndsWith(file.path, ".sh")) return {};
  const int lines = static_cast<int>(std::count(file.text.begin(), file.text.end(), '\n'));
  if (lines <= kMaxLines) return {};
  return {{file.path, lines, "a source file has at most " + std::to_string(kMaxLines) + " lines"}};
}

std::vector<Finding> CheckUnfinishedWork(const SourceFile& file) {
  // Spelled in two parts, so that this file passes its own rule.
  static const std::regex word(std::string("\\b(TO") + "DO|FIX" + "ME|XX" + "X)\\b");
  std::vector<Finding> findings;
  ForEachLine(file.text, [&](int number, const std::string& line) {
    std::smatch match;
    if (!std::regex_search(line, match, word)) return;
    findings.push_back({file.path, number, "no " + match.str() + ": do it, or write an issue"});
  });
  return findings;
}

std::vector<Finding> CheckPlatformBranches(const SourceFile& file) {
  // Which platform is this? Asked of an enumeration, of a name against a literal, or of a predicate. A
  // pointer that may be null and a search in the catalogue (name against variable) ask something else.
  static const std::regex branch(
      "\\bplatform_?\\s*[!=]=(?!\\s*nullptr)|\\bcase\\s+Platform|"
      "\\bplatform_?(\\(\\))?(\\.|->)name(_|\\(\\))?\\s*[!=]=\\s*\"|"
      "[!=]=\\s*\"(linux|darwin|macos|windows|freebsd|openbsd|netbsd)|"
      "\\b[Ii]s_?([Ll]inux|[Dd]arwin|[Mm]ac[Oo][Ss]|[Ww]indows|[Ff]ree[Bb][Ss][Dd])\\b");
  std::vector<Finding> findings;
  if (!StartsWith(file.path, "sim/os/") || !IsCpp(file.path) || IsTest(file.path)) return findings;
  ForEachLine(file.text, [&](int number, const std::string& line) {
    if (!std::regex_search(line, branch)) return;
    findings.push_back(
        {file.path, number, "sim/os must not branch on the platform: make the difference a field"});
  });
  return findings;
}

std::vector<Finding> CheckFile(const SourceFile& file) {
  std::vector<Finding> findings;
  for (auto* check :
       {CheckIncludes, CheckHeaderGuard, CheckLength, CheckUnfinishedWork, CheckPlatformBranches}) {
    for (Finding& finding : check(file)) findings.push_back(std::move(finding));
  }
  return findings;
}

std::vector<Finding> CheckTopLevel(const std::vector<std::string>& names) {
  static const std::set<std::string> allowed = {"sim",       "alloc",   "traces",         "proto",
                                                "tools",     "tests",   "BUILD.bazel",    "WORKSPACE",
                                                "README.md", "LICENSE", "CONTRIBUTING.md"};
  std::vector<Finding> findings;
  std::set<std::string> missing = allowed;
  for (const std::string& name : names) {
    missing.erase(name);
    const bool build_output = StartsWith(name, "bazel-") || name == "reheap-demo";  // both in .gitignore
    if (StartsWith(name, ".") || build_output || allowed.count(name) != 0) continue;
    findings.push_back({name, 0, "nothing else at the top of the repository"});
  }
  for (const std::string& name : missing)
    findings.push_back({name, 0, "missing at the top of the repository"});
  return findings;
}

std::vector<Finding> CheckReadmes(const std::vector<std::string>& paths) {
  std::set<std::string> code_folders, data_folders, explained;
  for (const std::string& path : paths) {
    const bool code = IsCpp(path) || EndsWith(path, ".proto") || EndsWith(path, ".bzl") ||
                      EndsWith(path, ".sh") || EndsWith(path, ".py");
    if (code) code_folders.insert(FolderOf(path));
    if (EndsWith(path, ".textproto")) data_folders.insert(FolderOf(path));
    if (EndsWith(path, "/README.md")) explained.insert(FolderOf(path));
  }
  std::vector<Finding> findings;
  for (const std::string& folder : code_folders) {
    if (explained.count(folder) == 0)
      findings.push_back({folder, 0, "a folder with sources has a README.md"});
  }
  for (const std::string& folder : data_folders) {
    // A folder of data may be explained by the folder whose data it is.
    const bool good = code_folders.count(folder) != 0 || explained.count(folder) != 0 ||
                      explained.count(FolderOf(folder)) != 0;
    if (!good) findings.push_back({folder, 0, "a folder of data, or the one above, has a README.md"});
  }
  return findings;
}

bool IsText(const std::string& path) {
  static const std::vector<std::string> suffixes = {".h",   ".cc",       ".proto",      ".textproto",
                                                    ".bzl", ".sh",       ".bazel",      ".md",
                                                    ".py",  "WORKSPACE", "tools/bazel", ".ci/run"};
  return std::any_of(suffixes.begin(), suffixes.end(),
                     [&](const std::string& s) { return EndsWith(path, s); });
}

}  // namespace reheap
