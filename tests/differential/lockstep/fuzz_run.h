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
  uint64_t placed_high = 0;  // above 2^47, where only five-level page tables have places
  uint64_t repeated = 0;  // processes that were begun anew, since the kernel meddled with their huge pages

  Tally();
  void Add(const Tally& other);
  uint64_t total() const;
  std::string ToString() const;
};

// OK when kernel and model agree to the end. kAborted when they part: the message is DescribeFailure of the
// minimised script, `*failing` (if any) the script as it was drawn.
absl::Status FuzzRun(const LockstepSetup& setup, uint64_t seed, uint64_t operations, Tally* tally,
                     Script* failing = nullptr);

// The same at the edge of vm.max_map_count: fills the process with mappings until the model says that there may be
// no more, draws operations there, fills again. The layout, which takes long to read, is compared at the end of
// each batch. A failure is not minimised: each candidate would have to be filled. kUnavailable where the limit is
// too high to fill.
absl::Status FuzzAtMappingLimit(const LockstepSetup& setup, uint64_t seed, uint64_t operations, Tally* tally);

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_FUZZ_RUN_H_
