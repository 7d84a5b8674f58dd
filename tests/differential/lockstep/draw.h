// Draw: random places, lengths and numbers for operations, most of them near something that matters: an edge
// of a mapping, a huge page's, the search base, the stack, the ends of the address space.
//
// It goes by what the model has mapped; a place that it answers may be the executor's own, which is checked of
// a whole operation (guard). Borrows the model. Threads: one. The same seed and model give the same draws.
#ifndef REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_DRAW_H_
#define REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_DRAW_H_

#include <cstdint>
#include <initializer_list>
#include <random>
#include <vector>

#include "sim/os/virtual_os.h"
#include "tests/differential/lockstep/image_guard.h"
#include "tests/differential/lockstep/operation.h"

namespace reheap {

class Draw {
 public:
  static constexpr uint64_t kOsPage = 4096;
  static constexpr uint64_t kHuge = 2 * kMiB;

  // `base`: where the search for places begins.
  Draw(uint64_t seed, const VirtualOs* os, Addr base);

  // 0 .. n - 1.
  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Chance(unsigned percent) { return Below(100) < percent; }
  uint64_t OneOf(std::initializer_list<uint64_t> values) { return values.begin()[Below(values.size())]; }

  // A length: few pages mostly; around 2 MiB, 1 GiB and the ends of the address space now and then; sometimes
  // 0 or no whole number of pages.
  uint64_t Bytes();
  // Whole pages, few enough to be touched or locked.
  uint64_t SmallBytes() { return kOsPage * (1 + Below(16)); }
  // A range in, around or next to what was mapped lately; `aligned` = whole pages always.
  AddrRange Place(bool aligned = false);
  // For a call that prefers a place: mostly none.
  uint64_t Hint();
  // PROT_*: mostly none or read and write.
  uint64_t Protection() { return OneOf({0, 0, 1, 3, 3, 3, 3, 2, 7, 5}); }
  // Remembers a place that later operations should come back to.
  void Remember(uint64_t addr);

  // From how many mappings on wide ranges are unmapped: more of them make each comparison slow. A low limit of
  // the kernel's is met all the same.
  uint64_t most_mappings() const { return most_mappings_; }
  void set_most_mappings(uint64_t most) { most_mappings_ = most; }

  const ImageGuard& guard() const { return guard_; }
  const VirtualOs& os() const { return *os_; }
  Addr first_break() const { return first_break_; }
  uint64_t user_end() const { return user_end_; }
  // The largest address of the process's word.
  uint64_t word_mask() const { return word_mask_; }

 private:
  uint64_t NearBoundary();

  std::mt19937_64 random_;
  const VirtualOs* const os_;
  const ImageGuard guard_;
  const uint64_t base_;
  const uint64_t user_end_;
  const uint64_t word_mask_;
  Addr first_break_;
  uint64_t most_mappings_;
  std::vector<uint64_t> remembered_;  // a ring
  size_t next_remembered_ = 0;
};

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_DRAW_H_
