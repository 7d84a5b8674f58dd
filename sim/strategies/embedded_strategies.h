// Embedded strategies: the text of each *.textproto of this folder, as part of the binary (generated source).
//
// Known to strategy_catalog.cc only. Constants: no ownership, any thread.
#ifndef REHEAP_SIM_STRATEGIES_EMBEDDED_STRATEGIES_H_
#define REHEAP_SIM_STRATEGIES_EMBEDDED_STRATEGIES_H_

#include <span>

#include "absl/strings/string_view.h"

namespace reheap {

struct EmbeddedStrategy {
  absl::string_view file;  // "sim/strategies/go-2010-radix.textproto"
  absl::string_view text;
};

// In the order of the file names.
std::span<const EmbeddedStrategy> EmbeddedStrategies();

}  // namespace reheap

#endif  // REHEAP_SIM_STRATEGIES_EMBEDDED_STRATEGIES_H_
