#include "tools/cmd_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/report.pb.h"
#include "sim/report/report.h"
#include "tools/run_command_for_tests.h"

namespace reheap {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

proto::Report TwoRuns() {
  proto::Report report;
  report.set_tool("reheap 0.1.0");
  report.set_rerun("reheap replay web.trace");
  for (const char* strategy : {"go-2010-radix", "go-2011-02-pretend"}) {
    proto::Run* const run = report.add_runs();
    run->set_trace("web.trace");
    run->set_strategy(strategy);
    run->set_world(proto::VIRTUAL);
    run->set_platform("linux-amd64");
    run->set_outcome(proto::SURVIVED);
  }
  return report;
}

std::string Contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

std::string Saved(const std::string& name, const std::string& bytes) {
  const std::string path = TempPath(name);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

TEST(ReportCommandTest, EveryFormOfBothKindsOfFile) {
  const proto::Report report = TwoRuns();
  const std::string json = *RenderJson(report);
  for (const std::string& path : {Saved("two.json", json), Saved("two.report", report.SerializeAsString())}) {
    EXPECT_EQ(Reheap({"report", path}).out, RenderTable(report, {}));
    EXPECT_EQ(Reheap({"report", path, "--json"}).out, json);
    EXPECT_EQ(Reheap({"report", path, "--csv"}).out, RenderCsv(report));
    EXPECT_EQ(Reheap({"report", path, "--markdown"}).out, RenderMarkdown(report));
  }
}

TEST(ReportCommandTest, FilesAreWrittenWholeAndSaidOnStderr) {
  const std::string path = Saved("two.report", TwoRuns().SerializeAsString());
  const std::string html = TempPath("two.html");
  const std::string perfetto = TempPath("two.perfetto.json");
  const Ran ran = Reheap({"report", path, "--html", html, "--perfetto", perfetto});
  EXPECT_EQ(ran.exit_code, kAsExpected);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr(html));
  EXPECT_THAT(Contents(html), StartsWith("<!DOCTYPE html>"));
  EXPECT_THAT(Contents(perfetto), HasSubstr("\"traceEvents\""));
  // Nothing else is left beside them.
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(html).parent_path())) {
    EXPECT_EQ(entry.path().string().find(".partial"), std::string::npos) << entry.path();
  }
  // A page and a table at once.
  EXPECT_EQ(Reheap({"report", path, "--html", html, "--csv"}).out, RenderCsv(TwoRuns()));
}

TEST(ReportCommandTest, WhatIsWrongIsNamed) {
  const std::string path = Saved("two.report", TwoRuns().SerializeAsString());
  EXPECT_EQ(Reheap({"report"}).exit_code, kUsage);
  const Ran both = Reheap({"report", path, "--csv", "--json"});
  EXPECT_EQ(both.exit_code, kUsage);
  EXPECT_THAT(both.err, HasSubstr("--csv contradicts --json"));
  const Ran missing = Reheap({"report", "/nowhere/x.report"});
  EXPECT_EQ(missing.exit_code, kUnreadableInput);
  EXPECT_THAT(missing.err, HasSubstr("/nowhere/x.report"));
  const Ran damaged = Reheap({"report", Saved("damaged", "{\"runs\": [}")});
  EXPECT_EQ(damaged.exit_code, kUnreadableInput);
  EXPECT_THAT(damaged.err, HasSubstr("offset"));
  const Ran unwritable = Reheap({"report", path, "--html", "/nowhere/x.html"});
  EXPECT_EQ(unwritable.exit_code, kUnreadableInput);
  EXPECT_THAT(unwritable.err, HasSubstr("/nowhere/x.html"));
}

}  // namespace
}  // namespace reheap
