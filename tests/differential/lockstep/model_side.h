// Model side: what VirtualOs answers to an Operation, in the words of the executor.
//
// To add a kind of operation to the model: one function and its row in model_side.cc. Pure functions of the
// model: borrow it. Threads: one.
#ifndef REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_MODEL_SIDE_H_
#define REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_MODEL_SIDE_H_

#include "sim/os/virtual_os.h"
#include "tests/differential/lockstep/protocol.h"

namespace reheap {

// Carries it out and observes the model (`observe` as in protocol.h; smaps or not is one for the model).
Answer CarryOnModel(VirtualOs& os, const Operation& operation, uint32_t observe);

// Whether CarryOnModel knows that kind.
bool ModelKnows(OperationKind kind);

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_MODEL_SIDE_H_
