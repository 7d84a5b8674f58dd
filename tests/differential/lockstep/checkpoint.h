// Checkpoint: a modelled process against all that /proc/PID tells of a real one: every mapping, commit charge, huge
// pages, and the sums of status.
//
// Functions; threads: any. Too slow to be asked after each operation: smaps walks every page table.
#ifndef REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_CHECKPOINT_H_
#define REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_CHECKPOINT_H_

#include <optional>
#include <string>

#include "sim/os/virtual_os.h"

namespace reheap {

// Of an idle process.
struct ProcTexts {
  std::string smaps;
  std::string status;
};

struct ProcDifference {
  std::string what;    // "layout", "commit charge", "VmPTE"
  std::string detail;  // both numbers
};

// The first one, or none.
std::optional<ProcDifference> CompareWithProc(const ProcTexts& proc, const VirtualOs& model);

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_CHECKPOINT_H_
