// The words between a lockstep run and its executor: a batch of operations one way, their answers back.
//
// One executor serves one run over one socket: BatchHeader, then that many Operations; it answers that many
// Answers and waits again. Plain bytes of fixed sizes: the executor may be a 32-bit program. <stdint.h> only.
#ifndef REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_PROTOCOL_H_
#define REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_PROTOCOL_H_

#include <stdint.h>

#include "tests/differential/lockstep/operation.h"

namespace reheap {

inline constexpr uint32_t kMaxBatch = 256;

// What to observe after each operation.
inline constexpr uint32_t kObserveLayout = 1;  // mapping count and layout hash: reads /proc/self/maps
inline constexpr uint32_t kSyncCounters = 2;   // first, where each thread caches what it counts

struct BatchHeader {
  uint32_t operations = 0;  // 1 .. kMaxBatch; 0 = end
  uint32_t observe = 0;
};

struct Answer {
  uint64_t value = 0;  // the call's result; 0 when it failed
  uint32_t error = 0;  // errno, or kErrorSegmentationFault, kErrorBusError
  uint32_t mapping_count = 0;
  uint64_t layout_hash = 0;  // kObserveLayout: LayoutHash over the mappings, else 0
  uint64_t vsize_pages = 0;
  uint64_t data_pages = 0;  // VmData + VmStk
  uint64_t rss_anonymous_pages = 0;

  friend bool operator==(const Answer&, const Answer&) = default;
};
static_assert(sizeof(Answer) == 48);

// One number for a whole layout: the executor makes it of /proc/self/maps, the run of the model.
class LayoutHash {
 public:
  // `access`: 1 read, 2 write, 4 execute, 8 shared. `offset`: of a file's mapping, else 0.
  void Add(uint64_t start, uint64_t end, uint32_t access, uint64_t offset) {
    Mix(start);
    Mix(end);
    Mix(offset * 16 + access);
  }
  uint64_t value() const { return value_; }

 private:
  // Multiply by a large odd number and bring the high bits down, so that each bit counts.
  void Mix(uint64_t word) {
    value_ = (value_ ^ word) * 0x9e3779b97f4a7c15;
    value_ ^= value_ >> 29;
  }
  uint64_t value_ = 0;
};

// What a fork answers: the child's layout, sizes and anonymous RSS at its first instruction, in one number.
inline uint64_t ChildView(const Answer& child) {
  LayoutHash hash;
  hash.Add(child.layout_hash, child.mapping_count, 0, child.vsize_pages);
  hash.Add(child.data_pages, child.rss_anonymous_pages, 0, 0);
  return hash.value() >> 1;  // never the number of an error
}

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_PROTOCOL_H_
