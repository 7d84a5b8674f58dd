#include "tests/tidy/tidy_rules.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reheap {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> Text(const std::vector<Finding>& findings) {
  std::vector<std::string> text;
  for (const Finding& finding : findings) text.push_back(finding.ToString());
  return text;
}

TEST(TidyRulesTest, IncludesThatTheTableForbids) {
  const struct {
    const char* name;
    SourceFile file;
    const char* expected;  // null: allowed
  } kCases[] = {
      {"AllocSeesAlloc", {"alloc/heap.h", "#include \"alloc/os.h\"\n"}, nullptr},
      {"AllocSeesSim",
       {"alloc/heap.h", "\n#include \"sim/os/virtual_os.h\"\n"},
       "alloc/heap.h:2: alloc/ must not include sim/os/virtual_os.h"},
      {"AllocSeesProtobuf", {"alloc/heap.cc", "#include <google/protobuf/message.h>\n"}, "google/protobuf"},
      {"AllocSeesAbseil", {"alloc/heap.cc", "#include \"absl/status/status.h\"\n"}, "absl/status/status.h"},
      {"AllocSeesIostream", {"alloc/heap.cc", "#include <iostream>\n"}, "iostream"},
      {"AllocSeesSchemas", {"alloc/heap.cc", "#include \"proto/trace.pb.h\"\n"}, "proto/trace.pb.h"},
      {"OddSpacing", {"alloc/heap.cc", "  #  include   <iostream>  // why\n"}, "iostream"},
      {"Comment", {"alloc/heap.cc", "// #include <iostream>\n"}, nullptr},
      {"RecorderSeesOwnFiles",
       {"traces/recorder/preload.cc", "#include \"traces/recorder/spool.h\"\n"},
       nullptr},
      {"RecorderSeesCallKinds", {"traces/recorder/hooks.h", "#include \"traces/trace_event.h\"\n"}, nullptr},
      {"RecorderSeesWriter",
       {"traces/recorder/hooks.h", "#include \"traces/trace_writer.h\"\n"},
       "trace_writer.h"},
      {"RecorderSeesAbseil", {"traces/recorder/preload.cc", "#include \"absl/time/time.h\"\n"}, "absl/time"},
      {"CollectorSeesSpool", {"traces/collector.cc", "#include \"traces/recorder/spool.h\"\n"}, nullptr},
      {"TracesSeeAlloc", {"traces/collector.cc", "#include \"alloc/addr.h\"\n"}, "alloc/addr.h"},
      {"SimOsSeesTheSeam", {"sim/os/virtual_os.h", "#include \"alloc/os.h\"\n"}, nullptr},
      {"SimOsSeesHeap", {"sim/os/virtual_os.h", "#include \"alloc/heap.h\"\n"}, "alloc/heap.h"},
      {"SimOsSeesTraces", {"sim/os/virtual_os.h", "#include \"traces/trace_event.h\"\n"}, "trace_event.h"},
      {"ReplaySeesBoth",
       {"sim/replay/x.cc", "#include \"alloc/heap.h\"\n#include \"traces/trace_cursor.h\"\n"},
       nullptr},
      {"ReplaySeesReport", {"sim/replay/x.cc", "#include \"sim/report/report.h\"\n"}, "sim/report/report.h"},
      {"ReportSeesAlloc", {"sim/report/x.cc", "#include \"alloc/heap.h\"\n"}, "alloc/heap.h"},
      {"SimSeesTools", {"sim/report/x.cc", "#include \"tools/options.h\"\n"}, "tools/options.h"},
      {"ToolsSeeTests",
       {"tools/main.cc", "#include \"tests/tidy/tidy_rules.h\"\n"},
       "tests/tidy/tidy_rules.h"},
      {"UnitTestSeesTests", {"alloc/os_test.cc", "#include \"tests/tidy/tidy_rules.h\"\n"}, "tests/"},
      {"TestsSeeAll",
       {"tests/story/x.cc", "#include \"alloc/heap.h\"\n#include \"tools/options.h\"\n"},
       nullptr},
  };
  for (const auto& c : kCases) {
    const std::vector<std::string> found = Text(CheckIncludes(c.file));
    if (c.expected == nullptr) {
      EXPECT_THAT(found, IsEmpty()) << c.name;
    } else {
      EXPECT_THAT(found, ElementsAre(HasSubstr(c.expected))) << c.name;
    }
  }
}

TEST(TidyRulesTest, HeaderGuardsAreThePath) {
  const std::string good =
      "// x\n#ifndef REHEAP_SIM_OS_X_Y_H_\n#define REHEAP_SIM_OS_X_Y_H_\n#endif  // REHEAP_SIM_OS_X_Y_H_\n";
  EXPECT_THAT(CheckHeaderGuard({"sim/os/x_y.h", good}), IsEmpty());
  EXPECT_THAT(CheckHeaderGuard({"sim/os/x_y.cc", ""}), IsEmpty());
  EXPECT_THAT(Text(CheckHeaderGuard({"sim/os/z.h", good})),
              ElementsAre("sim/os/z.h:2: the header guard must be REHEAP_SIM_OS_Z_H_"));
  EXPECT_EQ(CheckHeaderGuard({"sim/os/x_y.h", "#pragma once\n"}).size(), 1u);
  EXPECT_EQ(CheckHeaderGuard({"sim/os/x_y.h", ""}).size(), 1u);
  EXPECT_EQ(CheckHeaderGuard({"sim/os/x_y.h", good + "#define LATE 1\n"}).size(), 1u);
}

TEST(TidyRulesTest, LongFilesAreFound) {
  EXPECT_THAT(CheckLength({"a.cc", std::string(500, '\n')}), IsEmpty());
  EXPECT_THAT(Text(CheckLength({"a.cc", std::string(501, '\n')})),
              ElementsAre(HasSubstr("at most 500 lines")));
  EXPECT_THAT(CheckLength({"README.md", std::string(501, '\n')}), IsEmpty());
}

TEST(TidyRulesTest, UnfinishedWorkIsFound) {
  EXPECT_THAT(Text(CheckUnfinishedWork({"a.cc", std::string("x;\n// TO") + "DO: later\n"})),
              ElementsAre(HasSubstr("a.cc:2: no TO")));
  EXPECT_EQ(CheckUnfinishedWork({"a.md", std::string("FIX") + "ME"}).size(), 1u);
  EXPECT_THAT(CheckUnfinishedWork({"a.cc", "mastodon todos TODOS\n"}), IsEmpty());
}

TEST(TidyRulesTest, BranchesOnThePlatformAreFound) {
  const auto found = [](const std::string& line) {
    return CheckPlatformBranches({"sim/os/x.cc", line}).size();
  };
  EXPECT_EQ(found("if (platform == kLinux) {"), 1u);
  EXPECT_EQ(found("if (platform_.name == \"linux\") {"), 1u);
  EXPECT_EQ(found("if (platform.name() != \"darwin-amd64\") {"), 1u);
  EXPECT_EQ(found("return name_ == \"windows\";"), 1u);
  EXPECT_EQ(found("if (IsDarwin()) {"), 1u);
  EXPECT_EQ(found("case Platform::kLinux:"), 1u);
  EXPECT_EQ(found("if (platform.counts_protnone) {"), 0u);
  EXPECT_EQ(found("if (platform == nullptr) return;"), 0u);
  EXPECT_EQ(found("if (platform->name == name) return *platform;"), 0u);
  EXPECT_EQ(found("if (mapping.name == \"[heap]\") {"), 0u);
  EXPECT_THAT(CheckPlatformBranches({"sim/replay/x.cc", "if (platform == kLinux)"}), IsEmpty());
}

TEST(TidyRulesTest, TheTopLevelIsExactlyTheDesigns) {
  std::vector<std::string> names = {
      "sim",       "alloc",     "traces",  "proto",           "tools", "tests",    "BUILD.bazel",
      "WORKSPACE", "README.md", "LICENSE", "CONTRIBUTING.md", ".ci",   "bazel-bin"};
  EXPECT_THAT(CheckTopLevel(names), IsEmpty());
  names.push_back("docs");
  EXPECT_THAT(Text(CheckTopLevel(names)), ElementsAre("docs:0: nothing else at the top of the repository"));
  names.pop_back();
  names.erase(names.begin());
  EXPECT_THAT(Text(CheckTopLevel(names)), ElementsAre("sim:0: missing at the top of the repository"));
}

TEST(TidyRulesTest, FoldersWithSourcesHaveAReadme) {
  EXPECT_THAT(CheckReadmes({"alloc/README.md", "alloc/os.h", "tests/golden/x.maps"}), IsEmpty());
  EXPECT_THAT(Text(CheckReadmes({"alloc/README.md", "alloc/deep/os.h"})),
              ElementsAre("alloc/deep:0: a folder with sources has a README.md"));
  EXPECT_THAT(CheckReadmes({"sim/os/README.md", "sim/os/platforms/linux.textproto"}), IsEmpty());
  EXPECT_EQ(CheckReadmes({"sim/os/platforms/linux.textproto"}).size(), 1u);
}

}  // namespace
}  // namespace reheap
