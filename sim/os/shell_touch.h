// Shell touch: many accesses of a modelled process in one operation, without looking twice at an OS page
// (row 9, "modelled kernel").
//
// Pure functions of the VirtualOs: no ownership. Threads: one. Limits: kMostTouchedPages a call, so that no
// line of text costs unbounded time or memory.
#ifndef REHEAP_SIM_OS_SHELL_TOUCH_H_
#define REHEAP_SIM_OS_SHELL_TOUCH_H_

#include <cstdint>

#include "sim/os/shell_commands.h"
#include "sim/os/virtual_os.h"

namespace reheap {

// 32 GiB of 4 KiB pages.
inline constexpr uint64_t kMostTouchedPages = uint64_t{1} << 23;

// Byte addresses first, first + stride, ...: `count` of them, modulo the platform's word.
struct TouchedBytes {
  uint64_t first = 0;  // address
  uint64_t count = 0;
  uint64_t stride_bytes = 0;
};

// Fails at the first access that gets a signal (kForbiddenAccess and its kin, shell_commands.h); what came before has happened.
ShellResult TouchInSteps(VirtualOs& os, TouchedBytes touched, bool write);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_SHELL_TOUCH_H_
