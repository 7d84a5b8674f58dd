// ReleasePlan: when a heap gives free memory back to the OS, and how, as plain data (row 8 of the walk).
//
// Part of ReservationStrategy; carried out by PageHeap (page_heap_release_inl.h). Time is the trace's, told to the
// heap by Heap::Advance; kRate needs none.
//
// Values only: no ownership, no threads.
#ifndef REHEAP_ALLOC_RELEASE_PLAN_H_
#define REHEAP_ALLOC_RELEASE_PLAN_H_

#include <cstdint>

namespace reheap {

enum class ReleasePolicy : uint8_t {
  kNever,  // free memory is kept for ever
  kIdle,   // a span that was free for age_ns goes, looked at each tick_ns (Go 1.0 to 1.12)
  kRate,   // one heap page goes for each pages_freed_per_page that become free (gperftools)
  kDecay,  // free memory shrinks along a curve that ends decay_ns after it became free (jemalloc; decay_curve.h)
  kGoal,   // what is more than keep_percent of the heap in use goes, looked at each tick_ns (Go 1.13)
};

enum class ReleaseMethod : uint8_t {
  kDiscard,   // Os::Discard: linux MADV_DONTNEED, the commit charge stays; windows MEM_DECOMMIT
  kDecommit,  // Os::Decommit: PROT_NONE again, the commit charge goes back; used again: Os::Commit
};

struct ReleasePlan {
  ReleasePolicy policy = ReleasePolicy::kNever;
  ReleaseMethod method = ReleaseMethod::kDiscard;
  uint64_t tick_ns = 0;               // kIdle, kGoal: from one look to the next; 0 = whenever time is told
  uint64_t age_ns = 0;                // kIdle: 0 = whatever is free at the look
  uint64_t pages_freed_per_page = 0;  // kRate: > 0
  uint64_t decay_ns = 0;              // kDecay: > 0
  uint32_t keep_percent = 0;          // kGoal: of the heap pages in use

  // Whether the heap has to be told the time.
  bool is_timed() const { return policy != ReleasePolicy::kNever && policy != ReleasePolicy::kRate; }
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_RELEASE_PLAN_H_
