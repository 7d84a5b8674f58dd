#include "tools/named_platform.h"

#include "absl/status/status.h"
#include "sim/os/platform_catalog.h"
#include "sim/os/platform_source.h"
#include "tools/nearest_name.h"
#include "tools/options.h"

namespace reheap {

absl::StatusOr<const Platform*> NamedPlatform(const std::string& name_or_path) {
  const absl::StatusOr<const Platform*> found = FindPlatform(name_or_path);
  if (found.ok() || IsPlatformPath(name_or_path)) return found;
  return absl::NotFoundError(
      UnknownName("platform", name_or_path, Platforms().Names(), "reheap platform list"));
}

int FailPlatform(const char* verb, const std::string& word, const absl::Status& status,
                 Terminal& terminal) {
  return IsPlatformPath(word) ? FailUnreadable(verb, status, terminal) : FailUsage(verb, status, terminal);
}

}  // namespace reheap
