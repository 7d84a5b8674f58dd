// FuzzRun: operations of one seed on one LockstepPair, and a failure made short.
//
// Threads: one. The same seed, setup and executor draw the same operations.
#ifndef REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_FUZZ_RUN_H_
#define REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_FUZZ_RUN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/differential/lockstep/lockstep_pair.h"
#include "tests/differential/lockstep/minimiser.h"

namespace reheap {

// How often each row of OperationMix() was granted and refused: a run that compares nothing of a kind proves
// nothing about it.
struct Tally {
  std::vector<uint64_t> granted;
  std::vector<uint64_t> refused;

  Tally();
  void Add(const Tally& other);
  uint64_t total() const;
  std::string ToString() const;
};

// OK when kernel and model agree to the end. kAborted when they part: the message is DescribeFailure of the
// minimised script, `*failing` (if any) the script as it was drawn.
absl::Status FuzzRun(const LockstepSetup& setup, uint64_t seed, uint64_t operations, Tally* tally,
                     Script* failing = nullptr);

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_FUZZ_RUN_H_
