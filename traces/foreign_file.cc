#include "traces/foreign_file.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "traces/block_frame.h"

namespace reheap {

std::string DescribeForeignFile(std::string_view start) {
  if (start.empty()) return "an empty file";
  if (kFileMagic.starts_with(start)) return "only the beginning of them: the file was cut off";
  static constexpr std::pair<std::string_view, const char*> kKnown[] = {
      {"\x7f"
       "ELF",
       "an ELF program or library"},
      {"\x1f\x8b", "gzip data; unpack it first"},
      {"\x28\xb5\x2f\xfd", "zstd data; unpack it first"},
      {"\xfd"
       "7zXZ",
       "xz data; unpack it first"},
      {"PK\x03\x04", "a zip archive; unpack it first"},
  };
  for (const auto& [prefix, name] : kKnown) {
    if (start.starts_with(prefix)) return name;
  }
  const bool text = std::all_of(start.begin(), start.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\r' || c == '\t';
  });
  if (text) return "text; `reheap trace import` reads the text formats of others";
  return absl::StrCat("\"", absl::CHexEscape(std::string(start.substr(0, kFileMagic.size()))), "\"");
}

}  // namespace reheap
