#include "tools/command.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "sim/report/tool_version.h"
#include "tools/nearest_name.h"

namespace reheap {

namespace {

void PrintVerbs(absl::Span<const Verb> verbs, absl::string_view group, std::ostream& stream) {
  for (const Verb& verb : verbs) {
    if (!group.empty() && !absl::StartsWith(verb.name, absl::StrCat(group, " "))) continue;
    stream << absl::StrFormat("  reheap %-18s %s\n", verb.name, verb.summary);
  }
}

void PrintHelp(absl::Span<const Verb> verbs, std::ostream& stream) {
  stream
      << "reheap records what a program asks of malloc and replays it: on this kernel and on modelled ones,\n"
         "with other plans for the heap's address space, under limits that you name.\n\n";
  PrintVerbs(verbs, "", stream);
  stream << "\n"
            "Each verb has --help with units, defaults and an example. Sizes: 4GiB, 512MiB, 1.5GiB, bare = "
            "bytes,\n"
            "unlimited; K, M, G mean KiB, MiB, GiB. Comma lists sweep. Results go to stdout, messages to "
            "stderr.\n"
            "Exit codes: 0 as expected; 1 ran, expectation not met; 2 usage; 3 unreadable input.\n";
}

// The verb that the arguments start with, and how many of them are its name; null when there is none.
const Verb* FindVerb(absl::Span<const Verb> verbs, const std::vector<std::string>& arguments, size_t* words) {
  for (const Verb& verb : verbs) {
    const std::vector<std::string> name = absl::StrSplit(verb.name, ' ');
    if (arguments.size() >= name.size() && std::equal(name.begin(), name.end(), arguments.begin())) {
      *words = name.size();
      return &verb;
    }
  }
  return nullptr;
}

bool IsGroup(absl::Span<const Verb> verbs, const std::string& word) {
  return std::any_of(verbs.begin(), verbs.end(),
                     [&](const Verb& verb) { return absl::StartsWith(verb.name, absl::StrCat(word, " ")); });
}

int UnknownVerb(absl::Span<const Verb> verbs, const std::vector<std::string>& arguments, Terminal& terminal) {
  const bool group = IsGroup(verbs, arguments[0]);
  const std::string word = group ? absl::StrCat(arguments[0], " ", arguments[1]) : arguments[0];
  std::vector<std::string> names;
  for (const Verb& verb : verbs) {
    // A lone word is compared with first words, so that a slip in "trase" finds "trace".
    const std::pair<std::string, std::string> parts = absl::StrSplit(verb.name, absl::MaxSplits(' ', 1));
    if (!group) names.push_back(parts.first);
    if (group && parts.first == arguments[0]) names.push_back(verb.name);
  }
  terminal.err << "reheap: " << UnknownName("verb", word, names, "reheap --help") << "\n";
  return kUsage;
}

}  // namespace

int RunReheap(const std::vector<std::string>& arguments, absl::Span<const Verb> verbs, Terminal& terminal) {
  if (arguments.empty()) {
    PrintHelp(verbs, terminal.err);
    return kUsage;
  }
  if (arguments[0] == "--help" || arguments[0] == "-h") {
    PrintHelp(verbs, terminal.out);
    return kAsExpected;
  }
  if (arguments[0] == "--version") {
    terminal.out << kToolVersion << "\n";
    return kAsExpected;
  }
  size_t words = 0;
  if (const Verb* verb = FindVerb(verbs, arguments, &words); verb != nullptr) {
    return verb->run({arguments.begin() + static_cast<ptrdiff_t>(words), arguments.end()}, terminal);
  }
  if (IsGroup(verbs, arguments[0])) {
    const bool help = arguments.size() > 1 && (arguments[1] == "--help" || arguments[1] == "-h");
    if (help || arguments.size() == 1) {
      PrintVerbs(verbs, arguments[0], help ? terminal.out : terminal.err);
      return help ? kAsExpected : kUsage;
    }
  }
  return UnknownVerb(verbs, arguments, terminal);
}

int FailUsage(const char* verb, const absl::Status& status, Terminal& terminal) {
  terminal.err << "reheap " << verb << ": " << status.message() << "\nreheap " << verb
               << " --help explains the options\n";
  return kUsage;
}

int FailUnreadable(const char* verb, const absl::Status& status, Terminal& terminal) {
  terminal.err << "reheap " << verb << ": " << status.message() << "\n";
  return kUnreadableInput;
}

std::string ShellQuoted(const std::vector<std::string>& arguments) {
  return absl::StrJoin(arguments, " ", [](std::string* out, const std::string& argument) {
    const bool plain =
        !argument.empty() && std::all_of(argument.begin(), argument.end(), [](unsigned char c) {
          return absl::ascii_isalnum(c) || absl::StrContains("-_./=,:+@%", static_cast<char>(c));
        });
    absl::StrAppend(
        out, plain ? argument : absl::StrCat("'", absl::StrReplaceAll(argument, {{"'", "'\\''"}}), "'"));
  });
}

}  // namespace reheap
