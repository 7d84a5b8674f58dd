// Nearest name: which known word did somebody mean?
//
// Pure functions: no ownership, any thread. Cost: product of the lengths per candidate.
#ifndef REHEAP_TOOLS_NEAREST_NAME_H_
#define REHEAP_TOOLS_NEAREST_NAME_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace reheap {

// Fewest insertions, deletions, replacements and swaps of neighbours that make `b` of `a`.
size_t EditDistance(absl::string_view a, absl::string_view b);

// The first of the nearest candidates; empty when there are none.
std::string NearestName(absl::string_view word, const std::vector<std::string>& candidates);

// "no strategy is called 'go-2010-radex'; the nearest is 'go-2010-radix' (`reheap strategy list` lists them)"
std::string UnknownName(absl::string_view kind, absl::string_view word,
                        const std::vector<std::string>& candidates, absl::string_view list_command);

}  // namespace reheap

#endif  // REHEAP_TOOLS_NEAREST_NAME_H_
