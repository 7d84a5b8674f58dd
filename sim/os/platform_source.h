// PlatformSource: where platform files come from: the binary, and a file of the user's own (row 9).
//
// A file of the user's own may be based on an embedded platform, so it is always read together with all of
// those. Functions only: no ownership, any thread. Limits: a file of 1 MiB.
#ifndef REHEAP_SIM_OS_PLATFORM_SOURCE_H_
#define REHEAP_SIM_OS_PLATFORM_SOURCE_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "sim/os/platform_text.h"

namespace reheap {

// True for a text with '/' in it or ending in ".textproto": it names a file, not a platform of the binary.
bool IsPlatformPath(std::string_view name_or_path);

// The files of sim/os/platforms, which are part of the binary.
absl::StatusOr<PlatformTexts> EmbeddedPlatformTexts();

// The embedded texts, and one more.
struct UserPlatformTexts {
  PlatformTexts texts;
  std::string name;  // of the platform that the file describes
};

// `file` is the text's name in errors. kInvalidArgument: no platform file, as file:line: what is wrong.
absl::StatusOr<UserPlatformTexts> WithPlatformText(std::string_view text, std::string_view file);

// kNotFound: no such file, or none that can be read; otherwise as WithPlatformText.
absl::StatusOr<UserPlatformTexts> WithPlatformFile(const std::string& path);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PLATFORM_SOURCE_H_
