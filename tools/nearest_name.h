// Unknown name: the answer to a word that no command knows, with the nearest that one does.
//
// Pure function: no ownership, any thread.
#ifndef REHEAP_TOOLS_NEAREST_NAME_H_
#define REHEAP_TOOLS_NEAREST_NAME_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "sim/textproto/nearest_name.h"

namespace reheap {

// "no strategy is called 'go-2010-radex'; the nearest is 'go-2010-radix' (`reheap strategy list` lists them)"
std::string UnknownName(absl::string_view kind, absl::string_view word,
                        const std::vector<std::string>& candidates, absl::string_view list_command);

}  // namespace reheap

#endif  // REHEAP_TOOLS_NEAREST_NAME_H_
