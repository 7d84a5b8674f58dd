// MakeStringsValidUtf8: file names and thread names made fit for a protobuf string.
//
// The kernel lets a path or a thread name hold any byte but 0; proto3 parsers refuse a string that is not
// UTF-8, and one odd argument must not make a whole trace unreadable. Pure function; any thread.
#ifndef REHEAP_TRACES_VALID_UTF8_H_
#define REHEAP_TRACES_VALID_UTF8_H_

#include "google/protobuf/message.h"

namespace reheap {

// Replaces every byte that is not part of a UTF-8 sequence by '?', in all string fields, however deep.
void MakeStringsValidUtf8(google::protobuf::Message* message);

}  // namespace reheap

#endif  // REHEAP_TRACES_VALID_UTF8_H_
