// ForeignOp: an address-space call of the traced program itself, as a replay carries it out (row 6 of the walk).
//
// The program's own mmap, munmap, mprotect, madvise, mremap and brk, and the starts and ends of its threads.
// Not its malloc's: the recorder sees what goes through the dynamic linker, and glibc's malloc, its thread
// stacks and the loader call the kernel directly. An op is in words, not in numbers of the traced system, so
// that any platform can be asked for the same thing.
//
// Values only: no ownership, no threads.
#ifndef REHEAP_SIM_REPLAY_FOREIGN_OP_H_
#define REHEAP_SIM_REPLAY_FOREIGN_OP_H_

#include <cstdint>

namespace reheap {

enum class ForeignKind : uint8_t {
  kMap = 0,      // address (where the kernel put it), bytes, protection, flags
  kUnmap,        // address, bytes
  kProtect,      // address, bytes, protection
  kDiscard,      // address, bytes: MADV_DONTNEED; other advice changes nothing that is modelled
  kRemap,        // address, old_bytes -> new_address, bytes
  kBreak,        // address = the new break; step = by how much it moved, 0 = not known
  kThreadStart,  // thread
  kThreadEnd,    // thread
};

// What the flags of an mmap mean.
struct ForeignFlags {
  bool shared = false;
  bool fixed = false;       // replaces what is there
  bool file = false;        // not anonymous
  bool no_reserve = false;

  friend bool operator==(const ForeignFlags&, const ForeignFlags&) = default;
};

struct ForeignOp {
  ForeignKind kind = ForeignKind::kMap;
  uint8_t protection = 0;  // PROT_READ 1, PROT_WRITE 2, PROT_EXEC 4: the same numbers on all systems with mmap
  ForeignFlags flags;
  uint32_t thread = 0;
  uint64_t address = 0;  // recorded; so is new_address
  uint64_t bytes = 0;
  uint64_t old_bytes = 0;
  uint64_t new_address = 0;
  int64_t step = 0;
};

// The mmap flags of a linux system of the common numbering (include/uapi/asm-generic/mman-common.h and mman.h,
// linux 6.12): that of x86 and ARM, where the recorder runs. MAP_GROWSDOWN, MAP_LOCKED, MAP_POPULATE,
// MAP_STACK, MAP_HUGETLB and MAP_32BIT are not carried over: they change which pages are resident and where a
// place is looked for, and the place is known.
constexpr ForeignFlags DecodeLinuxMapFlags(uint32_t flags) {
  ForeignFlags meaning;
  meaning.shared = (flags & 0x3) != 0x2;  // MAP_SHARED 1, MAP_PRIVATE 2, MAP_SHARED_VALIDATE 3
  meaning.fixed = (flags & 0x10) != 0;
  meaning.file = (flags & 0x20) == 0;
  meaning.no_reserve = (flags & 0x4000) != 0;
  return meaning;
}
inline constexpr uint64_t kLinuxAdviceDiscard = 4;  // MADV_DONTNEED

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_FOREIGN_OP_H_
