#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "sim/report/html/sections.h"
#include "sim/report/human_units.h"
#include "sim/report/report.h"
#include "sim/report/run_text.h"

namespace reheap {

std::string RunTitle(const proto::Report& report, int run) {
  const proto::Run& of = report.runs(run);
  return absl::StrCat(run + 1, ": ", PlanText(of), " on ", of.platform(), " (", WorldText(of.world()), "), ",
                      LimitsText(of.limits()));
}

std::vector<int> ChooseRuns(const proto::Report& report, const std::function<bool(const proto::Run&)>& has,
                            size_t most, size_t* left_out) {
  std::vector<int> refused;
  std::vector<int> others;
  for (int i = 0; i < report.runs_size(); ++i) {
    if (!has(report.runs(i))) continue;
    (report.runs(i).outcome() == proto::SURVIVED ? others : refused).push_back(i);
  }
  std::vector<int> chosen = std::move(refused);
  chosen.insert(chosen.end(), others.begin(), others.end());
  *left_out = chosen.size() > most ? chosen.size() - most : 0;
  chosen.resize(chosen.size() - *left_out);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

std::string LeftOutHtml(size_t left_out, const char* what) {
  if (left_out == 0) return "";
  return absl::StrCat("<p class=\"left-out\">", FormatCount(left_out), " more ", what,
                      " are in the saved result, not on this page.</p>\n");
}

std::string OutcomeClass(proto::Outcome outcome) {
  const std::string name = OutcomeName(outcome);
  return name == "?" ? "unknown" : absl::StrReplaceAll(absl::AsciiStrToLower(name), {{"_", "-"}});
}

const char* HolderClass(absl::string_view name) {
  // What reheap itself calls them; files of the image have names of their own.
  static constexpr std::array<std::pair<absl::string_view, const char*>, 9> kNames = {{
      {"heap", "hold-heap"},
      {"[stack]", "hold-stack"},
      {"[heap]", "hold-brk"},
      {"thread stacks", "hold-threads"},
      {"squatters", "hold-squatters"},
      {"kernel pages", "hold-kernel"},
      {"mapped by the program", "hold-program"},
      {"files mapped by the program", "hold-program"},
      {"the replayer", "hold-kernel"},
  }};
  const auto* const found =
      std::find_if(kNames.begin(), kNames.end(), [&](const auto& entry) { return entry.first == name; });
  return found == kNames.end() ? "hold-image" : found->second;
}

std::string RefusalWords(const proto::Refusal& refusal) {
  const std::string sentence = RefusalSentence(refusal);
  return refusal.call().empty() ? sentence : absl::StrCat(sentence, "; the program called ", refusal.call());
}

std::string CellTitle(const std::string& strategy, const std::string& platform, const proto::Limits& limits) {
  return absl::StrCat(strategy, " on ", platform, ", ", LimitsText(limits));
}

}  // namespace reheap
