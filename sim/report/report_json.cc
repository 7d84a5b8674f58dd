#include <google/protobuf/util/json_util.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "sim/report/message_json.h"
#include "sim/report/report.h"

namespace reheap {

absl::StatusOr<std::string> MessageJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) return absl::InternalError(absl::StrCat(message.GetTypeName(), " as JSON: ", status.ToString()));
  return json;
}

absl::StatusOr<std::string> RenderJson(const proto::Report& report) { return MessageJson(report); }

}  // namespace reheap
