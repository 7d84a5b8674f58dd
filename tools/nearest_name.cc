#include "tools/nearest_name.h"

#include "absl/strings/str_cat.h"

namespace reheap {

std::string UnknownName(absl::string_view kind, absl::string_view word,
                        const std::vector<std::string>& candidates, absl::string_view list_command) {
  const std::string nearest = NearestName(word, candidates);
  return absl::StrCat("no ", kind, " is called '", word, "'",
                      nearest.empty() ? "" : absl::StrCat("; the nearest is '", nearest, "'"), " (`",
                      list_command, "` lists them)");
}

}  // namespace reheap
