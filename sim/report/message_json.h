// MessageJson: a message in protobuf's own JSON mapping, with the proto's field names (row 11 of the walk).
//
// Numbers are there even when zero; 64-bit numbers are JSON strings, as that mapping has it. Ends in '\n'.
// Pure function: the same message gives the same bytes.
#ifndef REHEAP_SIM_REPORT_MESSAGE_JSON_H_
#define REHEAP_SIM_REPORT_MESSAGE_JSON_H_

#include <google/protobuf/message.h>

#include <string>

#include "absl/status/statusor.h"

namespace reheap {

absl::StatusOr<std::string> MessageJson(const google::protobuf::Message& message);

}  // namespace reheap

#endif  // REHEAP_SIM_REPORT_MESSAGE_JSON_H_
