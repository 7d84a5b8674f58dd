// Strategy catalogue: reservation strategies by name, read from textproto and checked (row 8 of the walk).
//
// A strategy is data (proto/strategy.proto); this is the only place that turns it into the plain struct that
// the allocator carries out (alloc/reservation_strategy.h). The files of this folder are part of the binary;
// a file of the user's own is read when the name looks like a path. What is wrong in a file is said with its
// name and line: a word that the schema does not know, a fact without source, a combination that cannot be
// carried out.
//
// Values only: no ownership, no state. Any thread.
#ifndef REHEAP_SIM_STRATEGIES_STRATEGY_CATALOG_H_
#define REHEAP_SIM_STRATEGIES_STRATEGY_CATALOG_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "alloc/reservation_strategy.h"
#include "proto/strategy.pb.h"
#include "sim/strategies/strategy_source.h"

namespace reheap {

// A strategy and the text that it came from.
struct CatalogStrategy {
  std::string file;  // "sim/strategies/go-2011-02-pretend.textproto", or the user's path
  proto::Strategy text;
  // On a usual machine without limits (StrategyEnvironment's own values). Whoever knows better resolves `text` again
  // (strategy_resolver.h).
  ReservationStrategy strategy;
  std::shared_ptr<const StrategySource> source;
};

// Names of the strategies in the binary, sorted.
std::vector<std::string> StrategyNames();

// True for a text with '/' in it or ending in ".textproto": it names a file, not a strategy of the binary.
bool IsStrategyPath(absl::string_view name_or_path);

// The strategy of that name, or the one in that file.
// kNotFound: no such name or file. kInvalidArgument: the file's text, as file:line: what is wrong.
absl::StatusOr<CatalogStrategy> LoadStrategy(absl::string_view name_or_path);

// One strategy from its text. `file` is for messages.
absl::StatusOr<CatalogStrategy> ParseStrategy(absl::string_view text, absl::string_view file);

// Everything about one strategy, for people: each number with its unit, what it means, where it comes from.
// Lines end in '\n'.
std::string DescribeStrategy(const CatalogStrategy& strategy);

}  // namespace reheap

#endif  // REHEAP_SIM_STRATEGIES_STRATEGY_CATALOG_H_
