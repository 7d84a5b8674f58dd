// What the page's bytes promise; what a browser makes of them is tested in tests/browser.
#include "sim/report/html/html_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "sim/report/html/html_text.h"
#include "sim/report/html/page_files.h"

namespace reheap {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

proto::Report OneRun() {
  proto::Report report;
  report.set_tool("reheap 0.1.0");
  proto::Run* const run = report.add_runs();
  run->set_strategy("go-2010-radix");
  run->set_outcome(proto::SURVIVED);
  return report;
}

TEST(HtmlTextTest, NothingOfATextIsMarkup) {
  EXPECT_EQ(HtmlText("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
  EXPECT_EQ(HtmlText(std::string("a\0\x1b\x7f\tb", 6)), "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\tb");
}

TEST(HtmlTextTest, AFigureHasItsSource) {
  EXPECT_EQ(FigureHtml("1.0 MiB", proto::MEASURED),
            "1.0 MiB <small class=\"source measured\">measured</small>");
  EXPECT_EQ(FigureHtml("1.0 MiB", proto::PROVENANCE_UNSPECIFIED), "1.0 MiB");
}

TEST(HtmlTextTest, PercentsAndScalesDoNotOverflow) {
  EXPECT_EQ(PercentText(1, 3), "33.3 %");
  EXPECT_EQ(PercentText(5, 0), "-");
  EXPECT_EQ(PercentText(UINT64_MAX, UINT64_MAX), "100.0 %");
  EXPECT_EQ(PercentText(UINT64_MAX, 1), "over 1000 %");
  EXPECT_EQ(OnScale(UINT64_MAX, UINT64_MAX, 10000), 10000u);
  EXPECT_EQ(OnScale(UINT64_MAX / 2, UINT64_MAX, 10000), 4999u);
  EXPECT_EQ(OnScale(7, 0, 10000), 0u);
}

TEST(HtmlTextTest, ABarDrawsEveryPieceAndTheLimit) {
  const std::string bar =
      BarHtml({{10, "a", "ten"}, {0, "b", "absent"}, {90, "c", "ninety"}}, 200, 50, "limit 50");
  EXPECT_THAT(bar, HasSubstr("<rect class=\"a\" x=\"0\" y=\"0\" width=\"500\""));
  EXPECT_THAT(bar, HasSubstr("<rect class=\"c\" x=\"500\" y=\"0\" width=\"4500\""));
  EXPECT_THAT(bar, Not(HasSubstr("absent")));
  EXPECT_THAT(bar, HasSubstr("<line class=\"limit\" x1=\"2500\""));
  EXPECT_THAT(bar, HasSubstr("aria-label=\"ten, ninety; the line: limit 50\""));
}

TEST(HtmlPageTest, SameReportSameBytes) { EXPECT_EQ(RenderHtml(OneRun()), RenderHtml(OneRun())); }

TEST(HtmlPageTest, OneFileWithoutAddresses) {
  const std::string page = RenderHtml(OneRun());
  EXPECT_THAT(page, HasSubstr("default-src 'none'; script-src 'sha256-"));
  for (const char* place :
       {"{{policy", "{{title", "{{tool", "{{page", "{{dygraph", "{{summary", "{{contents", "{{sections"}) {
    EXPECT_FALSE(absl::StrContains(page, place)) << place;
  }
  for (const char* loads : {" src=", "<link", "@import", "url(", "<img", "<iframe", "sourceMappingURL"}) {
    EXPECT_FALSE(absl::StrContains(page, loads)) << loads;
  }
}

TEST(HtmlPageTest, ScriptsAndStylesCannotEndTheirElement) {
  for (const EmbeddedFile& file : PageFiles()) {
    const absl::string_view contents(file.contents.data(), file.contents.size());
    if (file.name == "page.html") continue;
    for (const char* ends : {"</script", "</style", "<!--"}) {
      EXPECT_FALSE(absl::StrContains(absl::AsciiStrToLower(contents), ends)) << file.name;
    }
    EXPECT_FALSE(absl::StrContains(contents, "\r")) << file.name;  // a parser would change it, and its digest
  }
}

TEST(HtmlPageTest, ReportsOfNothingAndOfUnknownThingsArePages) {
  EXPECT_THAT(RenderHtml(proto::Report()), HasSubstr("nothing was run"));
  proto::Report report = OneRun();
  proto::Run* const run = report.mutable_runs(0);
  run->set_outcome(static_cast<proto::Outcome>(77));
  run->set_world(static_cast<proto::World>(77));
  run->mutable_refusal()->set_allowed_bytes(UINT64_MAX);
  run->mutable_refusal()->set_asked_bytes(UINT64_MAX);
  run->mutable_refusal()->set_in_use_bytes(UINT64_MAX);
  run->mutable_refusal()->set_measure("mapped bytes");
  run->mutable_refusal()->add_holders()->set_bytes(UINT64_MAX);
  run->mutable_page_map()->set_reserved_bytes(1);
  run->mutable_page_map()->set_lookup_ns(-1e308);
  run->mutable_fragmentation()->set_live_bytes(UINT64_MAX);
  run->mutable_fragmentation()->set_table_bytes(UINT64_MAX);
  run->add_size_classes();
  for (int i = 0; i < 3; ++i) {
    proto::SpacePiece* const piece = run->mutable_address_space()->add_pieces();
    piece->set_start(UINT64_MAX - 10);
    piece->set_end(i == 0 ? 5 : UINT64_MAX);
  }
  proto::LimitSearch* const search = report.add_limit_searches();
  search->add_bands()->set_from_bytes(UINT64_MAX);
  search->set_smallest_bytes(0);
  report.add_usable_heaps()->set_usable_bytes(UINT64_MAX);
  report.add_sensitivities()->add_changes();
  const std::string page = RenderHtml(report);
  EXPECT_THAT(page, HasSubstr("class=\"verdict unknown\""));
  EXPECT_THAT(page, HasSubstr("id=\"space\""));
}

TEST(HtmlPageTest, ThousandsOfRunsStayAPageThatOpens) {
  proto::Report report;
  report.set_tool("reheap 0.1.0");
  for (int i = 0; i < 12000; ++i) {
    proto::Run* const run = report.add_runs();
    run->set_strategy(absl::StrCat("strategy-", i % 60));
    run->set_platform(absl::StrCat("platform-", i / 60));
    run->set_outcome(i % 7 == 0 ? proto::STARTUP_ABORT : proto::SURVIVED);
    for (uint64_t event = 0; event < 40; ++event) run->add_timeline()->set_event(event);
  }
  const std::string page = RenderHtml(report);
  EXPECT_LT(page.size(), 20u << 20);
  EXPECT_THAT(page, HasSubstr("2,000 more runs are in the saved result, not on this page."));
  EXPECT_THAT(page, HasSubstr("11,760 more curves are in the saved result, not on this page."));
}

}  // namespace
}  // namespace reheap
