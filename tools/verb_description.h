// VerbDescription: what a verb says of itself, as data: for its --help, the man page and the shells'
// completion.
//
// Made of the same declarations that parse the command line (tools/options.h), so none of them can name an
// option that does not exist or forget one that does.
//
// Values. Threads: one.
#ifndef REHEAP_TOOLS_VERB_DESCRIPTION_H_
#define REHEAP_TOOLS_VERB_DESCRIPTION_H_

#include <string>
#include <vector>

#include "absl/types/span.h"

namespace reheap {

struct Verb;

struct OptionDescription {
  std::string name;         // "address-limit", without dashes
  std::string placeholder;  // "S,..."; empty = a flag
  std::string fallback;     // value when it is not given; empty = none
  std::string help;
};

struct OptionGroup {
  std::string title;
  std::vector<OptionDescription> options;
};

struct VerbDescription {
  std::string verb;     // "trace info"
  std::string usage;    // "trace info T": what follows "reheap"
  std::string summary;  // one line, from the list of verbs
  std::string purpose;
  std::string example;
  std::vector<OptionGroup> groups;
};

// Asks every verb, in order, for its --help as data.
std::vector<VerbDescription> DescribeVerbs(absl::Span<const Verb> verbs);

}  // namespace reheap

#endif  // REHEAP_TOOLS_VERB_DESCRIPTION_H_
