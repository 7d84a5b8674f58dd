// The man page and the completion name every verb and option; groff, bash and zsh themselves judge them.
#include "tools/cmd_help.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "tools/run_command_for_tests.h"
#include "tools/verb_description.h"

namespace reheap {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;

// What a shell command prints, and how it ended.
struct ShellRan {
  int status = -1;
  std::string out;
};
ShellRan Shell(const std::string& command) {
  ShellRan ran;
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return ran;
  char piece[4096];
  for (size_t got = 0; (got = fread(piece, 1, sizeof piece, pipe)) > 0;) ran.out.append(piece, got);
  ran.status = pclose(pipe);
  return ran;
}

std::string Saved(const std::string& name, const std::string& text) {
  const std::string path = TempPath(name);
  std::ofstream(path) << text;
  return path;
}

TEST(HelpCommandTest, SaysWhatTheVerbsSay) {
  EXPECT_EQ(Reheap({"help"}).out, Reheap({"--help"}).out);
  EXPECT_EQ(Reheap({"help", "trace", "info"}).out, Reheap({"trace", "info", "--help"}).out);
  EXPECT_EQ(Reheap({"help", "trace"}).out, Reheap({"trace", "--help"}).out);
  const Ran unknown = Reheap({"help", "repaly"});
  EXPECT_EQ(unknown.exit_code, kUsage);
  EXPECT_THAT(unknown.err, HasSubstr("replay"));
}

TEST(HelpCommandTest, WrongWordsAreNamed) {
  EXPECT_THAT(Reheap({"help", "--completion", "bsah"}).err, HasSubstr("the nearest is 'bash'"));
  EXPECT_EQ(Reheap({"help", "--completion", "bsah"}).exit_code, kUsage);
  EXPECT_THAT(Reheap({"help", "--man", "--completion", "zsh"}).err,
              HasSubstr("--man contradicts --completion"));
  EXPECT_EQ(Reheap({"help", "--man", "extra"}).exit_code, kUsage);
}

TEST(DescribeVerbsTest, TellsWhatHelpPrints) {
  const std::vector<VerbDescription> verbs = DescribeVerbs(Verbs());
  ASSERT_EQ(verbs.size(), Verbs().size());
  for (const VerbDescription& verb : verbs) {
    std::vector<std::string> arguments = absl::StrSplit(verb.verb, ' ');
    arguments.push_back("--help");
    const std::string help = Reheap(arguments).out;
    std::set<std::string> printed;
    for (const std::string& word : std::vector<std::string>(absl::StrSplit(help, absl::ByAnyChar(" \n")))) {
      if (word.rfind("--", 0) == 0 && word.size() > 2) printed.insert(word);
    }
    for (const OptionGroup& group : verb.groups) {
      for (const OptionDescription& option : group.options) {
        EXPECT_THAT(help, HasSubstr(absl::StrCat("--", option.name))) << verb.verb;
        EXPECT_NE(option.help, "") << verb.verb << " --" << option.name;
      }
    }
  }
}

TEST(ManPageTest, NamesEveryVerbAndOption) {
  const Ran ran = Reheap({"help", "--man"});
  EXPECT_EQ(ran.exit_code, kAsExpected);
  for (const VerbDescription& verb : DescribeVerbs(Verbs())) {
    const auto roff = [](const std::string& text) { return absl::StrReplaceAll(text, {{"-", "\\-"}}); };
    EXPECT_THAT(ran.out, HasSubstr(absl::StrCat("\\fBreheap ", roff(verb.verb), "\\fR\n")));
    for (const OptionGroup& group : verb.groups) {
      for (const OptionDescription& option : group.options) {
        EXPECT_THAT(ran.out, HasSubstr(absl::StrCat("\\fB\\-\\-", roff(option.name), "\\fR"))) << verb.verb;
      }
    }
  }
}

TEST(ManPageTest, GroffHasNothingToComplain) {
  const std::string page = Saved("reheap.1", Reheap({"help", "--man"}).out);
  const ShellRan judged = Shell(absl::StrCat("groff -man -ww -Tutf8 -z ", page, " 2>&1"));
  EXPECT_EQ(judged.status, 0);
  EXPECT_EQ(judged.out, "");
  // Formatted, an option reads as it is typed, and no line of text was taken for a macro.
  const std::string text =
      Shell(absl::StrCat("groff -man -Tascii -P-c -P-b -P-u -rLL=100n ", page, " 2>&1")).out;
  EXPECT_THAT(text, HasSubstr("--address-limit S,..."));
  EXPECT_THAT(text, HasSubstr("reheap replay T [options]"));
  EXPECT_THAT(text, HasSubstr("EXIT STATUS"));
  for (const char* escape : {"\\-", "\\f", "\\(", "\\e", "\\&"}) EXPECT_THAT(text, Not(HasSubstr(escape)));
}

// What bash offers when the words have been typed and the tab key is pressed in the last.
std::vector<std::string> BashOffers(const std::vector<std::string>& words) {
  const std::string script = Saved("reheap.bash", Reheap({"help", "--completion", "bash"}).out);
  const std::string program =
      Saved("ask.bash", absl::StrCat("set -u\nPATH=$PWD/tools:$PATH\nsource ", script, "\nCOMP_WORDS=(",
                                     ShellQuoted(words), ")\nCOMP_CWORD=", words.size() - 1,
                                     "\n_reheap\nprintf '%s\\n' ${COMPREPLY[@]+\"${COMPREPLY[@]}\"}\n"));
  const ShellRan ran = Shell(absl::StrCat("bash --norc ", program, " 2>&1"));
  EXPECT_EQ(ran.status, 0) << ran.out;
  return absl::StrSplit(ran.out, '\n', absl::SkipEmpty());
}

TEST(BashCompletionTest, OffersVerbs) {
  std::set<std::string> first;
  for (const Verb& verb : Verbs())
    first.insert(std::vector<std::string>(absl::StrSplit(verb.name, ' ')).front());
  EXPECT_THAT(BashOffers({"reheap", ""}), IsSupersetOf(first));
  EXPECT_THAT(BashOffers({"reheap", "repo"}), ElementsAre("report"));
  EXPECT_THAT(BashOffers({"reheap", "trace", "inf"}), ElementsAre("info"));
  // `study` is a verb of its own and the first word of others.
  EXPECT_THAT(BashOffers({"reheap", "study", "merg"}), ElementsAre("merge"));
  EXPECT_THAT(BashOffers({"reheap", "study", "some.textproto", "--shar"}), ElementsAre("--shard"));
  EXPECT_THAT(BashOffers({"reheap", "trace", "nonsense", "--"}), IsEmpty());
}

TEST(BashCompletionTest, OffersEveryOptionOfEveryVerb) {
  for (const VerbDescription& verb : DescribeVerbs(Verbs())) {
    std::vector<std::string> words = {"reheap"};
    for (const std::string& word : std::vector<std::string>(absl::StrSplit(verb.verb, ' ')))
      words.push_back(word);
    words.push_back("--");
    const std::vector<std::string> offers = BashOffers(words);
    for (const OptionGroup& group : verb.groups) {
      for (const OptionDescription& option : group.options) {
        EXPECT_THAT(offers, Contains(absl::StrCat("--", option.name))) << verb.verb;
      }
    }
  }
}

TEST(BashCompletionTest, OffersNamesOfTheCataloguesAndFiles) {
  EXPECT_THAT(BashOffers({"reheap", "replay", "t", "--strategy", "go-2010"}), ElementsAre("go-2010-radix"));
  EXPECT_THAT(BashOffers({"reheap", "replay", "t", "--platform", "linux-amd64,freebsd-am"}),
              ElementsAre("linux-amd64,freebsd-amd64"));
  EXPECT_THAT(BashOffers({"reheap", "platform", "show", "wasm"}), ElementsAre("wasm32"));
  EXPECT_THAT(BashOffers({"reheap", "strategy", "diff", "go-2010-radix", "go-2011-02-pre"}),
              ElementsAre("go-2011-02-pretend"));
  const std::string file = Saved("some.trace", "");
  EXPECT_THAT(BashOffers({"reheap", "trace", "info", file.substr(0, file.size() - 3)}), ElementsAre(file));
}

TEST(ZshCompletionTest, OffersVerbsAndOptions) {
  const std::string script = Saved("_reheap", Reheap({"help", "--completion", "zsh"}).out);
  EXPECT_EQ(Shell(absl::StrCat("zsh -f -n ", script, " 2>&1")).status, 0);
  // The functions of zsh's completion system, printing what they are asked to offer.
  const auto offers = [&](const std::string& words, int current) {
    const std::string program =
        Saved("ask.zsh", absl::StrCat("_describe() { print -rl -- ${(P)2} }\n_arguments() { print -rl -- "
                                      "\"$@\" }\n_files() { : }\n_values() { shift 3; print -rl -- $@ }\n"
                                      "words=(",
                                      words, ")\nCURRENT=", current, "\nsource ", script, "\n"));
    const ShellRan ran = Shell(absl::StrCat("zsh -f ", program, " 2>&1"));
    EXPECT_EQ(ran.status, 0) << ran.out;
    return ran.out;
  };
  EXPECT_THAT(offers("reheap ''", 2), HasSubstr("replay:replays a trace"));
  EXPECT_THAT(offers("reheap trace ''", 3), HasSubstr("info:what is in a trace"));
  for (const VerbDescription& verb : DescribeVerbs(Verbs())) {
    const int words = verb.verb.find(' ') == std::string::npos ? 2 : 3;
    const std::string offered = offers(absl::StrCat("reheap ", verb.verb, " --"), words + 1);
    for (const OptionGroup& group : verb.groups) {
      for (const OptionDescription& option : group.options) {
        EXPECT_THAT(offered, HasSubstr(absl::StrCat("--", option.name, "["))) << verb.verb;
      }
    }
  }
}

}  // namespace
}  // namespace reheap
