#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "sim/report/csv_field.h"
#include "sim/report/report.h"

namespace reheap {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::string ScalarText(const Message& message, const FieldDescriptor* field) {
  const google::protobuf::Reflection* reflection = message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(reflection->GetInt32(message, field));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(reflection->GetInt64(message, field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(reflection->GetUInt32(message, field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(reflection->GetUInt64(message, field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return absl::StrCat(reflection->GetDouble(message, field));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return absl::StrCat(reflection->GetFloat(message, field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->GetBool(message, field) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection->GetEnum(message, field)->name();
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection->GetString(message, field);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  return "";
}

// One name (or one value) per single field, nested messages flattened in the order of the schema. `message`
// null: the names. `present` false: the message around it is absent, so every value is empty.
void AppendFields(const google::protobuf::Descriptor* type, const Message* message, bool present,
                  const std::string& prefix, std::vector<std::string>* cells) {
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->is_repeated()) continue;
    const bool has = message != nullptr && present &&
                     (!field->has_presence() || message->GetReflection()->HasField(*message, field));
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      const Message* nested =
          message == nullptr ? nullptr : &message->GetReflection()->GetMessage(*message, field);
      AppendFields(field->message_type(), nested, has, absl::StrCat(prefix, field->name(), "."), cells);
    } else if (message == nullptr) {
      cells->push_back(absl::StrCat(prefix, field->name()));
    } else {
      cells->push_back(has ? CsvField(ScalarText(*message, field)) : "");
    }
  }
}

}  // namespace

std::string RenderCsv(const proto::Report& report) {
  // Columns of provenance: every metric that some run names, sorted.
  std::map<std::string, size_t> metrics;
  for (const proto::Run& run : report.runs()) {
    for (const proto::MetricProvenance& entry : run.provenance()) metrics.emplace(entry.metric(), 0);
  }
  std::vector<std::string> header;
  AppendFields(proto::Run::descriptor(), nullptr, true, "", &header);
  for (auto& [metric, column] : metrics) {
    column = header.size();
    header.push_back(CsvField(absl::StrCat("provenance.", metric)));
  }
  std::string text = absl::StrCat(absl::StrJoin(header, ","), "\r\n");
  for (const proto::Run& run : report.runs()) {
    std::vector<std::string> cells;
    AppendFields(proto::Run::descriptor(), &run, true, "", &cells);
    cells.resize(header.size());
    for (const proto::MetricProvenance& entry : run.provenance()) {
      cells[metrics[entry.metric()]] = proto::Provenance_Name(entry.provenance());
    }
    absl::StrAppend(&text, absl::StrJoin(cells, ","), "\r\n");
  }
  return text;
}

}  // namespace reheap
