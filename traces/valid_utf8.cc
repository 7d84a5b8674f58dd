#include "traces/valid_utf8.h"

#include <cstdint>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"

namespace reheap {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Bytes of the UTF-8 sequence at `at` (RFC 3629, section 4); 0 when there is none.
size_t SequenceBytes(const std::string& text, size_t at) {
  const auto byte = [&](size_t i) -> uint32_t { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  const uint32_t lead = byte(at);
  if (lead < 0x80) return 1;
  const size_t bytes = lead >= 0xc2 && lead < 0xe0   ? 2
                       : lead >= 0xe0 && lead < 0xf0 ? 3
                       : lead >= 0xf0 && lead < 0xf5 ? 4
                                                     : 0;
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
  }
  const uint32_t second = byte(at + 1);
  const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool surrogate = lead == 0xed && second >= 0xa0;
  const bool too_high = lead == 0xf4 && second >= 0x90;  // above U+10FFFF
  return overlong || surrogate || too_high ? 0 : bytes;
}

std::string ValidUtf8(std::string text) {
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = SequenceBytes(text, at);
    if (bytes == 0) text[at] = '?';
    at += bytes == 0 ? 1 : bytes;
  }
  return text;
}

void MakeFieldValid(const FieldDescriptor* field, Message* message) {
  const Reflection* reflection = message->GetReflection();
  const int count = field->is_repeated() ? reflection->FieldSize(*message, field) : 1;
  for (int i = 0; i < count; ++i) {
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      MakeStringsValidUtf8(field->is_repeated() ? reflection->MutableRepeatedMessage(message, field, i)
                                                : reflection->MutableMessage(message, field));
    } else if (field->type() == FieldDescriptor::TYPE_STRING && field->is_repeated()) {
      reflection->SetRepeatedString(message, field, i,
                                    ValidUtf8(reflection->GetRepeatedString(*message, field, i)));
    } else if (field->type() == FieldDescriptor::TYPE_STRING) {
      reflection->SetString(message, field, ValidUtf8(reflection->GetString(*message, field)));
    }
  }
}

}  // namespace

void MakeStringsValidUtf8(Message* message) {
  std::vector<const FieldDescriptor*> set_fields;
  message->GetReflection()->ListFields(*message, &set_fields);
  for (const FieldDescriptor* field : set_fields) MakeFieldValid(field, message);
}

}  // namespace reheap
