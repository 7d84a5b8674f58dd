#include "sim/studies/strategy_changes.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "sim/report/human_units.h"
#include "sim/strategies/strategy_catalog.h"

namespace reheap {
namespace {

namespace pb = google::protobuf;
using pb::FieldDescriptor;

// Sizes are tried at these fractions; each is still a multiple of an OS page when the original is large.
constexpr uint64_t kDivisors[] = {2, 4, 16, 64};
constexpr uint64_t kSmallestBytes = 64 << 10;

// One field of a plan, changed.
struct Edit {
  std::string field, from, to;
  uint64_t size_bytes = 0;
  std::function<void(proto::Strategy*)> apply;
};

bool IsSize(const FieldDescriptor* field) {
  return field->cpp_type() == FieldDescriptor::CPPTYPE_UINT64 && absl::EndsWith(field->name(), "_bytes");
}

bool IsHints(const FieldDescriptor* field) {
  return field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && field->name() == "hints";
}

bool IsChangeable(const FieldDescriptor* field) {
  if (field->is_repeated()) return false;
  return field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM || field->cpp_type() == FieldDescriptor::CPPTYPE_BOOL ||
         IsSize(field) || IsHints(field);
}

// Calls visit(path, field) for every changeable field below `type`; not for what is inside hints.
template <class Visit>
void ForEachField(const pb::Descriptor* type, const std::string& prefix, Visit visit) {
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    const std::string path = absl::StrCat(prefix, field->name());
    if (IsChangeable(field)) visit(path, field);
    const bool goes_deeper = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_repeated() &&
                             !IsHints(field);
    if (goes_deeper) ForEachField(field->message_type(), path + ".", visit);
  }
}

// The message that `path`'s last field is of.
pb::Message* Holder(const std::string& path, proto::Strategy* strategy) {
  pb::Message* message = strategy;
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  for (size_t i = 0; i + 1 < names.size(); ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(names[i]);
    message = message->GetReflection()->MutableMessage(message, field);
  }
  return message;
}

void AddWords(const std::string& path, const FieldDescriptor* field, int now, std::vector<Edit>* edits) {
  const pb::EnumDescriptor* words = field->enum_type();
  if (now == 0) return;  // the plan says nothing of it
  for (int i = 0; i < words->value_count(); ++i) {
    const pb::EnumValueDescriptor* word = words->value(i);
    if (word->number() == 0 || word->number() == now) continue;
    edits->push_back({path, words->FindValueByNumber(now)->name(), word->name(), 0,
                      [path, field, number = word->number()](proto::Strategy* s) {
                        pb::Message* m = Holder(path, s);
                        m->GetReflection()->SetEnumValue(m, field, number);
                      }});
  }
}

void AddSizes(const std::string& path, const FieldDescriptor* field, uint64_t now, std::vector<Edit>* edits) {
  for (uint64_t divisor : kDivisors) {
    const uint64_t smaller = now / divisor;
    if (smaller < kSmallestBytes) break;
    edits->push_back({path, FormatBytes(now), FormatBytes(smaller), smaller,
                      [path, field, smaller](proto::Strategy* s) {
                        pb::Message* m = Holder(path, s);
                        m->GetReflection()->SetUInt64(m, field, smaller);
                      }});
  }
}

std::vector<Edit> AllEdits(const proto::Strategy& text) {
  std::vector<Edit> edits;
  ForEachField(proto::Strategy::descriptor(), "", [&](const std::string& path, const FieldDescriptor* field) {
    proto::Strategy copy = text;
    const pb::Message* holder = Holder(path, &copy);
    const pb::Reflection* reflection = holder->GetReflection();
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
      AddWords(path, field, reflection->GetEnumValue(*holder, field), &edits);
    } else if (IsSize(field)) {
      AddSizes(path, field, reflection->GetUInt64(*holder, field), &edits);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_BOOL) {
      const bool now = reflection->GetBool(*holder, field);
      edits.push_back({path, now ? "true" : "false", now ? "false" : "true", 0,
                       [path, field, now](proto::Strategy* s) {
                         pb::Message* m = Holder(path, s);
                         m->GetReflection()->SetBool(m, field, !now);
                       }});
    } else if (reflection->HasField(*holder, field)) {
      edits.push_back({path, "given", "left out", 0, [path, field](proto::Strategy* s) {
                         pb::Message* m = Holder(path, s);
                         m->GetReflection()->ClearField(m, field);
                       }});
    }
  });
  return edits;
}

std::string Printed(const proto::Strategy& text) {
  std::string printed;
  pb::TextFormat::PrintToString(text, &printed);
  return printed;
}

// The plan that `text` is; an error when the rules of plans refuse it.
absl::StatusOr<CatalogStrategy> PlanOf(const std::string& text) { return ParseStrategy(text, "changed strategy"); }

// `edit` of `text`, alone or with the first other word that makes it a plan. False: there is none, or it is one of
// `seen`, which then has it.
bool MakePlan(const proto::Strategy& text, const Edit& edit, const std::vector<Edit>& all, StrategyChange* change,
              std::set<std::string>* seen) {
  proto::Strategy edited = text;
  edit.apply(&edited);
  *change = {edit.field, edit.from, edit.to, edit.size_bytes, {}};
  std::string printed = Printed(edited);
  absl::StatusOr<CatalogStrategy> plan = PlanOf(printed);
  for (const Edit& other : all) {
    if (plan.ok()) break;
    if (other.field == edit.field || other.size_bytes != 0) continue;
    proto::Strategy twice = edited;
    other.apply(&twice);
    printed = Printed(twice);
    plan = PlanOf(printed);
    if (!plan.ok()) continue;
    change->field = absl::StrCat(edit.field, " + ", other.field);
    change->from = absl::StrCat(edit.from, ", ", other.from);
    change->to = absl::StrCat(edit.to, ", ", other.to);
  }
  if (!plan.ok() || !seen->insert(printed).second) return false;
  change->plan = *std::move(plan);
  return true;
}

}  // namespace

std::vector<std::string> ChangeableStrategyFields() {
  std::vector<std::string> fields;
  ForEachField(proto::Strategy::descriptor(), "",
               [&](const std::string& path, const FieldDescriptor*) { fields.push_back(path); });
  return fields;
}

std::vector<StrategyChange> SingleChanges(const proto::Strategy& text, const std::vector<std::string>& fields) {
  const std::vector<Edit> edits = AllEdits(text);
  std::vector<StrategyChange> changes;
  std::set<std::string> seen;
  for (const Edit& edit : edits) {
    const bool is_asked = fields.empty() || std::find(fields.begin(), fields.end(), edit.field) != fields.end();
    StrategyChange change;
    if (is_asked && MakePlan(text, edit, edits, &change, &seen)) changes.push_back(std::move(change));
  }
  return changes;
}

}  // namespace reheap
