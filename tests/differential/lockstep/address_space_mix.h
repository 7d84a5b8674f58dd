// The operations on address space beyond plain anonymous mmap: files, shared memory, mremap, stacks that grow
// anywhere, the low window. Rows of operation_mix.cc.
//
// Threads: as Draw.
#ifndef REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_ADDRESS_SPACE_MIX_H_
#define REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_ADDRESS_SPACE_MIX_H_

#include "tests/differential/lockstep/draw.h"
#include "tests/differential/lockstep/operation.h"

namespace reheap {

Operation MakeFile(Draw& d);
Operation MmapFile(Draw& d);
Operation MmapShared(Draw& d);
Operation MmapOddFlags(Draw& d);
Operation MmapGrowsDown(Draw& d);
Operation MmapLow(Draw& d);
Operation TouchBelowStack(Draw& d);
Operation ProtectStack(Draw& d);
Operation MremapAnywhere(Draw& d);
Operation MremapTo(Draw& d);
Operation MremapKeepingOld(Draw& d);
Operation MremapOdd(Draw& d);

// A move to a place where what the kernel answers depends on privileges (as mmap below the hint floor).
bool IsOddMove(const Operation& operation, const VirtualOs& os);
// Locked memory that would grow by more than a machine can fill: the kernel populates it, page by page, until its
// page tables are all of RAM.
bool GrowsLockedTooFar(const Operation& operation, const VirtualOs& os);

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_ADDRESS_SPACE_MIX_H_
