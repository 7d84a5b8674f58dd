#include "sim/textproto/nearest_field.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "sim/textproto/nearest_name.h"

namespace reheap {
namespace {

namespace pb = google::protobuf;

// protobuf quotes what it names: Message type "reheap.proto.Study" has no field named "traze".
std::vector<std::string> Quoted(const std::string& message) {
  std::vector<std::string> quoted;
  const std::vector<std::string> parts = absl::StrSplit(message, '"');
  for (size_t i = 1; i < parts.size(); i += 2) quoted.push_back(parts[i]);
  return quoted;
}

std::vector<std::string> FieldsOf(const pb::Descriptor* type) {
  std::vector<std::string> names;
  for (int i = 0; type != nullptr && i < type->field_count(); ++i) names.push_back(type->field(i)->name());
  return names;
}

// Words that a field called `name` takes, in `type` or a message within it. The parser does not say which message it
// was in; the few fields of one name have words of one kind.
void AddWordsOf(const pb::Descriptor* type, const std::string& name, std::vector<std::string>* words) {
  const pb::FieldDescriptor* const field = type->FindFieldByName(name);
  if (field != nullptr && field->enum_type() != nullptr) {
    // The first is "not said", which nobody writes.
    for (int i = 1; i < field->enum_type()->value_count(); ++i) words->push_back(field->enum_type()->value(i)->name());
  }
  for (int i = 0; i < type->nested_type_count(); ++i) AddWordsOf(type->nested_type(i), name, words);
}

std::vector<std::string> WordsOf(const pb::FileDescriptor* file, const std::string& name) {
  std::vector<std::string> words;
  for (int i = 0; i < file->message_type_count(); ++i) AddWordsOf(file->message_type(i), name, &words);
  return words;
}

}  // namespace

std::string NearestField(const std::string& message, const pb::Descriptor* root) {
  const std::vector<std::string> quoted = Quoted(message);
  if (quoted.size() != 2) return "";
  std::vector<std::string> known;
  std::string wrong;
  if (message.find("has no field named") != std::string::npos) {
    known = FieldsOf(root->file()->pool()->FindMessageTypeByName(quoted[0]));
    wrong = quoted[1];
  } else if (message.find("Unknown enumeration value") != std::string::npos) {
    known = WordsOf(root->file(), quoted[1]);
    wrong = quoted[0];
  }
  return known.empty() ? "" : absl::StrCat("; the nearest is '", NearestName(wrong, known), "'");
}

}  // namespace reheap
