#include "sim/os/platform_source.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "sim/os/platform_files.h"

namespace reheap {
namespace {

// The largest embedded file has 20 KB. Read to the limit, not to the end: the path may be a device.
constexpr size_t kMostFileBytes = 1 << 20;

absl::StatusOr<std::string> ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMostFileBytes + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file && !file.eof()) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot be read: ", std::strerror(errno)));
  }
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() <= kMostFileBytes) return text;
  return absl::InvalidArgumentError(
      absl::StrCat(path, ":1: expected a platform file of at most ", kMostFileBytes, " bytes, found more"));
}

}  // namespace

bool IsPlatformPath(std::string_view name_or_path) {
  return name_or_path.find('/') != std::string_view::npos || name_or_path.ends_with(".textproto");
}

absl::StatusOr<PlatformTexts> EmbeddedPlatformTexts() {
  PlatformTexts texts;
  for (const EmbeddedFile& file : PlatformFiles()) {
    if (const auto name = texts.Add(file.contents, file.name); !name.ok()) return name.status();
  }
  return texts;
}

absl::StatusOr<UserPlatformTexts> WithPlatformText(std::string_view text, std::string_view file) {
  absl::StatusOr<PlatformTexts> texts = EmbeddedPlatformTexts();
  if (!texts.ok()) return texts.status();
  const absl::StatusOr<std::string> name = texts->Add(text, file);
  if (!name.ok()) return name.status();
  return UserPlatformTexts{*std::move(texts), *name};
}

absl::StatusOr<UserPlatformTexts> WithPlatformFile(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadWhole(path);
  if (!text.ok()) return text.status();
  return WithPlatformText(*text, path);
}

}  // namespace reheap
