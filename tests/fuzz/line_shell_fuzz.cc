// No line breaks the line shell, on any platform: libFuzzer's entry, and the input that both it and the plain
// test feed.
//
//   ./tools/bazel build --config=fuzz //tests/fuzz:line_shell_fuzz
//   bazel-bin/tests/fuzz/line_shell_fuzz -only_ascii=1 NEW_FOLDER tests/fuzz/line_shell_corpus
//
// The first byte chooses the platform, the rest are lines. Each is answered once, in one of the contract's
// forms, and leaves a process whose sums are right.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/check.h"
#include "sim/os/line_shell.h"
#include "sim/os/platform_catalog.h"

namespace reheap {
namespace {

constexpr uint64_t kMostPages = 4096;  // that one line may touch here
constexpr int kMostLines = 256;

VirtualProcess ProcessFor(uint8_t choice) {
  const std::vector<std::string> names = Platforms().Names();
  VirtualProcess process;
  process.platform = Platforms().Find(names[choice % names.size()]);
  return process;
}

// Long touches are right but slow.
bool TouchesMuch(std::string_view line, const Platform& platform) {
  const absl::StatusOr<ShellLine> parsed = ParseShellLine(line, platform, nullptr);
  return parsed.ok() && parsed->command != nullptr && parsed->command->name == std::string_view("touch") &&
         parsed->arguments[1] > kMostPages;
}

// An answer is lines with ends: one of R or E, or some closed by END, or none.
void CheckForm(std::string_view answer) {
  if (answer.empty()) return;
  REHEAP_CHECK(answer.ends_with('\n'));
  const bool is_one_line = answer.find('\n') == answer.size() - 1;
  const bool is_known = answer.starts_with("R ") || answer.starts_with("E ");
  REHEAP_CHECK((is_one_line && is_known) || answer.ends_with("END\n"));
}

void Converse(std::string_view lines, VirtualOs& os) {
  LineShell shell(&os, nullptr);
  for (int i = 0; i < kMostLines && !lines.empty() && !shell.quit(); ++i) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    if (!TouchesMuch(line, os.platform())) CheckForm(shell.Execute(line));
  }
  os.CheckInvariants();
}

}  // namespace
}  // namespace reheap

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  reheap::VirtualOs os(reheap::ProcessFor(data[0]));
  reheap::Converse(std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1), os);
  return 0;
}
