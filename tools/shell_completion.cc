#include "tools/shell_completion.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace reheap {

namespace {

// Catalogues whose names are values: of the option of that name, and of the operand NAME of verbs about them.
constexpr absl::string_view kCatalogues[] = {"strategy", "platform", "study"};

// Verbs of two words that share the first, which may be a verb of its own.
struct VerbGroup {
  std::string first;
  bool is_verb = false;
  std::vector<std::string> second;
};
struct VerbTree {
  std::vector<std::string> first;
  std::vector<VerbGroup> groups;
};

VerbTree TreeOf(const std::vector<VerbDescription>& verbs) {
  VerbTree tree;
  for (const VerbDescription& verb : verbs) {
    const std::pair<std::string, std::string> words = absl::StrSplit(verb.verb, absl::MaxSplits(' ', 1));
    if (std::find(tree.first.begin(), tree.first.end(), words.first) == tree.first.end()) {
      tree.first.push_back(words.first);
    }
    if (words.second.empty()) continue;
    if (tree.groups.empty() || tree.groups.back().first != words.first) tree.groups.push_back({words.first, false, {}});
    tree.groups.back().second.push_back(words.second);
  }
  for (VerbGroup& group : tree.groups) {
    group.is_verb = std::any_of(verbs.begin(), verbs.end(),
                                [&](const VerbDescription& verb) { return verb.verb == group.first; });
  }
  return tree;
}

// In single quotes, as bash and zsh read them.
std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

// The catalogue that an option or a verb's operand takes names of; empty = none.
std::string CatalogueOf(const OptionDescription& option) {
  for (const absl::string_view catalogue : kCatalogues) {
    if (option.name == catalogue && !option.placeholder.empty()) return std::string(catalogue);
  }
  return "";
}
std::string CatalogueOf(const VerbDescription& verb) {
  for (const absl::string_view catalogue : kCatalogues) {
    const bool names = absl::StrContains(verb.usage, "NAME") || verb.verb == "strategy diff";
    if (names && absl::StartsWith(verb.usage, absl::StrCat(catalogue, " "))) {
      return std::string(catalogue);
    }
  }
  return "";
}

// One arm of the case that says what a verb has.
std::string BashVerb(const VerbDescription& verb) {
  std::vector<std::string> options;
  std::vector<std::string> valued;
  for (const OptionGroup& group : verb.groups) {
    for (const OptionDescription& option : group.options) {
      options.push_back(absl::StrCat("--", option.name));
      if (!option.placeholder.empty()) valued.push_back(absl::StrCat("--", option.name));
    }
  }
  return absl::StrCat("    ", Quoted(verb.verb), ")\n      options=", Quoted(absl::StrJoin(options, " ")),
                      "\n      valued=", Quoted(absl::StrJoin(valued, " ")),
                      "\n      operand=", Quoted(CatalogueOf(verb)), " ;;\n");
}

// A first word that others follow. One that is a verb itself goes on with its options, or a file.
std::string BashGroup(const VerbGroup& group) {
  const std::string words = absl::StrJoin(group.second, " ");
  std::string offers = absl::StrCat("COMPREPLY=($(compgen -W ",
                                    Quoted(words + (group.is_verb ? "" : " --help")), " -- \"$word\")");
  if (group.is_verb) absl::StrAppend(&offers, " $(compgen -f -- \"$word\")");
  return absl::StrCat("    ", group.first, ")\n      if ((COMP_CWORD == 2))",
                      group.is_verb ? " && [[ $word != -* ]]" : "", "; then\n        ", offers,
                      ")\n        return\n      fi\n      case ${COMP_WORDS[2]} in\n        ",
                      absl::StrJoin(group.second, " | "), ") verb+=\" ${COMP_WORDS[2]}\" ;;\n",
                      group.is_verb ? "" : "        *) return ;;\n", "      esac ;;\n");
}

constexpr char kBashEnd[] = R"bash(    *) return ;;
  esac
  local catalogue= files=
  if [[ " $valued " == *" $before "* ]]; then
    case $before in
      --strategy | --platform) catalogue=${before#--} ;;
    esac
  elif [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
    return
  else
    catalogue=$operand files=yes  # a name, or the path of a file of one's own
  fi
  if [[ -n $catalogue && $word != */* ]]; then
    local head=
    if [[ $word == *,* ]]; then head=${word%,*},; fi
    COMPREPLY=($(compgen -P "$head" -W "$("${COMP_WORDS[0]}" "$catalogue" list 2>/dev/null | cut -d' ' -f1)" \
      -- "${word##*,}"))
    if [[ -n $files ]]; then COMPREPLY+=($(compgen -f -- "$word")); fi
    return
  fi
  compopt -o filenames 2>/dev/null
  local IFS=$'\n'
  COMPREPLY=($(compgen -f -- "$word"))
}
complete -F _reheap reheap
)bash";

// What zsh's _arguments reads: a description may not hold brackets or colons unescaped.
std::string ZshOption(const OptionDescription& option) {
  const std::string help =
      absl::StrReplaceAll(option.help, {{"\n", " "}, {"[", "("}, {"]", ")"}, {":", "\\:"}});
  std::string spec = absl::StrCat("--", option.name, "[", help, "]");
  if (!option.placeholder.empty()) {
    const std::string catalogue = CatalogueOf(option);
    absl::StrAppend(&spec, ":", absl::StrReplaceAll(option.placeholder, {{":", "\\:"}}), ":",
                    catalogue.empty() ? "_files" : absl::StrCat("_reheap_names ", catalogue));
  }
  return Quoted(spec);
}

std::string ZshVerb(const VerbDescription& verb) {
  std::string text = absl::StrCat("    ", Quoted(verb.verb), ")\n      _arguments");
  for (const OptionGroup& group : verb.groups) {
    for (const OptionDescription& option : group.options)
      absl::StrAppend(&text, " \\\n        ", ZshOption(option));
  }
  const std::string catalogue = CatalogueOf(verb);
  return absl::StrCat(
      text, " \\\n        ",
      Quoted(absl::StrCat("*:operand:", catalogue.empty() ? "_files" : "_reheap_names " + catalogue)),
      " ;;\n");
}

std::string ZshDescribe(absl::string_view what, const std::vector<VerbDescription>& verbs,
                        absl::string_view group, const std::vector<std::string>& words) {
  std::vector<std::string> entries;
  for (const std::string& word : words) {
    const std::string name = group.empty() ? word : absl::StrCat(group, " ", word);
    const auto verb =
        std::find_if(verbs.begin(), verbs.end(), [&](const VerbDescription& v) { return v.verb == name; });
    const std::string summary = verb == verbs.end() ? absl::StrCat("verbs about a ", word) : verb->summary;
    entries.push_back(Quoted(absl::StrCat(word, ":", absl::StrReplaceAll(summary, {{":", "\\:"}}))));
  }
  return absl::StrCat("entries=(", absl::StrJoin(entries, " "), ")\n    _describe ", what,
                      " entries\n    return\n");
}

std::string ZshGroup(const VerbGroup& group, const std::vector<VerbDescription>& verbs) {
  return absl::StrCat("  ", group.first, ")\n    if ((CURRENT == 3))",
                      group.is_verb ? " && [[ $words[3] != -* ]]" : "", "; then\n    ",
                      group.is_verb ? "_files\n    " : "",
                      ZshDescribe("verb", verbs, group.first, group.second),
                      "    fi\n    case $words[3] in\n      (", absl::StrJoin(group.second, "|"),
                      ") verb+=\" $words[3]\"; shift words; ((CURRENT--)) ;;\n    esac ;;\n");
}

}  // namespace

std::string BashCompletion(const std::vector<VerbDescription>& verbs) {
  const VerbTree tree = TreeOf(verbs);
  std::string text = absl::StrCat(
      "# Completion of reheap for bash, made by `reheap help --completion bash`: source it.\n"
      "_reheap() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]}\n"
      "  local options= valued= operand=\n"
      "  COMPREPLY=()\n"
      "  if ((COMP_CWORD == 1)); then\n    COMPREPLY=($(compgen -W ",
      Quoted(absl::StrCat(absl::StrJoin(tree.first, " "), " --help --version")),
      " -- \"$word\"))\n    return\n  fi\n"
      "  case $verb in\n");
  for (const VerbGroup& group : tree.groups) absl::StrAppend(&text, BashGroup(group));
  text += "  esac\n  case $verb in\n";
  for (const VerbDescription& verb : verbs) absl::StrAppend(&text, BashVerb(verb));
  return text + kBashEnd;
}

std::string ZshCompletion(const std::vector<VerbDescription>& verbs) {
  const VerbTree tree = TreeOf(verbs);
  std::string text = absl::StrCat(
      "#compdef reheap\n# Completion of reheap for zsh, made by `reheap help --completion zsh`.\n"
      "_reheap_names() {\n  local -a names\n  names=(${(f)\"$(reheap $1 list 2>/dev/null | cut -d' ' "
      "-f1)\"})\n"
      "  _values -s , \"$1\" $names\n}\n"
      "_reheap() {\n  local -a entries\n  local verb=$words[2]\n  if ((CURRENT == 2)); then\n    ",
      ZshDescribe("verb", verbs, "", tree.first), "  fi\n  case $verb in\n");
  for (const VerbGroup& group : tree.groups) absl::StrAppend(&text, ZshGroup(group, verbs));
  text += "  esac\n  shift words\n  ((CURRENT--))\n  case $verb in\n";
  for (const VerbDescription& verb : verbs) absl::StrAppend(&text, ZshVerb(verb));
  return text + "  esac\n}\n_reheap \"$@\"\n";
}

}  // namespace reheap
