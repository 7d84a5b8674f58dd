// RangeTaker: gets ranges of address space in the ways that plans ask for (rows 8 and 9 of the walk).
//
// At a hint out of a list; at a multiple of an alignment, by mapping more and giving the rest back. What the
// OS does not take back is lost, and counted.
//
// Ownership: the ranges are the caller's. Threads: one. Limits: none of its own.
#ifndef REHEAP_ALLOC_RANGE_TAKER_H_
#define REHEAP_ALLOC_RANGE_TAKER_H_

#include <cstdint>

#include "alloc/addr.h"
#include "alloc/map_request.h"
#include "alloc/os.h"

namespace reheap {

// How many hints there are, and the n-th of them (0 <= n < count).
uint32_t HintCount(const HintList& hints);
Addr HintAt(const HintList& hints, uint32_t n, const Os& os);

Refusal AddressTaken(OsOperation operation, uint64_t bytes, Addr wanted, Addr obtained);

class RangeTaker {
 public:
  explicit RangeTaker(Os& os) : os_(&os) {}

  // The plainest call that does what `traits` say.
  OsResult<AddrRange> Take(uint64_t bytes, Addr hint, const MapTraits& traits);

  // `bytes` at a multiple of `alignment`, a power of two. Maps spare_bytes (0 = alignment) more where the OS
  // does not place it right by itself: the peak is that much higher for a moment.
  OsResult<AddrRange> TakeAligned(uint64_t bytes, uint64_t alignment, uint64_t spare_bytes,
                                  const MapTraits& traits);

  // Of the last TakeAligned that was granted: what it mapped began at a multiple already.
  bool spare_was_behind() const { return spare_was_behind_; }

  void ReleaseOrLose(AddrRange range);
  // What the OS did not take back.
  uint64_t lost_bytes() const { return lost_bytes_; }

 private:
  OsResult<AddrRange> TrimTo(AddrRange got, uint64_t bytes, uint64_t alignment);

  Os* os_;
  uint64_t lost_bytes_ = 0;
  bool spare_was_behind_ = false;
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_RANGE_TAKER_H_
