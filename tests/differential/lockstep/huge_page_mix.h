// HugePageMix: the rows of OperationMix() that make huge pages, cut them, and fill memory by them.
//
// Functions of the draw. Where huge pages are off for the process they are advice and touches like any other.
#ifndef REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_HUGE_PAGE_MIX_H_
#define REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_HUGE_PAGE_MIX_H_

#include "tests/differential/lockstep/draw.h"

namespace reheap {

// Private memory, writable mostly, of one to three huge pages and a bit.
Operation MmapForHugePages(Draw& d);
// MADV_HUGEPAGE mostly, of a whole mapping mostly.
Operation AdviseHugePages(Draw& d);
// One to four places, a huge page or so apart.
Operation TouchHugePages(Draw& d);
// Discards and frees in the middle of huge pages, moves of them.
Operation CutHugePages(Draw& d);

// A move that takes a huge page apart: the kernel remembers that the pieces are one block of memory, the model does not.
bool MovesPartOfAHugePage(const Operation& operation, const VirtualOs& os);
// Words that split huge pages, beside locked memory: what nobody wrote of it stays there, where else it becomes the zero
// page (try_to_map_unused_to_zeropage, mm/migrate.c, linux 6.12), which the model does not know.
bool SplitsBesideLockedMemory(const Operation& operation, const VirtualOs& os);

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_HUGE_PAGE_MIX_H_
