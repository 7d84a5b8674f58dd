// PlatformCatalog: the platforms that reheap knows, loaded from sim/os/platforms/*.textproto (row 9).
//
// The files are part of the binary. A file with an unknown field, a rule left out or a rule without its
// source is refused with file and line: nothing has a silent default.
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

// One file's platform; `file` is its name in errors.
absl::StatusOr<Platform> ParsePlatform(std::string_view text, std::string_view file);

class PlatformCatalog {
 public:
  static absl::StatusOr<PlatformCatalog> Load();

  // By name or alias; null when unknown.
  const Platform* Find(std::string_view name) const;
  // Names without aliases, sorted.
  std::vector<std::string> Names() const;

 private:
  std::vector<std::unique_ptr<const Platform>> platforms_;
};

// The embedded catalogue. That it loads is our own promise (tested), so a file that does not is a CHECK.
const PlatformCatalog& Platforms();

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PLATFORM_CATALOG_H_
