// MapFlags: what the flags of an mmap ask for, where a platform checks them before anything else (row 9).
//
// The first thing that mmap does on the BSDs: combinations that are refused, and the kinds of mapping that
// only they know. The numbers and the rules are the platform's (MapFlagRules, proto/platform.proto); on a
// platform without them everything here says "nothing special".
//
// Pure functions of values: no ownership, any thread.
#ifndef REHEAP_SIM_OS_MAP_FLAGS_H_
#define REHEAP_SIM_OS_MAP_FLAGS_H_

#include <cstdint>

#include "alloc/os.h"
#include "sim/os/platform.h"

namespace reheap {

// Whether all of `bit` is in `flags`; 0 = the platform has no such flag.
constexpr bool HasFlag(int flags, int bit) { return bit != 0 && (flags & bit) == bit; }

struct MapFlags {
  bool guard = false;       // a hole of one's own
  bool gap_stack = false;   // grows into a gap below it
  bool is_private = false;  // neither kind was named, which means private
  bool try_fixed = false;
  uint64_t alignment_bytes = 0;  // 0 = as usual
  uint64_t end = 0;              // address: must end at or below it; 0 = anywhere
};

// Precondition: CheckMapFlags found nothing.
MapFlags ReadMapFlags(const Platform& platform, int flags);

// What mmap refuses, in the kernel's order; kNone = nothing. `asked` is what the program passed; `descriptor`
// is the file's, -1 = none.
Refusal CheckMapFlags(const Platform& platform, AddrRange asked, int protection, int flags, int descriptor);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_MAP_FLAGS_H_
