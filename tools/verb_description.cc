#include "tools/verb_description.h"

#include <sstream>

#include "alloc/check.h"
#include "tools/command.h"

namespace reheap {

std::vector<VerbDescription> DescribeVerbs(absl::Span<const Verb> verbs) {
  std::vector<VerbDescription> descriptions;
  for (const Verb& verb : verbs) {
    VerbDescription description;
    std::ostringstream out;
    std::ostringstream err;
    Terminal terminal{out, err, false, false, "reheap"};
    terminal.description = &description;
    REHEAP_CHECK(verb.run({"--help"}, terminal) == kAsExpected && !description.usage.empty());
    description.summary = verb.summary;
    descriptions.push_back(std::move(description));
  }
  return descriptions;
}

}  // namespace reheap
