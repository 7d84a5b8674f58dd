#include "tools/man_page.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "sim/report/tool_version.h"

namespace reheap {

namespace {

// Text as groff prints it: a backslash is no escape, a hyphen can be copied into a shell, and a line that
// begins with a dot is no macro.
std::string Roff(const std::string& text) {
  std::string escaped;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(text, '\n'))) {
    if (!escaped.empty()) escaped += '\n';
    if (!line.empty() && (line[0] == '.' || line[0] == '\'')) escaped += "\\&";
    escaped += absl::StrReplaceAll(line, {{"\\", "\\e"}, {"-", "\\-"}, {"`", "\\(ga"}, {"'", "\\(aq"}});
  }
  return escaped;
}

// Paragraphs; lines that begin with a space stay lines of their own.
std::string Paragraphs(const std::string& text) {
  std::string markup;
  bool literal = false;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(text, '\n'))) {
    const bool indented = !line.empty() && line[0] == ' ';
    if (indented != literal) markup += indented ? ".nf\n" : ".fi\n";
    literal = indented;
    absl::StrAppend(&markup, Roff(line), "\n");
  }
  return markup + (literal ? ".fi\n" : "");
}

std::string OptionMarkup(const OptionDescription& option) {
  std::string markup = absl::StrCat(".TP\n\\fB\\-\\-", Roff(option.name), "\\fR");
  if (!option.placeholder.empty()) absl::StrAppend(&markup, " \\fI", Roff(option.placeholder), "\\fR");
  absl::StrAppend(&markup, "\n", Roff(option.help));
  if (!option.fallback.empty()) absl::StrAppend(&markup, " (default: ", Roff(option.fallback), ")");
  return markup + "\n";
}

std::string VerbMarkup(const VerbDescription& verb) {
  std::string markup = absl::StrCat(".SS reheap ", Roff(verb.usage), "\n", Paragraphs(verb.purpose));
  for (const OptionGroup& group : verb.groups) {
    if (group.title == "General") continue;  // --help, said once
    absl::StrAppend(&markup, ".PP\n\\fI", Roff(group.title), "\\fR\n");
    for (const OptionDescription& option : group.options) absl::StrAppend(&markup, OptionMarkup(option));
  }
  return absl::StrCat(markup, ".PP\nExample:\n.PP\n.nf\n.RS\n", Roff(verb.example), "\n.RE\n.fi\n");
}

constexpr char kEnd[] =
    R"(.SH SIZES
4GiB, 512MiB, 1.5GiB; a bare number is bytes; unlimited. K, M and G mean KiB, MiB and GiB. Lists with commas sweep.
.SH OUTPUT
Results go to standard output, progress and messages to standard error. Colour and the progress bar are for terminals
only.
.SH ENVIRONMENT
.TP
\fBNO_COLOR\fR
When set and not empty: no colour on terminals either.
.SH EXIT STATUS
.TP
\fB0\fR
as expected
.TP
\fB1\fR
it ran, and the expectation is not met
.TP
\fB2\fR
usage
.TP
\fB3\fR
an input cannot be read
.PP
\fBreheap record\fR ends with the recorded program\(aqs own status.
)";

}  // namespace

std::string ManPage(const std::vector<VerbDescription>& verbs) {
  std::string markup =
      absl::StrCat(".TH REHEAP 1 \"\" \"", Roff(kToolVersion), "\" \"User Commands\"\n",
                   ".SH NAME\nreheap \\- record a heap once, replay it anywhere\n.SH SYNOPSIS\n",
                   "\\fBreheap\\fR \\fIVERB\\fR [\\fIoptions\\fR]\n.SH DESCRIPTION\n",
                   "reheap records what a program asks of malloc and replays it: on this kernel and on "
                   "modelled ones, with other plans "
                   "for the heap\\(aqs address space, under limits that you name. Every verb answers "
                   "\\fB\\-\\-help\\fR.\n",
                   ".SH VERBS\n");
  for (const VerbDescription& verb : verbs) {
    absl::StrAppend(&markup, ".TP\n\\fBreheap ", Roff(verb.verb), "\\fR\n", Roff(verb.summary), "\n");
  }
  markup += ".SH \"VERBS IN FULL\"\n";
  for (const VerbDescription& verb : verbs) absl::StrAppend(&markup, VerbMarkup(verb));
  return markup + kEnd;
}

}  // namespace reheap
