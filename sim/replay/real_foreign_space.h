// RealForeignSpace: foreign mappings of a replay child, by the running kernel (row 6 of the walk, real world).
//
// Every mapping is anonymous; none ever replaces what is not its own (MAP_FIXED_NOREPLACE, linux 4.17). The
// kernel gives an errno and no reason, so a refusal's rule is kUnknown but where the place is taken.
//
// Threads: one. Linux only.
#ifndef REHEAP_SIM_REPLAY_REAL_FOREIGN_SPACE_H_
#define REHEAP_SIM_REPLAY_REAL_FOREIGN_SPACE_H_

#include "sim/replay/foreign_space.h"

namespace reheap {

class RealForeignSpace final : public ForeignSpace {
 public:
  uint64_t os_page_bytes() const override;
  bool has_break() const override { return true; }
  OsResult<Done> MapAt(AddrRange range, const ForeignTraits& traits) override;
  OsResult<Addr> MapAnywhere(uint64_t bytes, const ForeignTraits& traits) override;
  OsResult<Done> MapOver(AddrRange range, const ForeignTraits& traits) override;
  OsResult<Done> Unmap(AddrRange range) override;
  OsResult<Done> Protect(AddrRange range, int protection) override;
  OsResult<Done> Discard(AddrRange range) override;
  OsResult<Done> MoveBreak(int64_t step_bytes) override;
};

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_REAL_FOREIGN_SPACE_H_
