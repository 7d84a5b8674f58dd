// ShellCommands: the one table of what the line shell understands: words, arguments, help and the call itself
// (row 9, "modelled kernel").
//
// Help, parsing and the question "did you mean?" read this table; a new call of the model is one row in
// shell_commands.cc. Numbers go to the model as C passes them: cut to the width of the parameter.
//
// Values without ownership: the table is static, names point into it. Threads: any.
#ifndef REHEAP_SIM_OS_SHELL_COMMANDS_H_
#define REHEAP_SIM_OS_SHELL_COMMANDS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "sim/os/virtual_os.h"

namespace reheap {

// What an access can end in; errno has no number for any.
inline constexpr int kForbiddenAccess = 1001;  // SIGSEGV
inline constexpr int kKilledAtAccess = 1002;   // no memory left (cgroup memory.max): the process is no more
inline constexpr int kNothingBehind = 1003;    // SIGBUS: beyond the end of the file or shared memory

enum class ArgumentKind : uint8_t {
  kNumber,  // 4096, 0x1000, -1
  kChoice,  // one of the words of its name: "r|w"
  kText,    // any word
};

struct ShellArgument {
  const char* name = nullptr;  // null: no more arguments
  ArgumentKind kind = ArgumentKind::kNumber;
  bool optional = false;
  uint64_t otherwise = 0;  // when it is optional and left out
};

// The arguments of one line, in the order of the command's table row.
struct ShellArguments {
  static constexpr size_t kMost = 6;
  uint64_t values[kMost] = {};  // of a choice: which word of it
  std::string_view text;        // of the one kText argument; lives as long as the line

  uint64_t operator[](size_t i) const { return values[i]; }
  int Int(size_t i) const { return static_cast<int>(values[i]); }
};

// What a call answered, as a process sees it.
struct ShellResult {
  bool failed = false;
  uint64_t value = 0;  // when it did not fail
  int error = 0;       // errno, GetLastError, or one of the three above
  // Not an answer of the model: why the line cannot be carried out. Empty = it was.
  std::string fault = {};
};

// Exactly one of `call` and `print` is set, or none: the end.
struct ShellCommand {
  const char* name;
  ShellArgument arguments[ShellArguments::kMost];
  const char* help;
  bool (*exists_on)(const Platform&);  // whether the system has it
  ShellResult (*call)(VirtualOs&, const ShellArguments&) = nullptr;
  // Appends whole lines; the shell closes them with END.
  void (*print)(VirtualOs&, const ShellArguments&, std::string*) = nullptr;
};

// In the order of the help.
absl::Span<const ShellCommand> ShellCommands();

// "mmap ADDR LEN PROT FLAGS [FD] [OFFSET]"
std::string UsageOf(const ShellCommand& command);
// A table of the commands that `platform` has; all of them when null. Lines end in '\n'.
std::string ShellHelp(const Platform* platform);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_SHELL_COMMANDS_H_
