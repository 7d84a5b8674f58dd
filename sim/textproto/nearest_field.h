// Nearest field: a person wrote a field, or a word of an enum, that the schema does not have; which one was meant?
//
// For everybody who reads a textproto: studies, budgets, strategies, platforms. Pure function: any thread.
#ifndef REHEAP_SIM_TEXTPROTO_NEAREST_FIELD_H_
#define REHEAP_SIM_TEXTPROTO_NEAREST_FIELD_H_

#include <google/protobuf/descriptor.h>

#include <string>

namespace reheap {

// "; the nearest is 'trace'", when `message`, a complaint of protobuf's text parser, is about a field or a word that
// the schema of `root` does not have; else empty.
std::string NearestField(const std::string& message, const google::protobuf::Descriptor* root);

}  // namespace reheap

#endif  // REHEAP_SIM_TEXTPROTO_NEAREST_FIELD_H_
