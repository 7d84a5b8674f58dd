// Shell answer: the text that the line shell answers with: result, sizes and layout in one line, maps, status
// (row 9, "modelled kernel").
//
//   R 7ffff7ff6000 0 ; S 351 0 40 ; M 400000-425000 r-xp program,425000-427000 rw-p program,427000-42b000 rw-p
//
// Appends to a string that the caller keeps, so that a line costs no allocation; numbers are written digit by
// digit, since a layout of some hundred mappings is written once per line.
//
// Pure functions: no ownership, threads as the VirtualOs. Cost: O(mappings).
#ifndef REHEAP_SIM_OS_SHELL_ANSWER_H_
#define REHEAP_SIM_OS_SHELL_ANSWER_H_

#include <string>

#include "sim/os/shell_commands.h"
#include "sim/os/virtual_os.h"

namespace reheap {

// "R <result-hex> <errno> ; S <vsize> <anonymous-rss> <data> ; M <layout>\n"; S in OS pages. A failure's
// result is all ones, as wide as the platform's words.
void AppendAnswer(VirtualOs& os, const ShellResult& result, std::string* text);

// "<start>-<end> <perms> <name>" joined by commas; a mapping without a name has two fields. In a name the
// space, the comma, the backslash and control characters are octal, as in /proc/mounts: "/dev/zero\040(deleted)".
void AppendLayout(const VirtualOs& os, std::string* text);

// "VmSize: 1400 kB" and so on, the names of /proc/PID/status, and "Committed".
// VmExe is all executable memory, with what linux calls VmLib.
void AppendStatus(VirtualOs& os, std::string* text);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_SHELL_ANSWER_H_
