#include "sim/textproto/nearest_field.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "sim/textproto/nearest_name.h"

namespace reheap {
namespace {

// protobuf quotes what it names: Message type "reheap.proto.Study" has no field named "traze".
std::vector<std::string> Quoted(const std::string& message) {
  std::vector<std::string> quoted;
  const std::vector<std::string> parts = absl::StrSplit(message, '"');
  for (size_t i = 1; i < parts.size(); i += 2) quoted.push_back(parts[i]);
  return quoted;
}

}  // namespace

std::string NearestField(const std::string& message, const google::protobuf::Descriptor* root) {
  const std::vector<std::string> quoted = Quoted(message);
  if (quoted.size() != 2 || message.find("has no field named") == std::string::npos) return "";
  const google::protobuf::Descriptor* type = root->file()->pool()->FindMessageTypeByName(quoted[0]);
  if (type == nullptr) return "";
  std::vector<std::string> known;
  for (int i = 0; i < type->field_count(); ++i) known.push_back(type->field(i)->name());
  return known.empty() ? "" : absl::StrCat("; the nearest is '", NearestName(quoted[1], known), "'");
}

}  // namespace reheap
