// CpuClock: the CPU time of this thread, for figures of the real world (row 10 of the walk).
//
// A pure read of the kernel's clock, about 0.2 us. Any thread. Linux only.
#ifndef REHEAP_SIM_METRICS_CPU_CLOCK_H_
#define REHEAP_SIM_METRICS_CPU_CLOCK_H_

#include <time.h>

#include <cstdint>

namespace reheap {

inline uint64_t ThreadCpuNs() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace reheap

#endif  // REHEAP_SIM_METRICS_CPU_CLOCK_H_
