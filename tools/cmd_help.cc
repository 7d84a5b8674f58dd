#include "tools/cmd_help.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "tools/man_page.h"
#include "tools/options.h"
#include "tools/shell_completion.h"
#include "tools/verb_description.h"

namespace reheap {

namespace {

constexpr char kVerb[] = "help";

VerbOptions HelpOptions() {
  VerbOptions options(
      kVerb, "help [VERB] [options]",
      "Without options: the list of verbs, or what `reheap VERB --help` says. The man page and the "
      "completion are made of the same tables of options that parse the command line.\n"
      "  reheap help --man > /usr/local/share/man/man1/reheap.1\n"
      "  source <(reheap help --completion bash)      in ~/.bashrc\n"
      "  reheap help --completion zsh > ~/.zfunc/_reheap      in a folder of $fpath",
      "reheap help replay");
  options.Group("Output");
  options.Flag("man", "the man page reheap(1), for groff");
  options.Value("completion", "SHELL", "", "completion of verbs, options and names: bash, zsh");
  return options;
}

}  // namespace

int HelpCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  if (arguments.empty()) return RunReheap({"--help"}, Verbs(), terminal);
  if (!absl::StartsWith(arguments[0], "-")) {
    std::vector<std::string> asked = arguments;
    asked.push_back("--help");
    return RunReheap(asked, Verbs(), terminal);
  }
  VerbOptions options = HelpOptions();
  if (absl::Status status = options.Parse(arguments, {}); !status.ok())
    return FailUsage(kVerb, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  if (options.IsSet("man") && options.Given("completion")) {
    return FailUsage(kVerb, Contradiction("man", "completion", "standard output takes one of them"),
                     terminal);
  }
  if (options.IsSet("man")) {
    terminal.out << ManPage(DescribeVerbs(Verbs()));
    return kAsExpected;
  }
  const absl::StatusOr<std::string> shell = options.Word("completion", {"bash", "zsh"});
  if (!shell.ok()) return FailUsage(kVerb, shell.status(), terminal);
  const std::vector<VerbDescription> verbs = DescribeVerbs(Verbs());
  terminal.out << (*shell == "bash" ? BashCompletion(verbs) : ZshCompletion(verbs));
  return kAsExpected;
}

}  // namespace reheap
