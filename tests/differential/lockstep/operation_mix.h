// OperationMix: which operations are drawn, how often, with which arguments.
//
// To add a kind: a function from Draw to Operation and its row in operation_mix.cc (or a file beside it whose
// rows it takes in), with a name for the tally. Threads: as Draw.
#ifndef REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_OPERATION_MIX_H_
#define REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_OPERATION_MIX_H_

#include <span>

#include "tests/differential/lockstep/draw.h"
#include "tests/differential/lockstep/operation.h"

namespace reheap {

struct MixRow {
  const char* name;  // of the tally
  unsigned weight;
  Operation (*draw)(Draw& draw);
  // A run of some thousand operations must have seen it succeed, and be refused; false where that cannot be.
  bool may_succeed = true;
  bool may_be_refused = true;
};

std::span<const MixRow> OperationMix();

// One that leaves the executor alive; `*row` = which of OperationMix() it is.
Operation DrawOperation(Draw& draw, size_t* row);

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_OPERATION_MIX_H_
