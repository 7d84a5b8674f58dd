#include <algorithm>

#include "absl/strings/str_cat.h"
#include "sim/report/decimate.h"
#include "sim/report/html/html_text.h"
#include "sim/report/html/sections.h"
#include "sim/report/human_units.h"
#include "sim/report/run_text.h"

namespace reheap {

namespace {

// The points of one run as JSON that page.js reads: {"run":7,"limit":4294967296,"image":344064,
// "provenance":"modelled","event":[...],"live":[...],"rss":[...],"vsize":[...],"commit":[...]}. Numbers and
// our own words only, so nothing of a report's text is here.
using Series = uint64_t (proto::TimelinePoint::*)() const;

void AppendSeries(const proto::Run& run, const std::vector<int>& points, const char* name, Series series,
                  std::string* json) {
  absl::StrAppend(json, ",\"", name, "\":[");
  for (size_t i = 0; i < points.size(); ++i) {
    absl::StrAppend(json, i == 0 ? "" : ",", (run.timeline(points[i]).*series)());
  }
  *json += "]";
}

std::string CurveJson(const proto::Run& run, int index, size_t most_points) {
  const std::vector<int> points = DecimateTimeline(run.timeline(), most_points);
  std::string json =
      absl::StrCat("{\"run\":", index + 1, ",\"of\":", run.timeline_size(), ",\"provenance\":\"",
                   ProvenanceText(ProvenanceOf(run, "peak_vsize_bytes")), "\"");
  if (run.limits().has_address_bytes()) {
    absl::StrAppend(&json, ",\"limit\":", run.limits().address_bytes(),
                    ",\"image\":", run.image_vsize_bytes());
  }
  if (run.refusal().has_event()) absl::StrAppend(&json, ",\"refused\":", run.refusal().event());
  AppendSeries(run, points, "event", &proto::TimelinePoint::event, &json);
  AppendSeries(run, points, "live", &proto::TimelinePoint::live_bytes, &json);
  AppendSeries(run, points, "rss", &proto::TimelinePoint::rss_bytes, &json);
  AppendSeries(run, points, "vsize", &proto::TimelinePoint::vsize_bytes, &json);
  AppendSeries(run, points, "commit", &proto::TimelinePoint::commit_bytes, &json);
  return json + "}";
}

// A box to tick per run. page.js reads names and states from here, draws, and puts values beside them.
std::string RunBoxes(const proto::Report& report, const std::vector<int>& runs) {
  std::string text;
  for (const int run : runs) {
    absl::StrAppend(&text, "<li><label><input type=\"checkbox\" data-run=\"", run + 1,
                    "\"> <i class=\"swatch\"></i><span class=\"name\">", HtmlText(RunTitle(report, run)),
                    "</span> <small class=\"source\">",
                    ProvenanceText(ProvenanceOf(report.runs(run), "peak_vsize_bytes")),
                    "</small></label></li>\n");
  }
  return text;
}

// For readers without scripts, and for those who print: the curves' ends.
std::string TimelineTable(const proto::Report& report, const std::vector<int>& runs) {
  HtmlTable table("first, highest and last of each curve", "curves");
  table.Column("run", HtmlTable::Kind::kText);
  for (const char* title :
       {"points", "events", "live, highest", "VSIZE, last", "RSS, last", "commit, last"}) {
    table.Column(title, HtmlTable::Kind::kNumber);
  }
  for (const int index : runs) {
    const proto::Run& run = report.runs(index);
    const proto::TimelinePoint& last = run.timeline(run.timeline_size() - 1);
    uint64_t live = 0;
    for (const proto::TimelinePoint& point : run.timeline())
      live = std::max<uint64_t>(live, point.live_bytes());
    const auto figure = [&](const char* metric, uint64_t bytes) {
      const proto::Provenance provenance = ProvenanceOf(run, metric);
      return bytes == 0 && provenance == proto::PROVENANCE_UNSPECIFIED
                 ? std::string("-")
                 : FigureHtml(FormatBytes(bytes), provenance);
    };
    table.Row({HtmlText(RunTitle(report, index)), FormatCount(static_cast<uint64_t>(run.timeline_size())),
               FormatCount(last.event()), FormatBytes(live), figure("peak_vsize_bytes", last.vsize_bytes()),
               figure("peak_rss_bytes", last.rss_bytes()), figure("peak_commit_bytes", last.commit_bytes())});
  }
  return table.empty() ? "" : table.Markup();
}

constexpr char kControls[] = R"html(<div class="curves-tool needs-script" hidden>
<fieldset><legend>figure</legend>
<label><input type="radio" name="series" value="vsize" checked> VSIZE</label>
<label><input type="radio" name="series" value="rss"> RSS</label>
<label><input type="radio" name="series" value="commit"> commit</label>
<label><input type="radio" name="series" value="live"> live objects</label>
<label><input type="radio" name="series" value="all"> all four of the first run ticked</label>
<label><input type="checkbox" id="log-scale"> logarithmic</label>
<button type="button" id="zoom-in">zoom in</button>
<button type="button" id="zoom-out">zoom out</button>
<button type="button" id="pan-left">earlier</button>
<button type="button" id="pan-right">later</button>
<button type="button" id="zoom-reset">whole run</button>
</fieldset>
<div id="chart" role="img" aria-label="curves over the events of the trace" aria-describedby="chart-words"></div>
<p class="chart-words"><span id="chart-words" aria-live="polite"></span> <span id="chart-event"></span></p>
<ul id="chart-legend" class="chart-legend" aria-label="curves drawn"></ul>
</div>
)html";

}  // namespace

std::string TimelineSection(const proto::Report& report) {
  size_t left_out = 0;
  const std::vector<int> runs = ChooseRuns(
      report, [](const proto::Run& run) { return run.timeline_size() > 1; }, kMaxCurves, &left_out);
  if (runs.empty()) return "";
  const size_t most_points = std::clamp<size_t>(kMaxCurvePoints / runs.size(), kLeastDecimatedPoints, 4000);
  std::string data = "[";
  for (const int run : runs) {
    absl::StrAppend(&data, data.size() == 1 ? "\n" : ",\n", CurveJson(report.runs(run), run, most_points));
  }
  data += "\n]";
  const std::string body = absl::StrCat(
      kControls, "<fieldset class=\"curve-runs needs-script\" hidden><legend>runs</legend><ul>\n",
      RunBoxes(report, runs),
      "</ul></fieldset>\n<details class=\"without-chart\"><summary>the curves as a table</summary>\n",
      TimelineTable(report, runs), "</details>\n", LeftOutHtml(left_out, "curves"),
      "<script type=\"application/json\" id=\"curves\">", data, "</script>\n");
  return SectionHtml(
      "timelines", "Over the run",
      "What the heap had added to its process after so many events. Drag over the chart to zoom, "
      "double-click for the whole run; dashed lines are limits on VSIZE. Of long timelines the extremes "
      "of each stretch are drawn, so that no peak is missing.",
      body);
}

}  // namespace reheap
