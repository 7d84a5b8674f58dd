// The page in a real browser: what stands in it after its scripts ran, what a keyboard reaches, and what can
// be seen, light and dark.
//
// Screenshots are left in the test's outputs (bazel-testlogs/tests/browser/report_page_test/test.outputs),
// for people to look at.
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/report.pb.h"
#include "sim/report/html/html_page.h"
#include "sim/report/report_reader.h"
#include "tests/browser/browser.h"
#include "tests/browser/picture.h"

namespace reheap {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kWidth = 1400;
constexpr int kHeight = 900;

proto::Report Everything() {
  std::ifstream in("tests/browser/everything.textproto");
  const std::string text(std::istreambuf_iterator<char>(in), {});
  proto::Report report;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &report));
  return report;
}

// One browser for all tests: it takes seconds to start.
class ReportPageTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const std::string folder = absl::StrCat(testing::TempDir(), "/browser");
    std::filesystem::create_directories(folder);
    absl::StatusOr<std::unique_ptr<Browser>> browser = Browser::Start(folder, kWidth, kHeight);
    ASSERT_TRUE(browser.ok()) << browser.status();
    browser_ = std::move(*browser);
  }
  static void TearDownTestSuite() { browser_ = nullptr; }

  void SetUp() override {
    ASSERT_NE(browser_, nullptr);
    ASSERT_TRUE(browser_->Emulate("", "", "").ok());
    ASSERT_TRUE(browser_->AllowScripts(true).ok());
  }

  // Writes the page of `report` and opens it.
  void Show(const proto::Report& report) {
    path_ = absl::StrCat(testing::TempDir(), "/page.html");
    std::ofstream(path_, std::ios::binary) << RenderHtml(report);
    const absl::Status opened = browser_->Open(absl::StrCat("file://", path_));
    ASSERT_TRUE(opened.ok()) << opened;
  }

  static std::string Ask(const std::string& expression) {
    const absl::StatusOr<std::string> answer = browser_->Evaluate(expression);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? *answer : "";
  }
  static int AskNumber(const std::string& expression) { return std::atoi(Ask(expression).c_str()); }

  // What can be seen, kept under `name` too.
  static Picture Look(const std::string& name) {
    const absl::StatusOr<std::string> png = browser_->Screenshot();
    EXPECT_TRUE(png.ok()) << png.status();
    const char* const outputs = std::getenv("TEST_UNDECLARED_OUTPUTS_DIR");
    if (outputs != nullptr && png.ok()) std::ofstream(absl::StrCat(outputs, "/", name, ".png")) << *png;
    const absl::StatusOr<Picture> picture = Picture::Decode(png.ok() ? *png : "");
    EXPECT_TRUE(picture.ok()) << picture.status();
    return picture.ok() ? *picture : Picture();
  }

  struct Box {
    int left, top, width, height;
  };
  // Where an element is, scrolled into sight.
  static Box BoxOf(const std::string& selector) {
    const std::string element = absl::StrCat("document.querySelector(", JsonString(selector), ")");
    Ask(absl::StrCat(element, ".scrollIntoView({block: 'center'})"));
    EXPECT_TRUE(browser_->AwaitFrames().ok());
    const auto edge = [&](const char* name) {
      return AskNumber(absl::StrCat("Math.round(", element, ".getBoundingClientRect().", name, ")"));
    };
    return {edge("left"), edge("top"), edge("width"), edge("height")};
  }

  static std::unique_ptr<Browser> browser_;
  std::string path_;
};

std::unique_ptr<Browser> ReportPageTest::browser_;

TEST_F(ReportPageTest, ScriptsRunWithoutAComplaintAndNothingIsFetched) {
  Show(Everything());
  EXPECT_EQ(Ask("document.documentElement.dataset.ready"), "\"yes\"");
  EXPECT_THAT(browser_->complaints(), IsEmpty());
  EXPECT_THAT(browser_->requests(), ElementsAre(absl::StrCat("file://", path_)));
}

TEST_F(ReportPageTest, EverySectionIsThere) {
  Show(Everything());
  EXPECT_EQ(Ask("Array.from(document.querySelectorAll('main > section'), (s) => s.id).join(' ')"),
            "\"verdicts study limits runs timelines space classes lookup again\"");
  // The list of contents leads to each of them.
  EXPECT_EQ(AskNumber("document.querySelectorAll('nav a').length"), 9);
  EXPECT_EQ(
      Ask("Array.from(document.querySelectorAll('nav a')).every((a) => document.querySelector(a.hash))"),
      "true");
  EXPECT_EQ(Ask("document.title"), "\"fiasco: reheap report\"");
}

TEST_F(ReportPageTest, TheMatrixHasACellPerStrategyAndPlace) {
  const proto::Report report = Everything();
  Show(report);
  EXPECT_EQ(AskNumber("document.querySelectorAll('.verdicts td a').length"), report.runs_size());
  EXPECT_EQ(
      Ask("Array.from(document.querySelectorAll('.verdicts td.startup-abort a'), (a) => a.firstChild.data)"
          ".join()"),
      "\"startup abort\"");
  EXPECT_EQ(AskNumber("document.querySelectorAll('.verdicts td.none').length"), 14);
  // Each cell leads to its run.
  EXPECT_EQ(Ask("Array.from(document.querySelectorAll('.verdicts a')).every((a) => "
                "document.querySelector(a.hash))"),
            "true");
}

TEST_F(ReportPageTest, EveryFigureOfMemorySaysWhoSaysSo) {
  const proto::Report report = Everything();
  Show(report);
  // VSIZE, RSS, commit, VMAs of a run: four sources, or a dash where nobody knows.
  EXPECT_EQ(Ask("Array.from(document.querySelectorAll('table.runs tbody tr[id]')).every((row) => "
                "Array.from(row.querySelectorAll('td.number')).slice(0, 4).every((cell) => "
                "cell.textContent === '-' || /(measured|modelled)$/.test(cell.textContent)))"),
            "true");
  EXPECT_EQ(AskNumber("document.querySelectorAll('table.runs tbody tr[id]').length"), report.runs_size());
  EXPECT_GT(AskNumber("document.querySelectorAll('table.runs .source.measured').length"), 0);
  BoxOf("table.runs");
  Look("runs");
}

TEST_F(ReportPageTest, HoveringShowsTheRefusal) {
  Show(Everything());
  EXPECT_EQ(Ask("document.getElementById('tip').hidden"), "true");
  const Box cell = BoxOf(".verdicts td.startup-abort a");
  ASSERT_TRUE(browser_->Hover(cell.left + cell.width / 2, cell.top + cell.height / 2).ok());
  EXPECT_EQ(Ask("document.getElementById('tip').hidden"), "false");
  EXPECT_THAT(Ask("document.getElementById('tip').textContent"),
              HasSubstr("RLIMIT_AS: asked 17.0 GiB, 336.0 KiB of 4.0 GiB in use"));
  Look("hover");
  ASSERT_TRUE(browser_->Press("Escape").ok());
  EXPECT_EQ(Ask("document.getElementById('tip').hidden"), "true");
}

TEST_F(ReportPageTest, AKeyboardIsEnough) {
  Show(Everything());
  ASSERT_TRUE(browser_->Press("Tab").ok());
  EXPECT_EQ(Ask("document.activeElement.className"), "\"skip\"");
  ASSERT_TRUE(browser_->Press("Enter").ok());
  // From the top of the results the first stop is the matrix, which is one stop.
  ASSERT_TRUE(browser_->Press("Tab").ok());
  EXPECT_EQ(Ask("document.activeElement.closest('table').className"), "\"verdicts\"");
  EXPECT_EQ(AskNumber("document.querySelectorAll('.verdicts a[tabindex=\"0\"]').length"), 1);
  const auto cell = [] {
    return Ask(
        "(() => { const cell = document.activeElement.closest('td'); "
        "return cell.parentElement.rowIndex + ',' + document.activeElement.firstChild.data; })()");
  };
  EXPECT_EQ(cell(), "\"1,survived\"");
  ASSERT_TRUE(browser_->Press("ArrowDown").ok());
  ASSERT_TRUE(browser_->Press("ArrowRight").ok());
  EXPECT_EQ(cell(), "\"2,startup abort\"");
  EXPECT_EQ(Ask("document.getElementById('tip').hidden"), "false");
  const Picture picture = Look("keyboard");
  const Box focused = BoxOf(".verdicts a:focus");
  // The ring around the focused cell, in the colour of :focus-visible.
  EXPECT_GT(picture.Count({0x07, 0x57, 0xb3}, 0, 0, kWidth, kHeight),
            2 * (focused.width + focused.height) / 2);
  // Enter follows the cell to the figures of its run, where the reader then is.
  ASSERT_TRUE(browser_->Press("Enter").ok());
  EXPECT_EQ(Ask("location.hash"), "\"#run-5\"");
  // Beyond the matrix: everything that scrolls, folds or acts can be reached, in the order of the page.
  std::vector<std::string> stops;
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(browser_->Press("Tab").ok());
    stops.push_back(
        Ask("document.activeElement.id || document.activeElement.name || document.activeElement.tagName"));
  }
  EXPECT_THAT(stops, ::testing::IsSupersetOf(
                         {"\"series\"", "\"log-scale\"", "\"zoom-in\"", "\"zoom-reset\"", "\"SUMMARY\""}));
}

TEST_F(ReportPageTest, CurvesAreDrawn) {
  Show(Everything());
  EXPECT_EQ(Ask("document.documentElement.dataset.curves"), "\"8\"");
  EXPECT_EQ(AskNumber("document.querySelectorAll('.curve-runs input').length"), 15);
  const Box chart = BoxOf("#chart");
  const Picture picture = Look("curves");
  // One colour per run; these two lie apart from the others.
  const auto drawn = [&](Color color) {
    return picture.CountNear(color, 40, chart.left, chart.top, chart.width, chart.height);
  };
  EXPECT_GT(drawn({0xb4, 0x41, 0x8e}), 500);  // run 8: 17 GiB
  EXPECT_GT(drawn({0x59, 0x63, 0x6e}), 500);  // run 9
  EXPECT_GT(drawn({0xb3, 0x00, 0x1e}), 200);  // the limit
  EXPECT_EQ(Ask("document.getElementById('log-scale').checked"), "true");
  EXPECT_EQ(AskNumber("document.querySelectorAll('#chart-legend li').length"), 8);
  // The value under the mouse.
  ASSERT_TRUE(browser_->Hover(chart.left + chart.width - 10, chart.top + chart.height / 2).ok());
  EXPECT_EQ(Ask("document.getElementById('chart-event').textContent"), "\"at event 1,200,000\"");
  EXPECT_THAT(Ask("document.getElementById('chart-legend').textContent"), HasSubstr("unlimited 17.0 GiB"));
  EXPECT_THAT(Ask("document.getElementById('chart-words').textContent"),
              HasSubstr("VSIZE of 8 runs, modelled"));
  // Other figures, a logarithmic scale, one run alone, zoom by buttons.
  Ask("document.querySelector('input[value=\"rss\"]').click()");
  EXPECT_THAT(Ask("document.getElementById('chart-words').textContent"), HasSubstr("RSS of 8 runs"));
  Ask("document.getElementById('log-scale').click()");
  EXPECT_EQ(Ask("document.getElementById('log-scale').checked"), "false");
  Ask("document.querySelector('input[value=\"all\"]').click()");
  EXPECT_THAT(Ask("document.getElementById('chart-words').textContent"),
              HasSubstr("all four figures of run 1"));
  Look("curves-of-one-run");
  Ask("document.getElementById('zoom-in').click()");
  Ask("document.getElementById('pan-left').click()");
  Ask("document.getElementById('zoom-reset').click()");
  Ask("document.querySelectorAll('.curve-runs input').forEach((box) => { if (box.checked) box.click(); })");
  EXPECT_THAT(Ask("document.getElementById('chart-words').textContent"), HasSubstr("No run is ticked"));
  EXPECT_THAT(browser_->complaints(), IsEmpty());
}

TEST_F(ReportPageTest, OutcomesHaveTheirColoursInLightAndDark) {
  Show(Everything());
  const Color light_survived = {0xd3, 0xef, 0xd9};
  const Color light_startup = {0xf9, 0xcf, 0xcd};
  Box matrix = BoxOf("table.verdicts");
  const Picture light = Look("light");
  EXPECT_GT(light.Count(light_survived, matrix.left, matrix.top, matrix.width, matrix.height), 5000);
  EXPECT_GT(light.Count(light_startup, matrix.left, matrix.top, matrix.width, matrix.height), 1000);
  EXPECT_EQ(light.At(3, 3), (Color{0xff, 0xff, 0xff}));

  ASSERT_TRUE(browser_->Emulate("", "prefers-color-scheme", "dark").ok());
  matrix = BoxOf("table.verdicts");
  const Picture dark = Look("dark");
  EXPECT_EQ(dark.Count(light_survived, 0, 0, kWidth, kHeight), 0);
  EXPECT_GT(dark.Count({0x17, 0x3a, 0x22}, matrix.left, matrix.top, matrix.width, matrix.height), 5000);
  EXPECT_GT(dark.Count({0x54, 0x1c, 0x1e}, matrix.left, matrix.top, matrix.width, matrix.height), 1000);
  EXPECT_EQ(dark.At(3, 3), (Color{0x14, 0x18, 0x1d}));
  // The curves follow.
  const Box chart = BoxOf("#chart");
  const Picture curves = Look("dark-curves");
  EXPECT_GT(curves.CountNear({0xe8, 0x83, 0xc3}, 40, chart.left, chart.top, chart.width, chart.height), 500);
}

TEST_F(ReportPageTest, DrawingsAreDrawn) {
  Show(Everything());
  Box box = BoxOf("#space-14 svg.strip");
  Picture picture = Look("space");
  EXPECT_GT(picture.Count({0x8a, 0x96, 0xa3}, box.left, box.top, box.width, box.height), 100);  // the image
  EXPECT_GT(picture.Count({0x2f, 0x6f, 0xd0}, box.left, box.top, box.width, box.height), 100);  // the heap
  box = BoxOf("table.limits");
  picture = Look("limits");
  EXPECT_GT(picture.Count({0xb3, 0x00, 0x1e}, box.left, box.top, box.width, box.height), 10);  // the limit
  box = BoxOf("table.searches");
  picture = Look("searches");
  EXPECT_GT(picture.Count({0xd3, 0xef, 0xd9}, box.left, box.top, box.width, box.height),
            500);  // a band that survived
  box = BoxOf("table.fragmentation");
  picture = Look("fragmentation");
  EXPECT_GT(picture.Count({0xe2, 0xb0, 0x4a}, box.left, box.top, box.width, box.height), 50);  // free objects
  box = BoxOf("table.lookup");
  picture = Look("lookup");
  EXPECT_GT(picture.Count({0x4d, 0x8f, 0x86}, box.left, box.top, box.width, box.height), 50);  // loads
}

TEST_F(ReportPageTest, WithoutScriptsEveryWordIsThere) {
  const proto::Report report = Everything();
  ASSERT_TRUE(browser_->AllowScripts(false).ok());
  Show(report);
  EXPECT_EQ(Ask("document.documentElement.dataset.ready === undefined"), "true");
  EXPECT_EQ(AskNumber("document.querySelectorAll('.verdicts a[title*=\"RLIMIT_AS: asked\"]').length"), 3);
  EXPECT_EQ(Ask("document.querySelector('.curves-tool').hidden"), "true");
  EXPECT_EQ(AskNumber("document.querySelectorAll('table.curves tbody tr').length"), 15);
  EXPECT_EQ(AskNumber("document.querySelectorAll('table.runs tbody tr[id]').length"), report.runs_size());
}

TEST_F(ReportPageTest, PrintedItIsATableOnPaper) {
  Show(Everything());
  ASSERT_TRUE(browser_->Emulate("print", "", "").ok());
  EXPECT_EQ(Ask("getComputedStyle(document.querySelector('nav')).display"), "\"none\"");
  EXPECT_EQ(Ask("getComputedStyle(document.querySelector('.scroll')).overflow"), "\"visible\"");
  const Box matrix = BoxOf("table.verdicts");
  EXPECT_GT(Look("print").Count({0xd3, 0xef, 0xd9}, matrix.left, matrix.top, matrix.width, matrix.height),
            5000);
}

TEST_F(ReportPageTest, WhatAReportSaysIsNeverMarkup) {
  proto::Report report = Everything();
  const std::string evil =
      "\"'></a></script><script>document.title='taken'</script><img src=x onerror=alert(1)>{{sections}}";
  report.set_tool(evil);
  report.set_rerun(evil);
  report.add_notes(evil);
  report.mutable_study()->set_name(evil);
  for (proto::Run& run : *report.mutable_runs()) {
    run.set_strategy(evil + run.strategy());
    run.set_platform(evil);
    run.set_platform_basis(evil);
    run.set_trace(evil);
    run.set_degraded_mode(evil);
    run.mutable_page_map()->set_kind(evil);
    run.mutable_limits()->set_thp(evil);
    if (run.has_refusal()) run.mutable_refusal()->set_rule(evil);
    for (proto::Holder& holder : *run.mutable_refusal()->mutable_holders()) holder.set_name(evil);
    for (proto::PeakCause& cause : *run.mutable_peak_causes()) cause.set_call(evil);
    for (proto::SpacePiece& piece : *run.mutable_address_space()->mutable_pieces()) piece.set_holder(evil);
    for (proto::SpacePiece& piece : *run.mutable_address_space()->mutable_pieces())
      piece.set_permissions(evil);
  }
  for (proto::LimitSearch& search : *report.mutable_limit_searches()) {
    search.set_limit(evil);
    search.mutable_bands(0)->set_rule(evil);
  }
  for (proto::Change& change : *report.mutable_sensitivities(0)->mutable_changes()) change.set_field(evil);
  Show(report);
  EXPECT_EQ(AskNumber("document.querySelectorAll('img').length"), 0);
  EXPECT_EQ(AskNumber("document.querySelectorAll('script').length"), 3);  // dygraphs, page.js, the data
  EXPECT_THAT(Ask("document.title"), HasSubstr("document.title='taken'"));
  EXPECT_EQ(AskNumber("document.querySelectorAll('main > section').length"), 9);
  EXPECT_THAT(browser_->complaints(), IsEmpty());
  EXPECT_THAT(browser_->requests(), ElementsAre(absl::StrCat("file://", path_)));
}

// Not made by hand: what a saved study really answers.
TEST_F(ReportPageTest, TheFiascoAsAPage) {
  const std::string result = absl::StrCat(testing::TempDir(), "/fiasco.result");
  ASSERT_EQ(std::system(absl::StrCat("tools/reheap study mmap-fiasco --quiet --format none --output ", result).c_str()), 0);
  const absl::StatusOr<proto::Report> report = ReadReport(result);
  ASSERT_TRUE(report.ok()) << report.status();
  Show(*report);
  EXPECT_THAT(browser_->complaints(), IsEmpty());
  EXPECT_EQ(AskNumber("document.querySelectorAll('.verdicts td a').length"), report->runs_size());
  // Two of four die under 4 GiB on linux and freebsd, none on darwin.
  EXPECT_EQ(AskNumber("document.querySelectorAll('.verdicts td.startup-abort').length"), 4);
  Box box = BoxOf("table.verdicts");
  Picture picture = Look("fiasco-verdicts");
  EXPECT_GT(picture.Count({0xf9, 0xcf, 0xcd}, box.left, box.top, box.width, box.height), 1000);
  // All four questions of the study have their place, and the change of two words is among the answers.
  EXPECT_EQ(AskNumber("document.querySelectorAll('table.searches').length"), 1);
  EXPECT_THAT(Ask("document.getElementById('study').textContent"), HasSubstr("RESERVE, RELOCATE"));
  EXPECT_THAT(Ask("document.getElementById('study').textContent"), HasSubstr("PRETEND, DIE"));
  BoxOf("table.searches");
  Look("fiasco-searches");
  BoxOf("#space");
  Look("fiasco-space");
  BoxOf("#chart");
  Look("fiasco-curves");
  EXPECT_THAT(Ask("document.getElementById('again').textContent"), HasSubstr("reheap study mmap-fiasco"));
}

TEST_F(ReportPageTest, AMillionPointsAreDrawn) {
  proto::Report report = Everything();
  proto::Run* const run = report.mutable_runs(0);
  run->clear_timeline();
  for (uint64_t i = 0; i < 1000000; ++i) {
    proto::TimelinePoint* const point = run->add_timeline();
    point->set_event(i);
    // A saw with one tooth that stands out, which must not be lost.
    point->set_vsize_bytes(i == 654321 ? 4000000000 : 1000000 * (i % 977));
  }
  Show(report);
  EXPECT_EQ(Ask("Math.max(...JSON.parse(document.getElementById('curves').textContent)[0].vsize)"),
            "4000000000");
  EXPECT_THAT(Ask("document.getElementById('chart-words').textContent"),
              HasSubstr("drawn from the extremes of up to 1,000,000 points"));
  EXPECT_LT(std::filesystem::file_size(path_), 2000000u);
  BoxOf("#chart");
  Look("million");
  EXPECT_THAT(browser_->complaints(), IsEmpty());
}

}  // namespace
}  // namespace reheap
