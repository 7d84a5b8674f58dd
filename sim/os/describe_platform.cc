#include "sim/os/describe_platform.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "proto/platform.pb.h"
#include "sim/os/platform_files.h"

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

void AppendLines(const Message& image, const FieldDescriptor* field, std::string* text) {
  for (int i = 0; i < image.GetReflection()->FieldSize(image, field); ++i) {
    absl::StrAppend(text, "  ", image.GetReflection()->GetRepeatedString(image, field, i), "\n");
  }
}

// A message with a `source` is a rule: its other fields, then where they come from. Any other is a group of
// rules.
void AppendRule(const Message& message, const std::string& name, std::string* text) {
  const FieldDescriptor* const source = message.GetDescriptor()->FindFieldByName("source");
  if (source == nullptr) absl::StrAppend(text, "\n", name, "\n");
  std::vector<std::string> values;
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* const field = message.GetDescriptor()->field(i);
    if (field == source) continue;
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      AppendRule(message.GetReflection()->GetMessage(message, field), field->name(), text);
    } else if (field->is_repeated()) {
      absl::StrAppend(text, "\n", name, "\n");
      AppendLines(message, field, text);
    } else {
      const std::string value = ValueText(message, field, name);
      values.push_back(field->name() == "value" ? value : absl::StrCat(field->name(), " ", value));
    }
  }
  if (source == nullptr) return;
  if (!values.empty()) absl::StrAppendFormat(text, "  %-28s %s\n", name, absl::StrJoin(values, ", "));
  absl::StrAppendFormat(text, "  %-28s   [%s]\n", "", message.GetReflection()->GetString(message, source));
}

}  // namespace

absl::StatusOr<std::string> DescribePlatform(const std::string& name) {
  for (const EmbeddedFile& file : PlatformFiles()) {
    proto::Platform platform;
    if (!google::protobuf::TextFormat::ParseFromString(std::string(file.contents), &platform)) continue;
    if (platform.name() != name) continue;
    std::string text = absl::StrCat(name, ": ", platform.summary(), "\n");
    if (platform.alias_size() > 0)
      absl::StrAppend(&text, "also called ", absl::StrJoin(platform.alias(), ", "), "\n");
    absl::StrAppend(&text, "file sim/os/platforms/", std::string(file.name), "\n\n");
    AppendRule(platform.basis(), "basis", &text);
    AppendRule(platform.machine(), "machine", &text);
    AppendRule(platform.placement(), "placement", &text);
    AppendRule(platform.limits(), "limits", &text);
    AppendRule(platform.mappings(), "mappings", &text);
    AppendRule(platform.image(), "image at the first instruction", &text);
    return text;
  }
  return absl::NotFoundError(absl::StrCat("no platform is called '", name, "'"));
}

}  // namespace reheap
