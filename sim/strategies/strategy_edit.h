// Strategy edit: one field of a strategy's text, by its name (row 8 of the walk).
//
// For formulas and modes, which name the field they are about. Paths are as "reservation.heap_bytes".
//
// Pure functions: any thread.
#ifndef REHEAP_SIM_STRATEGIES_STRATEGY_EDIT_H_
#define REHEAP_SIM_STRATEGIES_STRATEGY_EDIT_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/strategy.pb.h"

namespace reheap {

// InvalidArgument: no such field, not a number (a repeated one gets the number appended), or too large for
// it.
absl::Status SetNumber(absl::string_view path, uint64_t value, proto::Strategy* strategy);

// InvalidArgument: no such field.
absl::Status ClearField(absl::string_view path, proto::Strategy* strategy);

}  // namespace reheap

#endif  // REHEAP_SIM_STRATEGIES_STRATEGY_EDIT_H_
