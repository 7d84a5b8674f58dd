#include "sim/os/shell_commands.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sim/os/share_report.h"
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
      &ProcessLimits::address_bytes, &ProcessLimits::data_bytes, &ProcessLimits::stack_bytes,
      &ProcessLimits::locked_bytes};
  const bool unlimited = a[1] == ~uint64_t{0};
  ProcessLimits limits = os.limits();
  std::optional<uint64_t>& limit = limits.*kLimits[a[0]];
  limit = a[1];
  if (unlimited) limit.reset();
  // An absent stack limit is the platform's default, which is not unlimited.
  if (&limit == &limits.stack_bytes) limits.stack_unlimited = unlimited;
  return Answer(os.ChangeLimits(limits));
}

void PrintRegion(VirtualOs& os, const ShellArguments& a, std::string* text) {
  const OsResult<RegionInfo> region = os.VirtualQuery(At(os, a[0]));
  if (!region.ok()) {
    absl::StrAppend(text, "Error: ", region.refusal().os_error, "\n");
    return;
  }
  const RegionInfo& info = region.value();
  const std::pair<const char*, uint64_t> fields[] = {{"BaseAddress", info.base.value()},
                                                     {"AllocationBase", info.allocation_base.value()},
                                                     {"AllocationProtect", info.allocation_protection},
                                                     {"RegionSize", info.region_bytes},
                                                     {"State", info.state},
                                                     {"Protect", info.protection},
                                                     {"Type", info.type}};
  for (const auto& [name, value] : fields) absl::StrAppend(text, name, ": 0x", absl::Hex(value), "\n");
}

void PrintReason(VirtualOs& os, const ShellArguments&, std::string* text) {
  const Refusal& refusal = os.killed() != nullptr ? *os.killed() : os.last_refusal();
  const bool refused = refusal.rule != Rule::kNone;
  absl::StrAppend(text, refused ? ExplainRefusal(os, refusal) : "nothing was refused", "\n");
}

constexpr ArgumentKind kNumber = ArgumentKind::kNumber;
constexpr ArgumentKind kChoice = ArgumentKind::kChoice;
constexpr ArgumentKind kText = ArgumentKind::kText;

bool Everywhere(const Platform&) { return true; }
bool Maps(const Platform& platform) { return platform.machine.calls == CallFamily::kMapAndProtect; }
bool Reserves(const Platform& platform) { return platform.machine.calls == CallFamily::kReserveAndCommit; }
bool OnlyGrows(const Platform& platform) { return platform.machine.calls == CallFamily::kGrowOnly; }
bool Seals(const Platform& platform) { return Maps(platform) && platform.machine.seals; }
bool Remaps(const Platform& platform) { return Maps(platform) && platform.machine.remap.has_value(); }

constexpr ShellCommand kCommands[] = {
    {"mmap",
     {{"ADDR"}, {"LEN"}, {"PROT"}, {"FLAGS"}, {"FD", kNumber, true, ~uint64_t{0}}, {"OFFSET", kNumber, true}},
     "maps LEN bytes, of the file FD from OFFSET on; answers where",
     Maps,
     [](VirtualOs& os, const ShellArguments& a) {
       return Answer(os.Mmap(At(os, a[0]), Word(os, a[1]), a.Int(2), a.Int(3), {a.Int(4), a[5]}));
     }},
    {"munmap",
     {{"ADDR"}, {"LEN"}},
     "removes what is mapped there",
     Maps,
     [](VirtualOs& os, const ShellArguments& a) { return Answer(os.Munmap(At(os, a[0]), Word(os, a[1]))); }},
    {"mprotect",
     {{"ADDR"}, {"LEN"}, {"PROT"}},
     "changes the access",
     Maps,
     [](VirtualOs& os, const ShellArguments& a) {
       return Answer(os.Mprotect(At(os, a[0]), Word(os, a[1]), a.Int(2)));
     }},
    {"madvise",
     {{"ADDR"}, {"LEN"}, {"ADVICE"}},
     "says what the memory is needed for",
     Maps,
     [](VirtualOs& os, const ShellArguments& a) {
       return Answer(os.Madvise(At(os, a[0]), Word(os, a[1]), a.Int(2)));
     }},
    {"mremap",
     {{"OLD"}, {"OLDLEN"}, {"NEWLEN"}, {"FLAGS"}, {"NEWADDR", kNumber, true}},
     "grows, shrinks or moves a mapping; answers where",
     Remaps,
     [](VirtualOs& os, const ShellArguments& a) {
       return Answer(os.Mremap(At(os, a[0]), Word(os, a[1]), Word(os, a[2]), a.Int(3), At(os, a[4])));
     }},
    {"file",
     {{"NAME", kText}, {"BYTES"}},
     "opens a regular file of BYTES; answers its descriptor",
     Maps,
     [](VirtualOs& os, const ShellArguments& a) {
       return ShellResult{.value = static_cast<uint64_t>(os.AddFile(std::string(a.text), a[1]))};
     }},
    {"mlock",
     {{"ADDR"}, {"LEN"}},
     "keeps it resident",
     Maps,
     [](VirtualOs& os, const ShellArguments& a) { return Answer(os.Mlock(At(os, a[0]), Word(os, a[1]))); }},
    {"munlock",
     {{"ADDR"}, {"LEN"}},
     "takes that back",
     Maps,
     [](VirtualOs& os, const ShellArguments& a) { return Answer(os.Munlock(At(os, a[0]), Word(os, a[1]))); }},
    {"mseal",
     {{"ADDR"}, {"LEN"}, {"FLAGS"}},
     "nobody unmaps, moves or protects it anew",
     Seals,
     [](VirtualOs& os, const ShellArguments& a) {
       return Answer(os.Mseal(At(os, a[0]), Word(os, a[1]), Word(os, a[2])));
     }},
    {"fork",
     {},
     "a child that lives on: what it may write is charged, or refused",
     Maps,
     [](VirtualOs& os, const ShellArguments&) { return Answer(os.Fork()); }},
    {"brk", {{"ADDR"}}, "moves the program break; answers the break, moved or not", Maps, Break},
    {"virtualalloc",
     {{"ADDR"}, {"LEN"}, {"TYPE"}, {"PROT"}},
     "reserves, commits or both; answers where",
     Reserves,
     [](VirtualOs& os, const ShellArguments& a) {
       return Answer(os.VirtualAlloc(At(os, a[0]), Word(os, a[1]), static_cast<uint32_t>(a[2]),
                                     static_cast<uint32_t>(a[3])));
     }},
    {"virtualfree",
     {{"ADDR"}, {"LEN"}, {"TYPE"}},
     "decommits or releases",
     Reserves,
     [](VirtualOs& os, const ShellArguments& a) {
       return Answer(os.VirtualFree(At(os, a[0]), Word(os, a[1]), static_cast<uint32_t>(a[2])));
     }},
    {"virtualprotect",
     {{"ADDR"}, {"LEN"}, {"PROT"}},
     "changes the access of committed pages",
     Reserves,
     [](VirtualOs& os, const ShellArguments& a) {
       return Answer(os.VirtualProtect(At(os, a[0]), Word(os, a[1]), static_cast<uint32_t>(a[2])));
     }},
    {"virtualquery",
     {{"ADDR"}},
     "the region there as MEMORY_BASIC_INFORMATION has it, then END",
     Reserves,
     nullptr,
     PrintRegion},
    {"memorygrow",
     {{"BYTES"}},
     "grows the one memory; answers its end before",
     OnlyGrows,
     [](VirtualOs& os, const ShellArguments& a) { return Answer(os.MemoryGrow(a[0])); }},
    {"touch",
     {{"ADDR"}, {"COUNT"}, {"STRIDE"}, {"r|w", kChoice}},
     "COUNT accesses, STRIDE bytes apart, up to the first that is forbidden (1001)",
     Everywhere,
     [](VirtualOs& os, const ShellArguments& a) {
       return TouchInSteps(os, {Word(os, a[0]), Word(os, a[1]), Word(os, a[2])}, a[3] == 1);
     }},
    {"rlimit",
     {{"as|data|stack|memlock", kChoice}, {"BYTES"}},
     "setrlimit; -1 = unlimited",
     Everywhere,
     Rlimit},
    {"maps",
     {},
     "the layout as /proc/PID/maps has it, then END",
     Everywhere,
     nullptr,
     [](VirtualOs& os, const ShellArguments&, std::string* text) { *text += os.MapsText(); }},
    {"status",
     {},
     "the sizes as /proc/PID/status has them, then END",
     Everywhere,
     nullptr,
     [](VirtualOs& os, const ShellArguments&, std::string* text) { AppendStatus(os, text); }},
    {"why",
     {},
     "explains the newest refusal: rule, asked, in use, allowed, who holds the most; then END",
     Everywhere,
     nullptr,
     PrintReason},
    {"help",
     {},
     "this table, then END",
     Everywhere,
     nullptr,
     [](VirtualOs& os, const ShellArguments&, std::string* text) { *text += ShellHelp(&os.platform()); }},
    {"quit", {}, "ends", Everywhere},
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
    if (platform != nullptr && !command.exists_on(*platform)) continue;
    std::string line = UsageOf(command) + " ";
    line.resize(std::max(line.size(), kColumn), ' ');
    absl::StrAppend(&text, line, command.help, "\n");
  }
  return text;
}

}  // namespace reheap
