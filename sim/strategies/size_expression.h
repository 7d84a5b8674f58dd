// Size expression: the value of a formula of a strategy file, exact or refused (row 8 of the walk).
//
//   64 MiB                     numbers, decimal or 0x, with KiB, MiB, GiB, TiB
//   min(RAM / 4, LIMIT_AS / 2) names from the environment or from the file's `values`
//   if(LIMIT_AS < 2 GiB, 0, LIMIT_AS * 2 / 3)
//
// + - * / % of 64-bit integers that may not overflow, go below 0 or divide by 0; < <= > >= == != && || give 0
// or 1; min, max, round_up(n, to), round_down(n, to), if(condition, then, else) of which one branch is
// evaluated, and wrapping_sub(a, b): the one subtraction that goes below 0, as C's unsigned does (Go 1.0's
// estimate needs it).
//
// Pure functions: any thread. Limits: 100 levels of parentheses.
#ifndef REHEAP_SIM_STRATEGIES_SIZE_EXPRESSION_H_
#define REHEAP_SIM_STRATEGIES_SIZE_EXPRESSION_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/strings/string_view.h"

namespace reheap {

using SizeNames = std::map<std::string, uint64_t, std::less<>>;

struct SizeFault {
  size_t offset = 0;    // in the text, from 0
  std::string message;  // "RAN is not a name here; nearest: RAM"
};

struct SizeAnswer {
  uint64_t value = 0;
  std::optional<SizeFault> fault;
};

// Names in branches that are not taken must exist too.
SizeAnswer EvaluateSize(absl::string_view text, const SizeNames& names);

// Every name in `text`, functions left out; of a text that cannot be read, those before the fault.
std::set<std::string> NamesIn(absl::string_view text);

}  // namespace reheap

#endif  // REHEAP_SIM_STRATEGIES_SIZE_EXPRESSION_H_
