// PlatformCatalog: the platforms that reheap knows, loaded from sim/os/platforms/*.textproto (row 9).
//
// The files are part of the binary; one of the user's own is read when the name looks like a path. A file with an unknown field, a rule left out, without its source or out
// of its bounds, a base or release that does not exist is refused with file and line: nothing has a silent
// default. NAME is a file's own values, NAME@RELEASE an older release of the same system.
//
// Ownership: Platforms() owns the embedded ones for the life of the process. Threads: any, once loaded.
#ifndef REHEAP_SIM_OS_PLATFORM_CATALOG_H_
#define REHEAP_SIM_OS_PLATFORM_CATALOG_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sim/os/platform.h"

namespace reheap {

// One file's platform, which may be based on embedded ones; `file` is its name in errors. Its releases are
// checked too.
absl::StatusOr<Platform> ParsePlatform(std::string_view text, std::string_view file);

class PlatformCatalog {
 public:
  static absl::StatusOr<PlatformCatalog> Load();

  // By name or alias, with or without "@RELEASE"; null when unknown.
  const Platform* Find(std::string_view name) const;
  // Names without aliases and releases, sorted.
  std::vector<std::string> Names() const;
  // Newest first, the file's own included; empty when the platform knows only one, unnamed.
  std::vector<std::string> ReleasesOf(std::string_view name) const;

 private:
  struct Entry {
    std::unique_ptr<const Platform> own;
    std::vector<std::unique_ptr<const Platform>> older;
    std::vector<std::string> releases;
  };
  const Entry* FindEntry(std::string_view name) const;

  std::vector<Entry> entries_;  // by name
};

// The embedded catalogue. That it loads is our own promise (tested), so a file that does not is a CHECK.
const PlatformCatalog& Platforms();

// The platform of that name, or the one in that file (IsPlatformPath), which may be based on an embedded one.
// A file is read at its first use; the answer lives as long as the process. Threads: any.
// kNotFound: no such name or file. kInvalidArgument: the file's text, as file:line: what is wrong.
absl::StatusOr<const Platform*> FindPlatform(std::string_view name_or_path);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PLATFORM_CATALOG_H_
