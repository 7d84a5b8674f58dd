// BlockBits: one bit for each of 512 neighbouring blocks of a simulated address space (row 9).
//
// What PageBits keeps of its blocks, and OsPageTree of the leaves of a branch. Ranges are set, cleared and walked by
// words of 64.
//
// Values; threads: one.
#ifndef REHEAP_SIM_OS_BLOCK_BITS_H_
#define REHEAP_SIM_OS_BLOCK_BITS_H_

#include <array>
#include <bit>
#include <cstdint>

namespace reheap {

class BlockBits {
 public:
  static constexpr uint64_t kBits = 512;

  bool Has(uint64_t i) const { return word_[i / 64] >> (i % 64) & 1; }
  // Returns whether it is new.
  bool Set(uint64_t i) {
    const uint64_t bit = uint64_t{1} << (i % 64);
    const bool is_new = (word_[i / 64] & bit) == 0;
    word_[i / 64] |= bit;
    return is_new;
  }
  // Returns whether it was there.
  bool Clear(uint64_t i) { return ClearAll(i, i) != 0; }
  // Bits first .. last; return how many changed.
  uint64_t SetAll(uint64_t first, uint64_t last) {
    uint64_t changed = 0;
    for (uint64_t w = first / 64; w <= last / 64; ++w) {
      const uint64_t mask = Mask(w, first, last);
      changed += static_cast<uint64_t>(std::popcount(mask & ~word_[w]));
      word_[w] |= mask;
    }
    return changed;
  }
  uint64_t ClearAll(uint64_t first, uint64_t last) {
    uint64_t changed = 0;
    for (uint64_t w = first / 64; w <= last / 64; ++w) {
      const uint64_t mask = Mask(w, first, last);
      changed += static_cast<uint64_t>(std::popcount(mask & word_[w]));
      word_[w] &= ~mask;
    }
    return changed;
  }
  // Calls visit(i) for each of first .. last that is set, in rising order; `visit` may clear that one.
  template <class Visit>
  void ForEach(uint64_t first, uint64_t last, Visit visit) const {
    for (uint64_t w = first / 64; w <= last / 64; ++w) {
      for (uint64_t left = word_[w] & Mask(w, first, last); left != 0; left &= left - 1) {
        visit(w * 64 + static_cast<uint64_t>(std::countr_zero(left)));
      }
    }
  }
  uint64_t count() const {
    uint64_t count = 0;
    for (const uint64_t word : word_) count += static_cast<uint64_t>(std::popcount(word));
    return count;
  }
  bool none() const {
    uint64_t any = 0;
    for (const uint64_t word : word_) any |= word;
    return any == 0;
  }

 private:
  // Of word `w`, the bits in first .. last.
  static uint64_t Mask(uint64_t w, uint64_t first, uint64_t last) {
    const uint64_t from = w == first / 64 ? ~uint64_t{0} << (first % 64) : ~uint64_t{0};
    const uint64_t to = w == last / 64 ? ~uint64_t{0} >> (63 - last % 64) : ~uint64_t{0};
    return from & to;
  }

  std::array<uint64_t, kBits / 64> word_{};
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_BLOCK_BITS_H_
