#include "tests/differential/lockstep/script_run.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "tests/differential/lockstep/minimiser.h"
#include "tests/differential/lockstep/script_text.h"

namespace reheap {

std::vector<std::string> ScriptsIn(const std::string& directory) {
  std::vector<std::string> paths;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(directory, none)) {
    if (entry.path().extension() == ".txt") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

absl::Status RunScript(const LockstepSetup& setup, const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  const auto script = ParseScript(text.str(), path);
  if (!script.ok()) return script.status();
  if (script->empty()) return absl::InvalidArgumentError(path + ": no operations");
  auto pair = LockstepPair::Start(setup);
  if (!pair.ok()) return pair.status();
  const uint64_t word_mask = setup.kind.word_bits == 32 ? 0xffffffff : ~uint64_t{0};
  std::vector<uint64_t> answers;
  Script carried;
  for (ScriptLine line : *script) {
    for (int i = 0; i < kMaxArguments; ++i) {
      if (line.answers[i] != 0) line.operation.arguments[i] += answers[line.answers[i] - 1];
      if (line.operation.kind != OperationKind::kRlimit) line.operation.arguments[i] &= word_mask;
    }
    carried.push_back(line.operation);
    answers.push_back((*pair)->Queue(line.operation).value);
    std::optional<Mismatch> mismatch = (*pair)->Flush();
    if (!mismatch.has_value()) mismatch = (*pair)->Checkpoint();
    if (mismatch.has_value()) return absl::AbortedError(absl::StrCat(path, "\n", DescribeFailure(setup, carried)));
  }
  return absl::OkStatus();
}

}  // namespace reheap
