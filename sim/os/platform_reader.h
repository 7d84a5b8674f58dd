// ReadPlatform: the plain struct of a platform's checked rules (row 9).
//
// One line per rule: the schema's field, the struct's member. An absent optional rule leaves the member's
// default. Pure function: no ownership, any thread. Precondition: CheckPlatform found nothing.
#ifndef REHEAP_SIM_OS_PLATFORM_READER_H_
#define REHEAP_SIM_OS_PLATFORM_READER_H_

#include "proto/platform.pb.h"
#include "sim/os/platform.h"

namespace reheap {

Platform ReadPlatform(const proto::Platform& from);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PLATFORM_READER_H_
