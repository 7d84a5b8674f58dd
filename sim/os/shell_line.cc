#include "sim/os/shell_line.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace reheap {
namespace {

constexpr char kBlanks[] = " \t\r";

// Takes the next word off `line`; empty at its end.
std::string_view NextWord(std::string_view& line) {
  const size_t begin = std::min(line.find_first_not_of(kBlanks), line.size());
  const size_t end = std::min(line.find_first_of(kBlanks, begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

absl::Status Unknown(std::string_view word, const Platform& platform, NearestWord nearest) {
  std::vector<std::string> names;
  for (const ShellCommand& command : ShellCommands()) {
    if (command.exists_on(platform)) names.emplace_back(command.name);
  }
  const std::string meant = nearest == nullptr ? std::string() : nearest(word, names);
  return absl::InvalidArgumentError(absl::StrCat("expected a command", meant.empty() ? "" : " such as ",
                                                 meant, ", found '", Printable(word), "'; help lists them"));
}

absl::StatusOr<const ShellCommand*> FindCommand(std::string_view word, const Platform& platform,
                                                NearestWord nearest) {
  for (const ShellCommand& command : ShellCommands()) {
    if (word != command.name) continue;
    if (command.exists_on(platform)) return &command;
    return absl::InvalidArgumentError(absl::StrCat("expected a call of ", platform.name, ", found '", command.name,
                                                   "', which it does not have; help lists them"));
  }
  return Unknown(word, platform, nearest);
}

// Which of "r|w" the word is; false when none.
bool ParseChoice(std::string_view word, std::string_view choices, uint64_t* index) {
  for (*index = 0; !choices.empty(); ++*index) {
    const std::string_view choice = choices.substr(0, choices.find('|'));
    if (word == choice) return true;
    choices.remove_prefix(std::min(choice.size() + 1, choices.size()));
  }
  return false;
}

absl::Status Wrong(const ShellCommand& command, const std::string& expected, std::string_view found) {
  return absl::InvalidArgumentError(absl::StrCat("expected ", UsageOf(command), ": ", expected,
                                                 found.empty() ? "" : ", found '", Printable(found),
                                                 found.empty() ? "" : "'"));
}

absl::Status ParseArgument(const ShellCommand& command, size_t i, std::string_view word,
                           ShellArguments* arguments) {
  const ShellArgument& expected = command.arguments[i];
  switch (expected.kind) {
    case ArgumentKind::kNumber:
      if (ParseShellNumber(word, &arguments->values[i])) break;
      return Wrong(command, absl::StrCat(expected.name, " is a number of 64 bits such as 4096, 0x1000 or -1"),
                   word);
    case ArgumentKind::kChoice:
      if (ParseChoice(word, expected.name, &arguments->values[i])) break;
      return Wrong(command, absl::StrCat("one of ", expected.name), word);
    case ArgumentKind::kText:
      arguments->text = word;
      break;
  }
  return absl::OkStatus();
}

}  // namespace

bool ParseShellNumber(std::string_view word, uint64_t* number) {
  const bool negative = word.starts_with('-');
  if (negative) word.remove_prefix(1);
  const bool hexadecimal = word.starts_with("0x") || word.starts_with("0X");
  if (hexadecimal) word.remove_prefix(2);
  if (negative && hexadecimal) return false;
  uint64_t magnitude = 0;
  const char* const end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, magnitude, hexadecimal ? 16 : 10);
  if (word.empty() || error != std::errc() || stop != end) return false;
  if (negative && magnitude > uint64_t{1} << 63) return false;
  *number = negative ? -magnitude : magnitude;
  return true;
}

std::string Printable(std::string_view word) {
  constexpr size_t kEnough = 40;
  std::string text(word.substr(0, kEnough));
  for (char& c : text) c = c >= ' ' && c <= '~' ? c : '?';
  if (word.size() > kEnough) text += "...";
  return text;
}

absl::StatusOr<ShellLine> ParseShellLine(std::string_view line, const Platform& platform,
                                         NearestWord nearest) {
  if (line.size() > kLongestShellLine) {
    return absl::InvalidArgumentError(absl::StrCat("expected at most ", kLongestShellLine, " bytes a line"));
  }
  ShellLine parsed;
  const std::string_view name = NextWord(line);
  if (name.empty() || name[0] == '#') return parsed;
  absl::StatusOr<const ShellCommand*> command = FindCommand(name, platform, nearest);
  if (!command.ok()) return command.status();
  parsed.command = *command;
  size_t i = 0;
  for (; i < ShellArguments::kMost && parsed.command->arguments[i].name != nullptr; ++i) {
    const ShellArgument& expected = parsed.command->arguments[i];
    const std::string_view word = NextWord(line);
    if (!word.empty()) {
      if (absl::Status s = ParseArgument(*parsed.command, i, word, &parsed.arguments); !s.ok()) return s;
    } else if (expected.optional) {
      parsed.arguments.values[i] = expected.otherwise;
    } else {
      return Wrong(*parsed.command, absl::StrCat(expected.name, " is missing"), "");
    }
  }
  if (const std::string_view more = NextWord(line); !more.empty()) {
    return Wrong(*parsed.command, "nothing more", more);
  }
  return parsed;
}

}  // namespace reheap
