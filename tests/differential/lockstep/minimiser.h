// Minimiser: the shortest script that still makes kernel and model part, and the report of it.
//
// Every candidate runs on a fresh executor and a fresh model, so what is left is a reproduction, not a guess:
// first operations are left out (delta debugging), then arguments become simpler. Threads: one. Limits: some
// hundred runs of a few ms each.
#ifndef REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_MINIMISER_H_
#define REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_MINIMISER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/differential/lockstep/lockstep_pair.h"
#include "tests/differential/lockstep/operation.h"

namespace reheap {

using Script = std::vector<Operation>;

// Where the two part, comparing after every single operation (with /proc's slower numbers, too); nullopt when
// they agree to the end.
absl::StatusOr<std::optional<Mismatch>> ReplayScript(const LockstepSetup& setup, const Script& script);

// The same as `script` or shorter; still fails if `script` does. `runs` = how many replays that took.
Script Minimise(const LockstepSetup& setup, const Script& script, int* runs = nullptr);

// For people: the lines, what each side answered at the last, both layouts around it, kernel and kind.
std::string DescribeFailure(const LockstepSetup& setup, const Script& script);

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_MINIMISER_H_
