#include "sim/os/shell_commands.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "sim/os/shell_answer.h"
#include "sim/os/shell_touch.h"

namespace reheap {
namespace {

ShellResult Answer(const OsResult<Addr>& result) {
  if (result.ok()) return {.value = result.value().value()};
  return {.failed = true, .error = result.refusal().os_error};
}

ShellResult Answer(const OsResult<Done>& result) {
  if (result.ok()) return {};
  return {.failed = true, .error = result.refusal().os_error};
}

// An address or length of the platform's width, as a register of its processor would hold it.
uint64_t Word(const VirtualOs& os, uint64_t number) {
  return os.platform().machine.word_bits == 32 ? number & 0xffffffff : number;
}
Addr At(const VirtualOs& os, uint64_t number) { return Addr(Word(os, number)); }

ShellResult Break(VirtualOs& os, const ShellArguments& a) {
  // The system call has no error: it answers the break, moved or not (brk, mm/mmap.c, linux 6.12).
  (void)os.Brk(At(os, a[0]));
  return {.value = os.program_break().value()};
}

ShellResult Rlimit(VirtualOs& os, const ShellArguments& a) {
  constexpr std::optional<uint64_t> ProcessLimits::*kLimits[] = {
      &ProcessLimits::address_bytes, &ProcessLimits::data_bytes, &ProcessLimits::stack_bytes};
  const uint64_t bytes = a[1];
  const bool unlimited = bytes == ~uint64_t{0};
  ProcessLimits limits = os.limits();
  std::optional<uint64_t>& limit = limits.*kLimits[a[0]];
  limit = bytes;
  // An absent stack limit is the platform's default, which is not unlimited.
  if (unlimited && &limit != &limits.stack_bytes) limit.reset();
  os.set_limits(limits);
  return {};
}

constexpr ArgumentKind kChoice = ArgumentKind::kChoice;
constexpr ShellFamily kMap = ShellFamily::kMapAndProtect;
constexpr ShellFamily kReserve = ShellFamily::kReserveAndCommit;
constexpr ShellFamily kAll = ShellFamily::kEverywhere;

constexpr ShellCommand kCommands[] = {
    {"mmap",
     {{"ADDR"}, {"LEN"}, {"PROT"}, {"FLAGS"}},
     "maps LEN bytes; answers where",
     kMap,
     [](VirtualOs& os, const ShellArguments& a) {
       return Answer(os.Mmap(At(os, a[0]), Word(os, a[1]), a.Int(2), a.Int(3)));
     }},
    {"munmap",
     {{"ADDR"}, {"LEN"}},
     "removes what is mapped there",
     kMap,
     [](VirtualOs& os, const ShellArguments& a) { return Answer(os.Munmap(At(os, a[0]), Word(os, a[1]))); }},
    {"mprotect",
     {{"ADDR"}, {"LEN"}, {"PROT"}},
     "changes the access",
     kMap,
     [](VirtualOs& os, const ShellArguments& a) {
       return Answer(os.Mprotect(At(os, a[0]), Word(os, a[1]), a.Int(2)));
     }},
    {"madvise",
     {{"ADDR"}, {"LEN"}, {"ADVICE"}},
     "says what the memory is needed for",
     kMap,
     [](VirtualOs& os, const ShellArguments& a) {
       return Answer(os.Madvise(At(os, a[0]), Word(os, a[1]), a.Int(2)));
     }},
    {"brk", {{"ADDR"}}, "moves the program break; answers the break, moved or not", kMap, Break},
    {"virtualalloc",
     {{"ADDR"}, {"LEN"}, {"TYPE"}, {"PROT"}},
     "reserves, commits or both; answers where",
     kReserve,
     [](VirtualOs& os, const ShellArguments& a) {
       return Answer(os.VirtualAlloc(At(os, a[0]), Word(os, a[1]), static_cast<uint32_t>(a[2]),
                                     static_cast<uint32_t>(a[3])));
     }},
    {"virtualfree",
     {{"ADDR"}, {"LEN"}, {"TYPE"}},
     "decommits or releases",
     kReserve,
     [](VirtualOs& os, const ShellArguments& a) {
       return Answer(os.VirtualFree(At(os, a[0]), Word(os, a[1]), static_cast<uint32_t>(a[2])));
     }},
    {"touch",
     {{"ADDR"}, {"COUNT"}, {"STRIDE"}, {"r|w", kChoice}},
     "COUNT accesses, STRIDE bytes apart, up to the first that is forbidden (1001)",
     kAll,
     [](VirtualOs& os, const ShellArguments& a) {
       return TouchInSteps(os, {Word(os, a[0]), Word(os, a[1]), Word(os, a[2])}, a[3] == 1);
     }},
    {"rlimit",
     {{"as|data|stack", kChoice}, {"BYTES"}},
     "setrlimit; -1 = unlimited",
     kAll,
     Rlimit},
    {"maps",
     {},
     "the layout as /proc/PID/maps has it, then END",
     kAll,
     nullptr,
     [](VirtualOs& os, std::string* text) { *text += os.MapsText(); }},
    {"status",
     {},
     "the sizes as /proc/PID/status has them, then END",
     kAll,
     nullptr,
     [](VirtualOs& os, std::string* text) { AppendStatus(os, text); }},
    {"help",
     {},
     "this table, then END",
     kAll,
     nullptr,
     [](VirtualOs& os, std::string* text) { *text += ShellHelp(&os.platform()); }},
    {"quit", {}, "ends", kAll},
};

}  // namespace

absl::Span<const ShellCommand> ShellCommands() { return kCommands; }

std::string UsageOf(const ShellCommand& command) {
  std::string usage = command.name;
  for (const ShellArgument& argument : command.arguments) {
    if (argument.name == nullptr) break;
    absl::StrAppend(&usage, argument.optional ? " [" : " ", argument.name, argument.optional ? "]" : "");
  }
  return usage;
}

std::string ShellHelp(const Platform* platform) {
  constexpr size_t kColumn = 40;
  std::string text;
  for (const ShellCommand& command : ShellCommands()) {
    if (platform != nullptr && !command.IsOn(*platform)) continue;
    std::string line = UsageOf(command) + " ";
    line.resize(std::max(line.size(), kColumn), ' ');
    absl::StrAppend(&text, line, command.help, "\n");
  }
  return text;
}

}  // namespace reheap
