#include "sim/os/line_shell.h"

#include <utility>

#include "sim/os/shell_answer.h"

namespace reheap {

std::string LineShell::Execute(std::string_view line) {
  std::string answer;
  Execute(line, &answer);
  return answer;
}

void LineShell::Fault(const std::string& expected, std::string* answer) {
  ++faults_;
  *answer += "E ";
  *answer += expected;
  *answer += " (line " + std::to_string(lines_) + ")\n";
}

void LineShell::Execute(std::string_view line, std::string* answer) {
  ++lines_;
  const absl::StatusOr<ShellLine> parsed = ParseShellLine(line, os_.platform(), nearest_);
  if (!parsed.ok()) return Fault(std::string(parsed.status().message()), answer);
  if (parsed->command == nullptr) return;
  const ShellCommand& command = *parsed->command;
  if (command.call != nullptr) {
    ShellResult result = command.call(os_, parsed->arguments);
    if (!result.fault.empty()) return Fault(result.fault, answer);
    // A call that is killed on its way (MAP_POPULATE, mlock, madvise) never returns an error.
    if (result.failed && os_.killed() != nullptr) result.error = kKilledAtAccess;
    AppendAnswer(os_, result, answer);
  } else if (command.print != nullptr) {
    command.print(os_, parsed->arguments, answer);
    *answer += "END\n";
  } else {
    quit_ = true;
  }
}

}  // namespace reheap
