#include "sim/textproto/text_places.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/message.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "alloc/check.h"
#include "sim/textproto/nearest_field.h"

namespace reheap {
namespace {

namespace pb = google::protobuf;

// Unknown fields are warnings of the parser, so that it goes on to the next; here they are mistakes too.
class Complaints final : public pb::io::ErrorCollector {
 public:
  Complaints(const std::string& file, const pb::Descriptor* root, std::vector<std::string>* complaints)
      : file_(file), root_(root), complaints_(complaints) {}

  // Lines count from 0; -1 = no line.
  void AddError(int line, pb::io::ColumnNumber column, const std::string& message) override {
    const std::string at = line < 0 ? file_ : absl::StrFormat("%s:%d:%d", file_, line + 1, column + 1);
    complaints_->push_back(absl::StrCat(at, ": ", message, NearestField(message, root_)));
  }
  void AddWarning(int line, pb::io::ColumnNumber column, const std::string& message) override {
    AddError(line, column, message);
  }

 private:
  const std::string& file_;
  const pb::Descriptor* root_;
  std::vector<std::string>* complaints_;
};

}  // namespace

void TextPlaces::Parse(absl::string_view text, pb::Message* message) {
  type_ = message->GetDescriptor();
  Complaints complaints(file_, type_, &complaints_);
  pb::TextFormat::Parser parser;
  parser.RecordErrorsTo(&complaints);
  parser.WriteLocationsTo(&tree_);
  parser.AllowUnknownField(true);
  parser.ParseFromString(std::string(text), message);
}

TextPlaces::Place TextPlaces::Find(absl::string_view path) const {
  const pb::TextFormat::ParseInfoTree* tree = &tree_;
  const pb::Descriptor* message = type_;
  Place place;
  for (absl::string_view step : absl::StrSplit(path, '.')) {
    const std::vector<std::string> parts = absl::StrSplit(step, absl::ByAnyChar("[]"));
    const pb::FieldDescriptor* field = message->FindFieldByName(parts[0]);
    REHEAP_CHECK(field != nullptr);
    int index = field->is_repeated() ? 0 : -1;
    if (parts.size() > 1) REHEAP_CHECK(absl::SimpleAtoi(parts[1], &index));
    const pb::TextFormat::ParseLocation location = tree->GetLocation(field, index);
    if (location.line < 0) return place;
    place.line = location.line;
    if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) break;
    tree = tree->GetTreeForNested(field, index);
    message = field->message_type();
    if (tree == nullptr) return place;
  }
  place.present = true;
  return place;
}

void TextPlaces::Require(bool holds, absl::string_view path, absl::string_view complaint) {
  if (holds) return;
  complaints_.push_back(absl::StrFormat("%s:%d: %s: %s", file_, Find(path).line + 1, path, complaint));
}

bool TextPlaces::IsPresent(absl::string_view path) const { return Find(path).present; }

}  // namespace reheap
