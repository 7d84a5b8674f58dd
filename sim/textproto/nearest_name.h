// Nearest name: which known word did somebody mean?
//
// For whoever reads words of a person: the command line, study files. Pure functions: no ownership, any thread.
// Cost: product of the lengths per candidate.
#ifndef REHEAP_SIM_TEXTPROTO_NEAREST_NAME_H_
#define REHEAP_SIM_TEXTPROTO_NEAREST_NAME_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace reheap {

// Fewest insertions, deletions, replacements and swaps of neighbours that make `b` of `a`.
size_t EditDistance(absl::string_view a, absl::string_view b);

// The first of the nearest candidates; empty when there are none.
std::string NearestName(absl::string_view word, const std::vector<std::string>& candidates);

}  // namespace reheap

#endif  // REHEAP_SIM_TEXTPROTO_NEAREST_NAME_H_
