#include "sim/strategies/strategy_edit.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace reheap {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

struct Spot {
  Message* message = nullptr;
  const FieldDescriptor* field = nullptr;  // null: there is none
};

Spot FindSpot(absl::string_view path, Message* message) {
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  for (size_t n = 0; n < names.size(); ++n) {
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(names[n]);
    if (field == nullptr) return Spot();
    if (n + 1 == names.size()) return {message, field};
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_repeated()) return Spot();
    message = message->GetReflection()->MutableMessage(message, field);
  }
  return Spot();
}

absl::Status NoField(absl::string_view path) {
  return absl::InvalidArgumentError(absl::StrCat("a strategy has no field '", path, "'"));
}

}  // namespace

absl::Status SetNumber(absl::string_view path, uint64_t value, proto::Strategy* strategy) {
  const Spot spot = FindSpot(path, strategy);
  if (spot.field == nullptr) return NoField(path);
  const auto* reflection = spot.message->GetReflection();
  switch (spot.field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT64:
      if (spot.field->is_repeated()) {
        reflection->AddUInt64(spot.message, spot.field, value);
      } else {
        reflection->SetUInt64(spot.message, spot.field, value);
      }
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_UINT32:
      if (value > std::numeric_limits<uint32_t>::max()) break;
      reflection->SetUInt32(spot.message, spot.field, static_cast<uint32_t>(value));
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_BOOL:
      reflection->SetBool(spot.message, spot.field, value != 0);
      return absl::OkStatus();
    default:
      return absl::InvalidArgumentError(absl::StrCat("'", path, "' is not a number"));
  }
  return absl::InvalidArgumentError(absl::StrCat("'", path, "' cannot be as large as ", value));
}

absl::Status ClearField(absl::string_view path, proto::Strategy* strategy) {
  const Spot spot = FindSpot(path, strategy);
  if (spot.field == nullptr) return NoField(path);
  spot.message->GetReflection()->ClearField(spot.message, spot.field);
  return absl::OkStatus();
}

}  // namespace reheap
