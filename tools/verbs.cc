#include "tools/cmd_strategy.h"
#include "tools/command.h"

namespace reheap {

absl::Span<const Verb> Verbs() {
  static constexpr Verb kVerbs[] = {
      {"strategy list", "names the reservation strategies", StrategyListCommand},
      {"strategy show", "one strategy in words, with the source of its numbers", StrategyShowCommand},
  };
  return kVerbs;
}

}  // namespace reheap
