// DecayCurve: how much free memory a heap may keep while it decays (row 7 of the walk).
//
// The curve of jemalloc (5.3, src/decay.c and include/jemalloc/internal/smoothstep.h), from its description: time goes
// in 200 epochs of decay_ns / 200. What became free in one epoch may stay to the part
//
//   1 - s(x),  s(x) = 6 x^5 - 15 x^4 + 10 x^3,  x = epochs passed / 200
//
// so nothing is demanded at first, all of it after decay_ns, and the most in the middle. What is allocated again is
// not subtracted from the past: memory that comes and goes within an epoch is new only where free memory exceeds
// what it was allowed to be before. jemalloc draws a jitter for each deadline; here there is none, so that the same
// trace gives the same bytes.
//
// Values only. Threads: one. Integers alone, in 24 bits behind the point: the same on every machine.
#ifndef REHEAP_ALLOC_DECAY_CURVE_H_
#define REHEAP_ALLOC_DECAY_CURVE_H_

#include <algorithm>
#include <cstdint>

namespace reheap {

class DecayCurve {
 public:
  static constexpr uint64_t kEpochs = 200;

  // `now_ns`: when the first epoch begins. Preconditions: decay_ns > 0.
  void Start(uint64_t decay_ns, uint64_t now_ns) {
    epoch_ns_ = std::max<uint64_t>(1, decay_ns / kEpochs);
    began_ns_ = now_ns;
  }
  uint64_t epoch_ns() const { return epoch_ns_; }

  // The most pages that may be free now, of `free_pages` that are. Until an epoch has passed: all of them.
  uint64_t PagesToKeep(uint64_t now_ns, uint64_t free_pages) {
    if (now_ns < began_ns_ + epoch_ns_) return free_pages;
    const uint64_t passed = (now_ns - began_ns_) / epoch_ns_;
    began_ns_ += passed * epoch_ns_;
    Shift(passed);
    became_free_[kEpochs - 1] = free_pages > allowed_pages_ ? free_pages - allowed_pages_ : 0;
    uint64_t sum = 0;
    for (uint64_t n = 0; n < kEpochs; ++n) sum += became_free_[n] * Smooth(n + 1);
    const uint64_t keep_pages = sum >> kPointBits;
    allowed_pages_ = std::max(keep_pages, free_pages);
    return std::min(keep_pages, free_pages);
  }

  // s(steps / 200), times 2^24. Largest product: 200^5 * 2^24 * ... = 3.2e11 * 1.7e7 = 5.4e18 < 2^63.
  static constexpr uint64_t Smooth(uint64_t steps) {
    constexpr uint64_t kAll = kEpochs * kEpochs * kEpochs * kEpochs * kEpochs;
    const uint64_t cube = steps * steps * steps;
    const uint64_t s = cube * (6 * steps * steps + 10 * kEpochs * kEpochs - 15 * kEpochs * steps);
    return (s << kPointBits) / kAll;
  }
  static constexpr int kPointBits = 24;

 private:
  void Shift(uint64_t epochs) {
    if (epochs >= kEpochs) {
      std::fill(became_free_, became_free_ + kEpochs, 0);
      return;
    }
    std::copy(became_free_ + epochs, became_free_ + kEpochs, became_free_);
    std::fill(became_free_ + kEpochs - epochs, became_free_ + kEpochs, 0);
  }

  uint64_t epoch_ns_ = 1;
  uint64_t began_ns_ = 0;
  uint64_t allowed_pages_ = 0;  // what was free, or could have been, when the last epoch ended
  uint64_t became_free_[kEpochs] = {};  // pages, by epoch; the newest last
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_DECAY_CURVE_H_
