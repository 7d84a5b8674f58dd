// Shell line: one line of text as a command with its arguments (row 9, "modelled kernel").
//
// Words are separated by spaces or tabs. Numbers are decimal, hexadecimal with 0x, or negative decimal (-1 is
// all ones); 010 is ten, not eight. What does not fit 64 bits, is unknown, missing or too much is an error
// that says what was expected.
//
// Pure functions: no ownership, any thread. Limits: lines of up to kLongestShellLine bytes.
#ifndef REHEAP_SIM_OS_SHELL_LINE_H_
#define REHEAP_SIM_OS_SHELL_LINE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sim/os/platform.h"
#include "sim/os/shell_commands.h"

namespace reheap {

inline constexpr size_t kLongestShellLine = 4096;  // bytes, without its end

// Which of `known` the word was meant to be; empty = none. Comes from the caller: spelling is not this
// folder's business.
using NearestWord = std::string (*)(std::string_view word, const std::vector<std::string>& known);

struct ShellLine {
  const ShellCommand* command = nullptr;  // null: a blank line or a comment, from # on
  ShellArguments arguments;
};

absl::StatusOr<ShellLine> ParseShellLine(std::string_view line, const Platform& platform,
                                         NearestWord nearest);

// False when `word` is no number as above.
bool ParseShellNumber(std::string_view word, uint64_t* number);

// Words from a line that may hold anything, safe to print: what is not printable ASCII is a '?', and 40 bytes
// are enough.
std::string Printable(std::string_view word);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_SHELL_LINE_H_
