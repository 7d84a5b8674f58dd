#include "sim/strategies/strategy_source.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "alloc/check.h"
#include "sim/textproto/nearest_field.h"

namespace reheap {
namespace {

using google::protobuf::FieldDescriptor;

// Keeps protobuf's messages, which it would else print.
class SyntaxErrors final : public google::protobuf::io::ErrorCollector {
 public:
  explicit SyntaxErrors(absl::string_view file) : file_(file) {}

  // Lines count from 0 here; -1 = no line.
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    const std::string at = line < 0 ? file_ : absl::StrFormat("%s:%d:%d", file_, line + 1, column + 1);
    errors_.push_back(absl::StrCat(at, ": ", message, NearestField(message, proto::Strategy::descriptor())));
  }
  const std::vector<std::string>& errors() const { return errors_; }

 private:
  std::string file_;
  std::vector<std::string> errors_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const StrategySource>> StrategySource::Parse(absl::string_view text,
                                                                            absl::string_view file,
                                                                            proto::Strategy* message) {
  std::shared_ptr<StrategySource> source(new StrategySource(text, file));
  SyntaxErrors syntax_errors(file);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&syntax_errors);
  parser.WriteLocationsTo(&source->tree_);
  if (parser.ParseFromString(source->text_, message)) return source;
  return absl::InvalidArgumentError(absl::StrJoin(syntax_errors.errors(), "\n"));
}

StrategySource::Place StrategySource::Find(absl::string_view path) const {
  const google::protobuf::TextFormat::ParseInfoTree* tree = &tree_;
  const google::protobuf::Descriptor* message = proto::Strategy::descriptor();
  Place place;
  for (absl::string_view step : absl::StrSplit(path, '.')) {
    const std::vector<std::string> parts = absl::StrSplit(step, absl::ByAnyChar("[]"));
    const FieldDescriptor* field = message->FindFieldByName(parts[0]);
    REHEAP_CHECK(field != nullptr);
    int index = field->is_repeated() ? 0 : -1;
    if (parts.size() > 1) REHEAP_CHECK(absl::SimpleAtoi(parts[1], &index));
    const google::protobuf::TextFormat::ParseLocation location = tree->GetLocation(field, index);
    if (location.line < 0) return place;
    place.line = location.line;
    place.column = location.column;
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) break;
    tree = tree->GetTreeForNested(field, index);
    message = field->message_type();
    if (tree == nullptr) return place;
  }
  place.present = true;
  return place;
}

std::string StrategySource::LineOf(absl::string_view path) const {
  return absl::StrFormat("%s:%d", file_, Find(path).line + 1);
}

std::string StrategySource::PlaceIn(absl::string_view path, size_t offset) const {
  const Place place = Find(path);
  size_t at = 0;
  for (int line = 0; line < place.line; ++line) at = text_.find('\n', at) + 1;
  const size_t line_start = at;
  const size_t quote = text_.find_first_of("\"'\n", at + static_cast<size_t>(place.column));
  const bool in_line = quote != std::string::npos && text_[quote] != '\n';
  const size_t column = in_line ? quote - line_start + 1 + offset : static_cast<size_t>(place.column);
  return absl::StrFormat("%s:%d:%d", file_, place.line + 1, column + 1);
}

}  // namespace reheap
