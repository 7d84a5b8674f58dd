// Heap under a real `ulimit -v`: each case runs in a child with RLIMIT_AS, on the kernel itself.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "alloc/heap_direct.h"
#include "alloc/real_os.h"
#include "alloc/strategies_for_tests.h"

namespace reheap {
namespace {

// How a child ended: 0 as expected, else the number of the expectation that failed.
template <class Body>
int InChild(uint64_t more_vsize_bytes, Body body) {
  const pid_t child = fork();
  if (child == 0) {
    RealOs os;
    rlimit limit;
    limit.rlim_cur = limit.rlim_max = os.Usage().vsize_bytes + more_vsize_bytes;
    if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(100);
    _exit(body(os));
  }
  int status = 0;
  REHEAP_CHECK_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

using FlatHeap = Heap<DirectMemory, FlatPageMap>;
using RadixHeap = Heap<DirectMemory, Radix3PageMap>;

// The heap object itself is host memory, made before the limit bites. Never freed: the child exits.
template <class HeapT>
HeapT* MakeHeap(Os& os, const ReservationStrategy& strategy) {
  static DirectMemory memory;
  return new HeapT(os, memory, strategy);
}

TEST(HeapUnderALimit, Reserve17gDoesNotStartUnder4GiB) {
  const int failed = InChild(4 * kGiB, [](RealOs& os) {
    FlatHeap* heap = MakeHeap<FlatHeap>(os, Go201102Reserve17g());
    const OsResult<Done> started = heap->Start();
    if (started.ok()) return 1;
    if (started.refusal().operation != OsOperation::kReserve) return 2;
    if (started.refusal().asked_bytes != 17 * kGiB) return 3;
    if (started.refusal().os_error != ENOMEM) return 4;
    return 0;
  });
  EXPECT_EQ(failed, 0);
}

// Reservation, table, records, heap and bitmap: one page less than their sum is too little, the sum is
// enough.
template <class HeapT>
int StartsUnder(const ReservationStrategy& strategy, uint64_t more_bytes) {
  return InChild(more_bytes, [&](RealOs& os) {
    // Growing by malloc itself must not be what fails.
    HeapT* heap = MakeHeap<HeapT>(os, strategy);
    return heap->Start().ok() ? 0 : 1;
  });
}

TEST(HeapUnderALimit, TheSmallestLimitIsTheSumOfThePieces) {
  struct Case {
    ReservationStrategy strategy;
    uint64_t table_bytes;
    uint64_t sum_bytes;
  };
  const uint64_t records = 256 * kKiB, bitmap = 64 * kKiB;
  // The slack covers what the child's own malloc maps for the heap object.
  const uint64_t slack = sizeof(FlatHeap) + 256 * kKiB;
  const Case cases[] = {
      {Go201101Reserve16g(), 32 * kMiB, 16 * kGiB + records},
      {Go201102Reserve17g(), 32 * kMiB, 17 * kGiB + records},
      {Go201102Pretend(), 32 * kMiB, kMiB + bitmap + records},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(StartsUnder<FlatHeap>(c.strategy, c.table_bytes + c.sum_bytes + slack), 0) << c.strategy.name;
    EXPECT_EQ(StartsUnder<FlatHeap>(c.strategy, c.table_bytes + c.sum_bytes - 64 * kKiB), 1)
        << c.strategy.name;
  }
  // No BSS in RealOs: the radix root is mapped as well. The first growth may shrink to 1 MiB only (it is the
  // need).
  const uint64_t radix = 2 * kMiB + 3840 * kKiB;
  EXPECT_EQ(StartsUnder<RadixHeap>(Go2010Radix(), radix + slack), 0);
  EXPECT_EQ(StartsUnder<RadixHeap>(Go2010Radix(), radix - 64 * kKiB), 1);
}

TEST(HeapUnderALimit, PretendRunsIntoTheLimitAndLivesOn) {
  const int failed = InChild(100 * kMiB, [](RealOs& os) {
    FlatHeap* heap = MakeHeap<FlatHeap>(os, Go201102Pretend());
    if (!heap->Start().ok()) return 1;
    const CacheId cache = heap->NewCache().value();
    Addr last;
    int objects = 0;
    for (;; ++objects) {
      const Addr a = heap->Malloc(cache, kMiB, 1);
      if (!a) break;
      last = a;
    }
    // 100 MiB less 32 MiB of table leave some 60 objects of 1 MiB.
    if (objects < 55 || objects > 67) return 2;
    if (heap->last_refusal().os_error != ENOMEM) return 3;
    heap->CheckInvariants();
    if (heap->Free(cache, last) != FreeError::kNone) return 4;
    if (heap->Malloc(cache, kMiB, 1) != last) return 5;
    if (heap->Malloc(cache, kMiB, 1)) return 6;
    heap->CheckInvariants();
    return 0;
  });
  EXPECT_EQ(failed, 0);
}

TEST(HeapUnderALimit, PretendDiesNamingBothAddresses) {
  const int failed = InChild(4 * kGiB, [](RealOs& os) {
    FlatHeap* heap = MakeHeap<FlatHeap>(os, Go201102Pretend());
    if (!heap->Start().ok()) return 1;
    const CacheId cache = heap->NewCache().value();
    const Addr next(0xf840000000 + kMiB);
    void* squatter = mmap(reinterpret_cast<void*>(next.value()), 64 * kKiB, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (reinterpret_cast<uint64_t>(squatter) != next.value()) return 2;
    if (heap->Malloc(cache, 2 * kMiB, 1)) return 3;
    const Refusal& refusal = heap->last_refusal();
    if (refusal.rule != Rule::kAddressTaken) return 4;
    if (refusal.wanted != next) return 5;
    if (!refusal.obtained || refusal.obtained == next) return 6;
    // What there is can still be used.
    if (!heap->Malloc(cache, 100, 1)) return 7;
    heap->CheckInvariants();
    return 0;
  });
  EXPECT_EQ(failed, 0);
}

}  // namespace
}  // namespace reheap
