// Strategy diff: what distinguishes two strategies, field by field and in words (row 8 of the walk).
//
// Compares what the two files say: numbers, words, requests, formulas, modes. Names, summaries, sources and
// remarks are what a file says of itself, and are not compared.
//
// Pure functions: any thread.
#ifndef REHEAP_SIM_STRATEGIES_STRATEGY_DIFF_H_
#define REHEAP_SIM_STRATEGIES_STRATEGY_DIFF_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "sim/strategies/strategy_catalog.h"

namespace reheap {

struct StrategyDifference {
  std::string field;  // "reservation.firmness", "requests.startup[2].size"
  std::string a;      // as the file has it; empty = not there
  std::string b;
  std::string meaning;  // what the field decides, and what its words mean where it has words
};

// In the order of the schema; empty: the same plan.
std::vector<StrategyDifference> DiffStrategies(const CatalogStrategy& a, const CatalogStrategy& b);

// For people. Lines end in '\n'.
std::string DescribeDifference(const CatalogStrategy& a, const CatalogStrategy& b);

// "RESERVE: the whole range is really reserved at startup"; the word alone where it says everything.
std::string MeaningOfWord(absl::string_view word);

}  // namespace reheap

#endif  // REHEAP_SIM_STRATEGIES_STRATEGY_DIFF_H_
