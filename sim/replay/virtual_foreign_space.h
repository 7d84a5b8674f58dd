// VirtualForeignSpace: foreign mappings of a simulated process, in the calls of its platform (row 6 of the
// walk, virtual world).
//
// On a platform with mmap each call is that call. On one that reserves and commits, a mapping is an
// allocation: inaccessible memory is reserved, accessible memory committed; a part that is unmapped is
// decommitted, and the allocation released with its last part; there is no break, and what the program added to
// it is mapped. On one that only grows, a mapping grows the memory, and nothing is given back.
//
// Borrows the VirtualOs. Threads: one.
#ifndef REHEAP_SIM_REPLAY_VIRTUAL_FOREIGN_SPACE_H_
#define REHEAP_SIM_REPLAY_VIRTUAL_FOREIGN_SPACE_H_

#include <cstdint>
#include <memory>

#include "sim/os/virtual_os.h"
#include "sim/replay/foreign_space.h"

namespace reheap {

// The one that fits the platform's calls. `os` is borrowed.
std::unique_ptr<ForeignSpace> MakeVirtualForeignSpace(VirtualOs* os);

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_VIRTUAL_FOREIGN_SPACE_H_
