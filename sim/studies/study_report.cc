#include "sim/studies/study_report.h"

#include <algorithm>
#include <google/protobuf/util/message_differencer.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace reheap {
namespace {

// "3, 7 to 9, 12": sorted numbers, at most some ten ranges.
std::string Ranges(const std::vector<uint64_t>& numbers) {
  constexpr size_t kMost = 10;
  std::vector<std::string> ranges;
  for (size_t i = 0; i < numbers.size();) {
    size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    if (ranges.size() == kMost) {
      ranges.push_back("...");
      break;
    }
    ranges.push_back(last == i ? absl::StrCat(numbers[i]) : absl::StrCat(numbers[i], " to ", numbers[last]));
    i = last + 1;
  }
  return absl::StrJoin(ranges, ", ");
}

// One answer per entry of `report`, by cell; calls visit(cell, answer).
template <class Visit>
void ForEachAnswer(const proto::Report& report, Visit visit) {
  const auto each = [&](const auto& entries, auto add) {
    for (const auto& entry : entries) {
      proto::Report answer;
      *add(&answer) = entry;
      visit(entry.cell(), std::move(answer));
    }
  };
  each(report.runs(), [](proto::Report* r) { return r->add_runs(); });
  each(report.limit_searches(), [](proto::Report* r) { return r->add_limit_searches(); });
  each(report.usable_heaps(), [](proto::Report* r) { return r->add_usable_heaps(); });
  each(report.failure_times(), [](proto::Report* r) { return r->add_failure_times(); });
  each(report.sensitivities(), [](proto::Report* r) { return r->add_sensitivities(); });
}

// A part's head as the whole's.
proto::Report HeadOf(const proto::Report& part) {
  proto::Report head = part;
  head.clear_runs();
  head.clear_limit_searches();
  head.clear_usable_heaps();
  head.clear_failure_times();
  head.clear_sensitivities();
  head.mutable_study()->set_shard_index(0);
  head.mutable_study()->set_shard_count(1);
  return head;
}

std::string Identity(const proto::Report& report) {
  return absl::StrCat("study ", report.study().name(), " ", report.study().digest(), " by ", report.tool());
}

}  // namespace

std::vector<uint64_t> CellsOf(const StudyPlan& plan, Shard shard) {
  std::vector<uint64_t> cells;
  for (uint64_t cell = shard.index; cell < plan.cells.size(); cell += shard.count) cells.push_back(cell);
  return cells;
}

proto::Report ReportHead(const StudyPlan& plan, Shard shard, const std::string& tool) {
  proto::Report head;
  head.set_tool(tool);
  head.set_rerun(absl::StrCat("reheap study ", plan.study.asked));
  for (const std::string& note : plan.notes) head.add_notes(note);
  proto::StudyPart* part = head.mutable_study();
  part->set_name(plan.study.study.name());
  part->set_summary(plan.study.study.summary());
  part->set_digest(plan.digest);
  part->set_cells(plan.cells.size());
  part->set_shard_index(shard.index);
  part->set_shard_count(shard.count);
  return head;
}

proto::Report WholeReport(proto::Report head, const std::map<uint64_t, proto::Report>& answers) {
  for (const auto& [cell, answer] : answers) head.MergeFrom(answer);
  return head;
}

absl::StatusOr<proto::Report> MergeReports(const std::vector<std::pair<std::string, proto::Report>>& parts) {
  if (parts.empty()) return absl::InvalidArgumentError("nothing to merge");
  std::vector<std::string> faults;
  const auto& [first_name, first] = parts.front();
  const proto::Report head = HeadOf(first);
  std::map<uint64_t, proto::Report> answers;
  std::map<uint64_t, const std::string*> owners;
  std::map<std::pair<const std::string*, const std::string*>, std::vector<uint64_t>> doubled;
  for (const auto& [name, part] : parts) {
    if (!part.has_study()) {
      faults.push_back(absl::StrCat(name, ": is not the result of a study"));
      continue;
    }
    if (!google::protobuf::util::MessageDifferencer::Equals(HeadOf(part), head)) {
      faults.push_back(absl::StrCat(name, ": is of ", Identity(part), "; ", first_name, " is of ", Identity(first)));
      continue;
    }
    ForEachAnswer(part, [&, &name = name](uint64_t cell, proto::Report answer) {
      const auto [owner, is_new] = owners.insert({cell, &name});
      if (!is_new) doubled[{owner->second, &name}].push_back(cell);
      if (is_new) answers[cell] = std::move(answer);
    });
  }
  for (const auto& [names, cells] : doubled) {
    faults.push_back(absl::StrCat(*names.second, ": has cells that ", *names.first, " has too: ", Ranges(cells)));
  }
  std::vector<uint64_t> missing;
  for (uint64_t cell = 0; cell < head.study().cells(); ++cell) {
    if (answers.count(cell) == 0) missing.push_back(cell);
  }
  if (!missing.empty() && faults.empty()) {
    faults.push_back(absl::StrCat("cells that no part has: ", Ranges(missing), " of ", head.study().cells()));
  }
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
  return WholeReport(head, answers);
}

}  // namespace reheap
