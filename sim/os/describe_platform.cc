#include "sim/os/describe_platform.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "proto/platform.pb.h"
#include "sim/os/platform_source.h"
#include "sim/os/platform_text.h"

namespace reheap {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool IsAddress(const std::string& rule) {
  return rule == "user_start" || rule == "user_end" || rule == "fallback_base" || rule == "hint_floor";
}

// Addresses in hexadecimal, a long number of bytes too: 0x8000000 is what the sources say.
std::string NumberText(const std::string& rule, uint64_t value) {
  return IsAddress(rule) || value >= 65536 ? absl::StrFormat("0x%x", value) : absl::StrCat(value);
}

std::string ValueText(const Message& message, const FieldDescriptor* field, const std::string& rule) {
  const google::protobuf::Reflection* reflection = message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->GetBool(message, field) ? "yes" : "no";
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection->GetEnum(message, field)->name();
    case FieldDescriptor::CPPTYPE_UINT32:
      return NumberText(rule, reflection->GetUInt32(message, field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return NumberText(rule, reflection->GetUInt64(message, field));
    default:
      return "";
  }
}

class Describer {
 public:
  Describer(const PlatformText& text, std::string* out) : text_(text), out_(out) {}

  // A message with a `source` is a rule: its other fields, then where they come from. Any other is a group of
  // rules.
  void AppendRule(const Message& message, const std::string& name, const std::string& path) {
    const FieldDescriptor* const source = message.GetDescriptor()->FindFieldByName("source");
    if (source == nullptr) absl::StrAppend(out_, "\n", name, "\n");
    std::vector<std::string> values;
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor* const field = message.GetDescriptor()->field(i);
      if (field == source) continue;
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        AppendPart(message, field, absl::StrCat(path, ".", field->name()));
      } else if (field->is_repeated()) {
        absl::StrAppend(out_, "\n", name, "\n");
        AppendLines(message, field);
      } else {
        const std::string value = ValueText(message, field, name);
        values.push_back(field->name() == "value" ? value : absl::StrCat(field->name(), " ", value));
      }
    }
    if (source == nullptr) return;
    if (!values.empty()) absl::StrAppendFormat(out_, "  %-28s %s\n", name, absl::StrJoin(values, ", "));
    absl::StrAppendFormat(out_, "  %-28s   [%s]%s\n", "", message.GetReflection()->GetString(message, source),
                          FromElsewhere(path));
  }

 private:
  void AppendPart(const Message& group, const FieldDescriptor* field, const std::string& path) {
    if (group.GetReflection()->HasField(group, field)) {
      AppendRule(group.GetReflection()->GetMessage(group, field), field->name(), path);
    } else {
      absl::StrAppendFormat(out_, "  %-28s none\n", field->name());
    }
  }
  void AppendLines(const Message& image, const FieldDescriptor* field) {
    for (int i = 0; i < image.GetReflection()->FieldSize(image, field); ++i) {
      absl::StrAppend(out_, "  ", image.GetReflection()->GetRepeatedString(image, field, i), "\n");
    }
  }
  // Which other platform, or release of this one, gave the rule.
  std::string FromElsewhere(const std::string& path) const {
    const RuleOrigin& origin = text_.OriginOf(path);
    return origin.given_by == text_.rules.name() ? "" : absl::StrCat(" as ", origin.given_by);
  }

  const PlatformText& text_;
  std::string* out_;
};

}  // namespace

absl::StatusOr<std::string> DescribePlatform(const std::string& name_or_path) {
  const bool is_path = IsPlatformPath(name_or_path);
  absl::StatusOr<UserPlatformTexts> user;
  if (is_path) {
    user = WithPlatformFile(name_or_path);
    if (!user.ok()) return user.status();
  } else {
    absl::StatusOr<PlatformTexts> embedded = EmbeddedPlatformTexts();
    if (!embedded.ok()) return embedded.status();
    user = UserPlatformTexts{*std::move(embedded), name_or_path};
  }
  const std::string& name = user->name;
  const absl::StatusOr<PlatformText> text = user->texts.Resolve(name);
  if (!text.ok()) return text.status();
  const absl::StatusOr<std::vector<std::string>> releases = user->texts.ReleasesOf(name.substr(0, name.find('@')));
  if (!releases.ok()) return releases.status();

  const proto::Platform& rules = text->rules;
  std::string out = absl::StrCat(rules.name(), ": ", rules.summary(), "\n");
  if (rules.alias_size() > 0) absl::StrAppend(&out, "also called ", absl::StrJoin(rules.alias(), ", "), "\n");
  if (!releases->empty()) {
    absl::StrAppend(&out, "release ", rules.as_of(), " of ", absl::StrJoin(*releases, ", "), "\n");
  }
  absl::StrAppend(&out, "file ", is_path ? "" : "sim/os/platforms/", text->OriginOf("").file, "\n\n");
  Describer describer(*text, &out);
  describer.AppendRule(rules.basis(), "basis", "basis");
  describer.AppendRule(rules.machine(), "machine", "machine");
  describer.AppendRule(rules.placement(), "placement", "placement");
  describer.AppendRule(rules.limits(), "limits", "limits");
  describer.AppendRule(rules.mappings(), "mappings", "mappings");
  describer.AppendRule(rules.image(), "image at the first instruction", "image");
  return out;
}

}  // namespace reheap
