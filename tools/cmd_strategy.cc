#include "tools/cmd_strategy.h"

#include "absl/strings/str_format.h"
#include "sim/strategies/strategy_catalog.h"
#include "sim/strategies/strategy_diff.h"
#include "tools/nearest_name.h"
#include "tools/options.h"

namespace reheap {
namespace {

// What went wrong when `name` was loaded, told; the exit code.
int FailLoading(const char* verb, const std::string& name, const absl::Status& status, Terminal& terminal) {
  if (IsStrategyPath(name)) return FailUnreadable(verb, status, terminal);
  return FailUsage(
      verb, absl::NotFoundError(UnknownName("strategy", name, StrategyNames(), "reheap strategy list")),
      terminal);
}

}  // namespace

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
  return FailLoading(kVerb, name, strategy.status(), terminal);
}

int StrategyDiffCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  constexpr char kVerb[] = "strategy diff";
  VerbOptions options(
      kVerb, "strategy diff A B",
      "Says in which fields two strategies differ, and what that means. A and B are names of `reheap "
      "strategy list` or paths of textprotos of your own (with a / in them or ending in .textproto).",
      "reheap strategy diff go-2011-02-reserve17g go-2011-02-pretend");
  if (absl::Status status = options.Parse(arguments, {"A", "B"}); !status.ok())
    return FailUsage(kVerb, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  const absl::StatusOr<CatalogStrategy> a = LoadStrategy(options.operand(0));
  if (!a.ok()) return FailLoading(kVerb, options.operand(0), a.status(), terminal);
  const absl::StatusOr<CatalogStrategy> b = LoadStrategy(options.operand(1));
  if (!b.ok()) return FailLoading(kVerb, options.operand(1), b.status(), terminal);
  terminal.out << DescribeDifference(*a, *b);
  return kAsExpected;
}

}  // namespace reheap
