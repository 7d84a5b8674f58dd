// No saved maps file breaks its reader, nor the process that starts from it: libFuzzer's entry, and the input
// that both it and the plain test feed.
//
//   ./tools/bazel build --config=fuzz //tests/fuzz:maps_text_fuzz
//   bazel-bin/tests/fuzz/maps_text_fuzz -only_ascii=1 NEW_FOLDER tests/fuzz/maps_corpus
//
// What can be read must also be a process: it answers calls and keeps its sums, and its own maps can be read
// again and are the same.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "alloc/check.h"
#include "sim/os/line_shell.h"
#include "sim/os/maps_text.h"
#include "sim/os/platform_catalog.h"

namespace reheap {
namespace {

bool Fits(const std::vector<ImageMapping>& image, const Platform& platform) {
  Addr end;
  for (const ImageMapping& mapping : image) {
    if (!PlatformFault(mapping, platform).empty()) return false;
    end = mapping.end;
  }
  return end != Addr();
}

void StartFrom(std::vector<ImageMapping> image, const char* platform) {
  VirtualProcess process;
  process.platform = Platforms().Find(platform);
  if (!Fits(image, *process.platform)) return;
  process.image = std::move(image);
  VirtualOs os(process);
  os.CheckInvariants();
  LineShell shell(&os, nullptr);
  for (const char* line : {"brk 0", "mmap 0 4096 3 0x22", "mmap 0 0x200000 0 0x22", "brk 0x10000000", "status",
                           "munmap 0x10000 0x7ffffffef000", "brk 0"}) {
    shell.Execute(line);
    os.CheckInvariants();
  }
  const absl::StatusOr<std::vector<ImageMapping>> again = ParseMaps(os.MapsText(), "again");
  REHEAP_CHECK(again.ok());
  process.image = *again;
  REHEAP_CHECK(again->empty() || VirtualOs(process).MapsText() == os.MapsText());
}

}  // namespace
}  // namespace reheap

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<std::vector<reheap::ImageMapping>> image = reheap::ParseMaps(text, "fuzz");
  if (!image.ok()) return 0;
  for (const char* platform : {"linux-amd64", "linux-386", "freebsd-amd64", "windows-amd64"}) {
    reheap::StartFrom(*image, platform);
  }
  return 0;
}
