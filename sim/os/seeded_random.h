// SeededRandom: the random numbers of modelled kernels: the same seed, the same draws, on every machine (row 9).
//
// splitmix64 (Steele, Lea, Flood, 2014): any seed, also 0, begins a good sequence. A value; no ownership, any
// thread. Not for secrets.
#ifndef REHEAP_SIM_OS_SEEDED_RANDOM_H_
#define REHEAP_SIM_OS_SEEDED_RANDOM_H_

#include <cstdint>

namespace reheap {

class SeededRandom {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // A whole number of `unit`s up to and including `most`, which is one, too.
  uint64_t UpTo(uint64_t most, uint64_t unit) { return Next() % (most / unit + 1) * unit; }

 private:
  uint64_t state_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_SEEDED_RANDOM_H_
