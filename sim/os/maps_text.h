// Maps text: the lines of /proc/PID/maps (and smaps) as image mappings, and back (row 9, "modelled kernel").
//
//   00400000-00425000 r-xp 00000000 fe:00 11037043   hello
//   start-end         perms offset   dev   inode      name
//
// smaps adds "Key: value" lines below each; two of them are used: Anonymous (resident written pages) and
// VmFlags. Values only. Errors name the line. Limits: 64-bit addresses.
#ifndef REHEAP_SIM_OS_MAPS_TEXT_H_
#define REHEAP_SIM_OS_MAPS_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "alloc/addr.h"

namespace reheap {

struct ImageMapping {
  Addr start;
  Addr end;
  std::string perms;  // "rwxp": - for absent, s for shared
  uint64_t offset = 0;
  std::string device = "00:00";
  uint64_t inode = 0;
  std::string name;
  // From smaps; a maps file leaves them so that VirtualOs decides by name.
  bool has_details = false;
  uint64_t resident_bytes = 0;
  uint64_t anonymous_bytes = 0;
  bool charged = false;     // VmFlags "ac"
  bool no_reserve = false;  // VmFlags "nr"

  friend bool operator==(const ImageMapping&, const ImageMapping&) = default;
};

// Of a file, not memory of the process's own or the kernel's.
bool IsFile(const ImageMapping& mapping);

// The mappings of `text` in order; `source` (a file's name) and the line stand in the error. [vsyscall] is
// left out: it is not part of the process (nor of VmSize).
absl::StatusOr<std::vector<ImageMapping>> ParseMaps(std::string_view text, std::string_view source);

// What a mapping should be when it cannot follow one that ends at `previous_end`: whole OS pages, in rising
// order, below the kernel's half, permissions of four letters. Empty when it can. For images that come from
// elsewhere than a maps file.
std::string MappingFault(const ImageMapping& mapping, Addr previous_end);

// One line without its end, padded as the kernel does.
std::string FormatMapsLine(const ImageMapping& mapping);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_MAPS_TEXT_H_
