// No platform file breaks its loader, nor a process on what it loads: libFuzzer's entry, and the input that both it
// and the plain test feed.
//
//   ./tools/bazel build --config=fuzz //tests/fuzz:platform_text_fuzz
//   bazel-bin/tests/fuzz/platform_text_fuzz -only_ascii=1 NEW_FOLDER tests/fuzz/platform_corpus
//
// An error names a file and a line of it. What loads is a system: a process of it, and of each of its releases,
// answers the calls of every family and keeps its sums.
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "alloc/check.h"
#include "sim/os/line_shell.h"
#include "sim/os/platform_catalog.h"

namespace reheap {
namespace {

constexpr std::string_view kFile = "fuzz.textproto";

// "FILE.textproto:LINE: ", LINE from 1 on; of the file itself no more than it has. What does not go together may stand in
// the file that this one is based on.
void CheckError(std::string_view message, std::string_view text) {
  constexpr std::string_view kEnding = ".textproto:";
  const size_t at = message.find(kEnding);
  REHEAP_CHECK(at != std::string_view::npos);
  const std::string_view rest = message.substr(at + kEnding.size());
  int64_t line = 0;
  const auto number = std::from_chars(rest.data(), rest.data() + rest.size(), line);
  REHEAP_CHECK(number.ec == std::errc() && number.ptr != rest.data() + rest.size() && *number.ptr == ':');
  REHEAP_CHECK(line >= 1);
  if (message.substr(0, at + kEnding.size() - 1) == kFile) {
    REHEAP_CHECK(line <= 1 + std::count(text.begin(), text.end(), '\n'));
  }
}

// Lines of one family are no commands of another: the shell says so.
constexpr const char* kLines[] = {
    "mmap 0 4096 3 0x22",       "mmap 0 0x400000 3 0x22",          "mmap 0x10000 0x3000 0 0x32",
    "mmap 0 0x100000 3 0x21",   "madvise 0x10000 0x1000 4",        "mprotect 0x10000 0x2000 3",
    "brk 0",                    "brk 0x20000000",                  "mlock 0x10000 0x1000",
    "touch 0x10000 2 4096 w",   "rlimit as 0x100000",              "mmap 0 0x40000000 3 0x22",
    "virtualalloc 0 1 0x3000 4", "virtualalloc 0 0x100000 0x2000 4", "virtualfree 0x10000 0 0x8000",
    "memorygrow 0x20000",       "touch 0 4 65536 w",               "fork",
    "munmap 0 0x7fffffffffff",  "munmap 0x10000 0x10000000",       "status",
    "why"};

void Live(const Platform& platform, std::optional<uint64_t> seed) {
  VirtualProcess process;
  process.platform = &platform;
  process.layout.aslr_seed = seed;
  VirtualOs os(process);
  os.CheckInvariants();
  LineShell shell(&os, nullptr);
  for (const char* const line : kLines) {
    const std::string answer = shell.Execute(line);
    REHEAP_CHECK(answer.ends_with('\n'));
  }
  os.CheckInvariants();
}

}  // namespace
}  // namespace reheap

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<reheap::Platform> platform = reheap::ParsePlatform(text, reheap::kFile);
  if (!platform.ok()) {
    reheap::CheckError(std::string(platform.status().message()), text);
    return 0;
  }
  reheap::Live(*platform, std::nullopt);
  reheap::Live(*platform, 7);
  return 0;
}
