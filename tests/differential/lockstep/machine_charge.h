// MachineCharge: what the processes of this machine have committed, this one left out.
//
// Under overcommit 2 the sum of all decides. Where nothing else runs it also tells whether the kernel gave back what it
// charged. Function; threads: one. Limits: linux; exact only while this process maps nothing.
#ifndef REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_MACHINE_CHARGE_H_
#define REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_MACHINE_CHARGE_H_

#include <cstdint>

namespace reheap {

// Committed_AS less the charged mappings of this process.
uint64_t CommittedByOthers();

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_MACHINE_CHARGE_H_
