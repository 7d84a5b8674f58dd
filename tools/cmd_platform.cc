#include "tools/cmd_platform.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "sim/os/describe_platform.h"
#include "sim/os/platform_catalog.h"
#include "sim/os/platform_source.h"
#include "tools/named_platform.h"
#include "tools/options.h"

namespace reheap {

namespace {

// What may follow the name after an '@'.
std::string ReleasesText(const std::vector<std::string>& releases) {
  return releases.empty() ? "" : absl::StrCat(" @", absl::StrJoin(releases, " @"));
}

}  // namespace

int PlatformListCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  constexpr char kVerb[] = "platform list";
  VerbOptions options(
      kVerb, kVerb,
      "Names the modelled systems. \"compared\" means that tests compare the model with the kernel they run "
      "on; \"from source\" that its rules were read and nothing was measured. NAME is the first of the releases "
      "listed after '@', NAME@RELEASE an older one.",
      "reheap platform list");
  if (absl::Status status = options.Parse(arguments, {}); !status.ok())
    return FailUsage(kVerb, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  for (const std::string& name : Platforms().Names()) {
    const Platform& platform = *Platforms().Find(name);
    const bool compared = platform.basis == Basis::kComparableWithRunningKernel;
    terminal.out << absl::StrFormat(
        "%-18s %-12s %s%s%s\n", name, compared ? "compared" : "from source", platform.summary,
        platform.aliases.empty() ? "" : absl::StrCat(" (also ", absl::StrJoin(platform.aliases, ", "), ")"),
        ReleasesText(Platforms().ReleasesOf(name)));
  }
  return kAsExpected;
}

int PlatformShowCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  constexpr char kVerb[] = "platform show";
  VerbOptions options(
      kVerb, "platform show NAME[@RELEASE] | FILE",
      "Prints every rule of one modelled system and, in brackets, where the rule comes from. Sizes are "
      "bytes; addresses and sizes from 64 KiB up are hexadecimal. A rule that another platform or a newer release gave "
      "is followed by its name. NAME and RELEASE are those of `reheap platform list`; FILE (with a / in it or "
      "ending in .textproto) is a platform of your own, which is checked.",
      "reheap platform show linux-amd64@6.1");
  if (absl::Status status = options.Parse(arguments, {"NAME"}); !status.ok())
    return FailUsage(kVerb, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  const std::string& word = options.operand(0);
  const absl::StatusOr<const Platform*> platform = NamedPlatform(word);
  if (!platform.ok()) return FailPlatform(kVerb, word, platform.status(), terminal);
  const absl::StatusOr<std::string> text = DescribePlatform(IsPlatformPath(word) ? word : (*platform)->name);
  if (!text.ok()) return FailUnreadable(kVerb, text.status(), terminal);
  terminal.out << *text;
  return kAsExpected;
}

}  // namespace reheap
