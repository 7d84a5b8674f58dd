#include "sim/report/run_figure.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "sim/report/human_units.h"
#include "sim/report/run_text.h"

namespace reheap {
namespace {

using Unit = RunFigure::Unit;

// A zero that nobody vouches for is a figure that is not known.
std::optional<double> Known(const proto::Run& run, const char* metric, uint64_t value) {
  if (value == 0 && ProvenanceOf(run, metric) == proto::PROVENANCE_UNSPECIFIED) return std::nullopt;
  return static_cast<double>(value);
}

std::optional<double> Measured(double value) {
  return value > 0 ? std::optional<double>(value) : std::nullopt;
}

std::optional<double> Fragmentation(const proto::Run& run) {
  if (run.fragmentation().live_bytes() == 0) return std::nullopt;
  return static_cast<double>(run.fragmentation().span_bytes()) /
         static_cast<double>(run.fragmentation().live_bytes());
}

template <uint64_t (proto::PageMapResult::*field)() const>
std::optional<double> OfPageMap(const proto::Run& run) {
  if (!run.has_page_map()) return std::nullopt;
  return static_cast<double>((run.page_map().*field)());
}

constexpr RunFigure kFigures[] = {
    {"peak_rss", "peak RSS", Unit::kBytes, "peak_rss_bytes",
     [](const proto::Run& run) { return Known(run, "peak_rss_bytes", run.peak_rss_bytes()); }},
    {"peak_vsize", "peak VSIZE", Unit::kBytes, "peak_vsize_bytes",
     [](const proto::Run& run) { return Known(run, "peak_vsize_bytes", run.peak_vsize_bytes()); }},
    {"peak_commit", "peak commit charge", Unit::kBytes, "peak_commit_bytes",
     [](const proto::Run& run) { return Known(run, "peak_commit_bytes", run.peak_commit_bytes()); }},
    {"peak_vmas", "peak of mappings (VMAs)", Unit::kCount, "peak_vma_count",
     [](const proto::Run& run) { return Known(run, "peak_vma_count", run.peak_vma_count()); }},
    {"fragmentation", "bytes in spans per live byte", Unit::kRatio, "fragmentation", Fragmentation},
    {"tables", "the allocator's own tables", Unit::kBytes, "fragmentation",
     [](const proto::Run& run) {
       return run.has_fragmentation()
                  ? std::optional<double>(static_cast<double>(run.fragmentation().table_bytes()))
                  : std::nullopt;
     }},
    {"loads_per_lookup", "loads per page-map lookup", Unit::kCount, "page_map",
     [](const proto::Run& run) {
       return run.has_page_map() ? std::optional<double>(run.page_map().loads_per_lookup()) : std::nullopt;
     }},
    {"page_map_resident", "resident page map", Unit::kBytes, "page_map",
     OfPageMap<&proto::PageMapResult::resident_bytes>},
    {"failed_allocations", "allocations answered NULL", Unit::kCount, "outcome",
     [](const proto::Run& run) {
       return std::optional<double>(static_cast<double>(run.failed_allocations()));
     }},
    {"lookup_ns", "page-map lookup", Unit::kNanoseconds, "page_map.lookup_ns",
     [](const proto::Run& run) { return Measured(run.page_map().lookup_ns()); }},
    {"replay_ns_per_event", "time per event", Unit::kNanoseconds, "replay_ns_per_event",
     [](const proto::Run& run) { return Measured(run.replay_ns_per_event()); }},
};

}  // namespace

absl::Span<const RunFigure> RunFigures() { return kFigures; }

std::vector<std::string> RunFigureNames() {
  std::vector<std::string> names;
  for (const RunFigure& figure : kFigures) names.push_back(figure.name);
  return names;
}

const RunFigure* FindRunFigure(absl::string_view name) {
  for (const RunFigure& figure : kFigures) {
    if (figure.name == name) return &figure;
  }
  return nullptr;
}

std::string FormatFigure(const RunFigure& figure, double value) {
  switch (figure.unit) {
    case Unit::kBytes:
      return FormatBytes(static_cast<uint64_t>(value));
    case Unit::kCount:
      return FormatCount(static_cast<uint64_t>(value));
    case Unit::kRatio:
      return absl::StrFormat("%.3f", value);
    case Unit::kNanoseconds:
      return absl::StrFormat("%.2f ns", value);
  }
  return "";
}

std::string PeakCauseText(const proto::Run& run, absl::string_view metric) {
  for (const proto::PeakCause& cause : run.peak_causes()) {
    if (cause.metric() != metric) continue;
    if (!cause.has_event()) return "reached at startup, before the program's first call";
    std::string text;
    if (cause.sampled()) {
      const std::string since =
          cause.has_since_event() ? absl::StrCat("event ", FormatCount(cause.since_event())) : "the start";
      text = absl::StrCat("reached between ", since, " and event ", FormatCount(cause.event()));
    } else {
      text = absl::StrCat("reached at event ", FormatCount(cause.event()));
      if (!cause.call().empty()) absl::StrAppend(&text, " (", cause.call(), ")");
    }
    absl::StrAppend(&text, ", with ", FormatBytes(cause.live_bytes()), " of objects alive");
    if (cause.call_site_size() != 0)
      absl::StrAppend(&text, ", called from ", absl::StrJoin(cause.call_site(), " < "));
    return text;
  }
  return "";
}

std::string RunAbout(const proto::Run& run) {
  std::string key = absl::StrCat(FileName(run.trace()), " ", PlanText(run), " ");
  absl::StrAppend(&key, run.world() == proto::REAL ? "real " : "", run.platform(), " ",
                  LimitsText(run.limits()));
  if (run.order() != "total" && !run.order().empty()) absl::StrAppend(&key, " order ", run.order());
  if (run.touch() != "full" && !run.touch().empty()) absl::StrAppend(&key, " touch ", run.touch());
  return key;
}

std::string RunKey(const proto::Run& run) {
  return absl::StrJoin(
      {std::string(FileName(run.trace())), run.target(), run.strategy(), absl::StrCat(run.world()),
       run.platform(), run.order(), run.touch(), run.limits().ShortDebugString()},
      "\n");
}

}  // namespace reheap
