#include "sim/report/budget_file.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cmath>
#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sim/report/human_units.h"
#include "sim/textproto/nearest_name.h"
#include "sim/textproto/text_places.h"

namespace reheap {
namespace {

namespace pb = google::protobuf;

class BudgetChecks {
 public:
  BudgetChecks(const proto::Budget& budget, const BudgetWords& words, TextPlaces* places)
      : budget_(budget), words_(words), places_(*places) {}

  void Run() {
    places_.Require(budget_.row_size() > 0, "row", "a budget has at least one row");
    for (int i = 0; i < budget_.row_size(); ++i) CheckRow(i);
  }

 private:
  void CheckRow(int index) {
    row_ = &budget_.row(index);
    at_ = absl::StrCat("row[", index, "]");
    Require(!row_->name().empty(), "name", "each row needs one: it is the test case's");
    Require(names_.insert(row_->name()).second, "name",
            absl::StrCat("'", row_->name(), "' is the name of an earlier row"));
    CheckWhat();
    CheckLimits();
    Word("touch", row_->touch(), {"full", "none"});
    Word("foreign", row_->foreign(), {"replay", "ignore"});
    Word("thread_stacks", row_->thread_stacks(), {"glibc", "none"});
    CheckOutcome();
    CheckFigures();
  }

  void CheckWhat() {
    const bool is_heap = row_->target().empty() || row_->target() == "heap";
    const bool is_real = row_->world() == proto::REAL;
    Require(is_heap || row_->target() == "malloc:glibc" || absl::StartsWith(row_->target(), "malloc:/"),
            "target",
            absl::StrCat("'", row_->target(), "' is not heap, malloc:glibc or malloc:/path/lib.so"));
    Require(is_heap || is_real, "target", "a malloc of this machine runs in the world REAL only");
    Require(row_->strategy().empty() != is_heap, "strategy",
            is_heap ? "each row of the heap needs one (`reheap strategy list`)"
                    : "is carried out by the target heap only");
    Require(row_->platform().empty() == is_real, "platform",
            is_real ? "the world REAL has the running kernel only"
                    : "each virtual row needs one (`reheap platform list`)");
    if (!row_->strategy().empty()) Fault("strategy", words_.strategy_fault(row_->strategy()));
    if (!row_->platform().empty()) Fault("platform", words_.platform_fault(row_->platform()));
    if (!row_->image().empty()) Fault("image", words_.image_fault(row_->image()));
    Require(row_->image().empty() || row_->maps().empty(), "image",
            "and maps: a process starts from one of them");
    Require(!is_real || (row_->image().empty() && row_->maps().empty()),
            row_->image().empty() ? "maps" : "image", "virtual world only");
  }

  void CheckLimits() {
    const proto::BudgetLimits& limits = row_->limits();
    Size("limits.address", limits.address(), /*may_be_unlimited=*/true);
    Size("limits.data", limits.data(), true);
    Size("limits.memory_max", limits.memory_max(), true);
    Size("limits.stack", limits.stack(), true);
    Size("limits.ram", limits.ram(), false);
    Require(limits.overcommit() <= 2, "limits.overcommit", "0, 1 or 2");
    Word("limits.thp", limits.thp(), {"never", "madvise", "always"});
    if (row_->world() != proto::REAL) return;
    for (const char* field : {"memory_max", "stack", "ram", "overcommit", "max_map_count", "thp"}) {
      const std::string path = absl::StrCat("limits.", field);
      Require(!places_.IsPresent(absl::StrCat(at_, ".", path)), path, "virtual world only");
    }
  }

  void CheckOutcome() {
    bool may_die = false;
    for (const int outcome : row_->outcome()) {
      Require(outcome != proto::OUTCOME_UNSPECIFIED, "outcome",
              "SURVIVED, STARTUP_ABORT, LATE_ABORT, CATCHABLE_ERROR or DEGRADED");
      may_die = may_die || outcome != proto::SURVIVED;
    }
    Require(row_->rule().empty() || may_die, "rule",
            "who must survive is refused by no rule: name the outcome too");
  }

  void CheckFigures() {
    const proto::BudgetFigures& most = row_->at_most();
    Size("at_most.peak_rss", most.peak_rss(), false);
    Size("at_most.peak_vsize", most.peak_vsize(), false);
    Size("at_most.peak_commit", most.peak_commit(), false);
    Size("at_most.tables", most.tables(), false);
    Size("at_most.page_map_resident", most.page_map_resident(), false);
    CheckNumbers("at_most", most);
    CheckNumbers("of_baseline", row_->of_baseline());
  }

  // What no run of the row can know is a mistake; so is a number that is none.
  void CheckNumbers(const std::string& group, const pb::Message& message) {
    const pb::Reflection& reflection = *message.GetReflection();
    std::vector<const pb::FieldDescriptor*> fields;
    reflection.ListFields(message, &fields);
    for (const pb::FieldDescriptor* field : fields) {
      const std::string path = absl::StrCat(group, ".", field->name());
      if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_DOUBLE) {
        const double value = reflection.GetDouble(message, field);
        Require(std::isfinite(value) && value > 0, path, "a number above 0");
      }
      const bool is_time = absl::EndsWith(field->name(), "_ns") || absl::StrContains(field->name(), "_ns_");
      Require(!is_time || row_->world() == proto::REAL, path, "time is measured in the world REAL only");
      Require(field->name() != "peak_commit" || row_->world() != proto::REAL, path,
              "known in the virtual world only");
      const bool is_of_heap = field->name() == "fragmentation" || field->name() == "tables" ||
                              absl::StrContains(field->name(), "lookup") ||
                              field->name() == "page_map_resident";
      Require(!is_of_heap || !absl::StartsWith(row_->target(), "malloc:"), path,
              "known of the target heap only");
    }
  }

  void Size(const char* field, const std::string& word, bool may_be_unlimited) {
    if (word.empty()) return;
    const absl::Status status = may_be_unlimited ? ParseLimit(word).status() : ParseBytes(word).status();
    Require(status.ok(), field, status.message());
  }

  void Word(const char* field, const std::string& word, const std::vector<std::string>& known) {
    if (word.empty()) return;
    for (const std::string& one : known) {
      if (one == word) return;
    }
    Require(false, field,
            absl::StrCat("'", word, "' is not one of ", absl::StrJoin(known, ", "), "; the nearest is '",
                         NearestName(word, known), "'"));
  }

  void Fault(const char* field, const std::string& fault) { Require(fault.empty(), field, fault); }

  void Require(bool holds, absl::string_view field, absl::string_view complaint) {
    places_.Require(holds, absl::StrCat(at_, ".", field), complaint);
  }

  const proto::Budget& budget_;
  const BudgetWords& words_;
  TextPlaces& places_;
  const proto::BudgetRow* row_ = nullptr;
  std::string at_;
  std::set<std::string> names_;
};

}  // namespace

absl::StatusOr<proto::Budget> ParseBudget(absl::string_view text, absl::string_view file,
                                          const BudgetWords& words) {
  proto::Budget budget;
  TextPlaces places(file);
  places.Parse(text, &budget);
  if (places.complaints().empty()) BudgetChecks(budget, words, &places).Run();
  if (!places.complaints().empty())
    return absl::InvalidArgumentError(absl::StrJoin(places.complaints(), "\n"));
  return budget;
}

}  // namespace reheap
