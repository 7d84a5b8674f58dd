// StrategyChanges: the plans that differ from one plan in a single field (row 8 of the walk).
//
// For "which change would have let it live?". The fields are found in the schema, so that a new one takes part
// by itself: words and yes/no take each other value, sizes become smaller by powers of two, hints are left out.
// A change that the rules of plans refuse alone (RESERVE -> PRETEND needs on_conflict DIE) is taken together
// with the one other change that makes it a plan: the two words of the 2011 mail.
//
// Values only: no ownership, any thread.
#ifndef REHEAP_SIM_STUDIES_STRATEGY_CHANGES_H_
#define REHEAP_SIM_STUDIES_STRATEGY_CHANGES_H_

#include <string>
#include <vector>

#include "proto/strategy.pb.h"
#include "sim/strategies/strategy_catalog.h"

namespace reheap {

struct StrategyChange {
  std::string field;  // "reservation.firmness"; two joined by " + "
  std::string from;   // "RESERVE"; of two, joined by ", "
  std::string to;
  uint64_t size_bytes = 0;  // of a size: what it becomes; else 0
  CatalogStrategy plan;
};

// Paths in proto/strategy.proto, in its order.
std::vector<std::string> ChangeableStrategyFields();

// `fields` of ChangeableStrategyFields; empty = all. Ordered by field, sizes falling.
std::vector<StrategyChange> SingleChanges(const proto::Strategy& text, const std::vector<std::string>& fields);

}  // namespace reheap

#endif  // REHEAP_SIM_STUDIES_STRATEGY_CHANGES_H_
