#include "tools/cmd_strategy.h"

#include "absl/strings/str_format.h"
#include "sim/strategies/strategy_catalog.h"
#include "tools/nearest_name.h"
#include "tools/options.h"

namespace reheap {

int StrategyListCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  constexpr char kVerb[] = "strategy list";
  VerbOptions options(kVerb, kVerb, "Names the reservation strategies that are part of reheap.",
                      "reheap strategy list");
  if (absl::Status status = options.Parse(arguments, {}); !status.ok())
    return FailUsage(kVerb, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  for (const std::string& name : StrategyNames()) {
    const absl::StatusOr<CatalogStrategy> strategy = LoadStrategy(name);
    if (!strategy.ok()) return FailUnreadable(kVerb, strategy.status(), terminal);
    terminal.out << absl::StrFormat("%-27s %s\n", name, strategy->text.summary());
  }
  return kAsExpected;
}

int StrategyShowCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  constexpr char kVerb[] = "strategy show";
  VerbOptions options(kVerb, "strategy show NAME",
                      "Says what one strategy reserves, how it grows, and where each number comes from. NAME "
                      "is one of `reheap strategy list` or the path of a textproto of your own (with a / in "
                      "it or ending in .textproto), which is checked.",
                      "reheap strategy show go-2011-02-pretend");
  if (absl::Status status = options.Parse(arguments, {"NAME"}); !status.ok())
    return FailUsage(kVerb, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  const std::string& name = options.operand(0);
  const absl::StatusOr<CatalogStrategy> strategy = LoadStrategy(name);
  if (strategy.ok()) {
    terminal.out << DescribeStrategy(*strategy);
    return kAsExpected;
  }
  if (!IsStrategyPath(name)) {
    return FailUsage(
        kVerb, absl::NotFoundError(UnknownName("strategy", name, StrategyNames(), "reheap strategy list")),
        terminal);
  }
  return FailUnreadable(kVerb, strategy.status(), terminal);
}

}  // namespace reheap
