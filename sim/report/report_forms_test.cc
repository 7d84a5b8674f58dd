// Markdown for pull requests and counters for Perfetto.
#include <gmock/gmock.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "sim/report/report.h"

namespace reheap {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

proto::Report Fiasco() {
  proto::Report report;
  report.set_tool("reheap 0.1.0");
  report.set_rerun("reheap replay web.trace --address-limit unlimited,4GiB");
  for (const bool limited : {false, true}) {
    for (const char* strategy : {"go-2010-radix", "go-2011-02-reserve17g"}) {
      proto::Run* const run = report.add_runs();
      run->set_trace("web.trace");
      run->set_strategy(strategy);
      run->set_world(proto::VIRTUAL);
      run->set_platform("linux-amd64");
      if (limited) run->mutable_limits()->set_address_bytes(4294967296);
      run->set_outcome(proto::SURVIVED);
      run->set_peak_vsize_bytes(134217728);
      proto::MetricProvenance* const provenance = run->add_provenance();
      provenance->set_metric("peak_vsize_bytes");
      provenance->set_provenance(proto::MODELLED);
      for (uint64_t event : {0, 1024, 2048}) {
        proto::TimelinePoint* const point = run->add_timeline();
        point->set_event(event);
        point->set_live_bytes(event * 2);
        point->set_rss_bytes(event * 3);
        point->set_vsize_bytes(event * 4);
      }
    }
  }
  proto::Run* const last = report.mutable_runs(3);
  last->set_outcome(proto::STARTUP_ABORT);
  last->clear_timeline();
  last->mutable_refusal()->set_rule("RLIMIT_AS");
  last->mutable_refusal()->set_asked_bytes(18253611008);
  last->mutable_refusal()->set_allowed_bytes(4294967296);
  last->mutable_refusal()->set_measure("mapped bytes");
  last->mutable_refusal()->set_operation("reserve");
  return report;
}

TEST(RenderMarkdownTest, TheFiascoForAPullRequest) {
  EXPECT_EQ(
      RenderMarkdown(Fiasco()),
      "## `reheap 0.1.0`: 3 survived, 1 startup abort\n"
      "\n"
      "| system | limits | `go-2010-radix` | `go-2011-02-reserve17g` |\n"
      "| --- | --- | --- | --- |\n"
      "| `linux-amd64` | `unlimited` | survived | survived |\n"
      "| `linux-amd64` | `as 4.0 GiB` | survived | **startup abort** |\n"
      "\n"
      "### Refusals\n"
      "\n"
      "- `go-2011-02-reserve17g` on `linux-amd64`, `as 4.0 GiB`: **startup abort**. "
      "`RLIMIT_AS: asked 17.0 GiB, 0.0 of 4.0 GiB in use; at startup: reserve`\n"
      "\n"
      "<details><summary>Figures of all 4 runs</summary>\n"
      "\n"
      "| # | strategy | system | limits | outcome | VSIZE | RSS | commit | VMAs | these are |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
      "| 1 | `go-2010-radix` | `linux-amd64` | `unlimited` | survived | 128.0 MiB | - | - | 0 | modelled |\n"
      "| 2 | `go-2011-02-reserve17g` | `linux-amd64` | `unlimited` | survived | 128.0 MiB | - | - | 0 | "
      "modelled |\n"
      "| 3 | `go-2010-radix` | `linux-amd64` | `as 4.0 GiB` | survived | 128.0 MiB | - | - | 0 | modelled |\n"
      "| 4 | `go-2011-02-reserve17g` | `linux-amd64` | `as 4.0 GiB` | startup abort | 128.0 MiB | - | - | 0 "
      "| "
      "modelled |\n"
      "\n"
      "</details>\n"
      "\n"
      "Again:\n"
      "\n"
      "```\n"
      "reheap replay web.trace --address-limit unlimited,4GiB\n"
      "```\n");
}

TEST(RenderMarkdownTest, NamesAreNeitherMarkupNorMentions) {
  proto::Report report = Fiasco();
  report.mutable_runs(0)->set_strategy("x` | @everyone <img src=x>\n# title");
  report.set_rerun("```\n# out of the fence");
  const std::string text = RenderMarkdown(report);
  EXPECT_THAT(text, HasSubstr("`x' \\| @everyone <img src=x> # title`"));
  EXPECT_THAT(text, Not(HasSubstr("\n# title")));
  EXPECT_THAT(text, HasSubstr("````\n```\n# out of the fence\n````\n"));
}

TEST(RenderMarkdownTest, FitsAComment) {
  proto::Report report = Fiasco();
  const proto::Run refused = report.runs(3);
  for (int i = 0; i < 5000; ++i) {
    *report.add_runs() = refused;
    report.mutable_runs(report.runs_size() - 1)->set_platform(absl::StrCat("platform-", i));
  }
  const std::string text = RenderMarkdown(report);
  EXPECT_LT(text.size(), 65536u);
  EXPECT_THAT(text, HasSubstr("- and 4971 more"));
}

// The trace as ui.perfetto.dev's importer reads it.
google::protobuf::Struct Parsed(const std::string& json) {
  google::protobuf::Struct trace;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &trace);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return trace;
}

TEST(RenderPerfettoTest, AProcessPerRunWithCountersOverEvents) {
  proto::Report report = Fiasco();
  report.mutable_runs(0)->set_strategy("\"}],\"<b>");
  report.mutable_runs(3)->mutable_refusal()->set_event(7);
  const google::protobuf::Struct trace = Parsed(RenderPerfetto(report));
  std::map<std::string, int> phases;
  std::map<std::string, double> last;  // of process 1
  std::map<int, std::string> names;
  double clock = 0;
  for (const google::protobuf::Value& value : trace.fields().at("traceEvents").list_value().values()) {
    const auto& event = value.struct_value().fields();
    const std::string phase = event.at("ph").string_value();
    const std::string name = event.at("name").string_value();
    const int process = static_cast<int>(event.at("pid").number_value());
    ++phases[phase];
    if (name == "process_name") {
      names[process] = event.at("args").struct_value().fields().at("name").string_value();
      clock = 0;
    }
    if (phase == "M") continue;
    // Times of a process do not go back.
    EXPECT_GE(event.at("ts").number_value(), clock);
    clock = event.at("ts").number_value();
    if (phase != "C" || process != 1) continue;
    last[name] = event.at("args").struct_value().fields().at("bytes").number_value();
  }
  EXPECT_EQ(phases["M"], 8);  // a name and a place per run
  EXPECT_EQ(phases["C"],
            3 * 3 * 3);  // runs with a timeline, points, live, rss and vsize: commit is not known
  EXPECT_EQ(phases["i"], 1);
  EXPECT_EQ(last, (std::map<std::string, double>{{"live", 4096}, {"rss", 6144}, {"vsize", 8192}}));
  EXPECT_EQ(names[1], "1: \"}],\"<b> on linux-amd64 (virtual), unlimited, survived, modelled");
  EXPECT_THAT(names[4], HasSubstr("startup abort"));
}

TEST(RenderPerfettoTest, NoRunsAreAnEmptyTrace) {
  EXPECT_EQ(Parsed(RenderPerfetto(proto::Report())).fields().at("traceEvents").list_value().values_size(), 0);
}

}  // namespace
}  // namespace reheap
