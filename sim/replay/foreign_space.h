// ForeignSpace: the address space of a replayed process as the traced program's own calls see it (row 6 of the
// walk).
//
// Beside Os, which is the heap's: here neighbours of the heap map and unmap, and none of it is counted as the
// heap's requests. Two worlds: real_foreign_space.h (a replay child on this kernel) and virtual_foreign_space.h.
// Pages are not touched: a foreign mapping costs address space and commit charge, no RSS.
//
// Threads: one.
#ifndef REHEAP_SIM_REPLAY_FOREIGN_SPACE_H_
#define REHEAP_SIM_REPLAY_FOREIGN_SPACE_H_

#include <cstdint>

#include "alloc/addr.h"
#include "alloc/os.h"
#include "sim/replay/foreign_op.h"

namespace reheap {

enum class ForeignHolder : uint8_t { kProgram, kThreadStack };

// What a foreign mapping is. A file is stood in for by memory of the same size and kind: private by private
// memory, shared by shared memory that is not charged (MAP_NORESERVE), since a file's pages are not.
struct ForeignTraits {
  int protection = 0;
  ForeignFlags flags;
  ForeignHolder holder = ForeignHolder::kProgram;
};

class ForeignSpace {
 public:
  virtual ~ForeignSpace() = default;
  virtual uint64_t os_page_bytes() const = 0;
  virtual bool has_break() const = 0;

  // Exactly there and over nothing: kAddressTaken or kOutOfUserRange when the place cannot be had, another
  // rule when the memory cannot.
  virtual OsResult<Done> MapAt(AddrRange range, const ForeignTraits& traits) = 0;
  virtual OsResult<Addr> MapAnywhere(uint64_t bytes, const ForeignTraits& traits) = 0;
  // The others are about ranges that MapAt or MapAnywhere made and Unmap did not take back.
  virtual OsResult<Done> MapOver(AddrRange range, const ForeignTraits& traits) = 0;
  virtual OsResult<Done> Unmap(AddrRange range) = 0;
  virtual OsResult<Done> Protect(AddrRange range, int protection) = 0;
  virtual OsResult<Done> Discard(AddrRange range) = 0;
  virtual OsResult<Done> MoveBreak(int64_t step_bytes) = 0;
};

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_FOREIGN_SPACE_H_
