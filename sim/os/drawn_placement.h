// DrawnPlacement: where a mapping goes when the kernel draws lots for each call, or when the program asks for
// an alignment or an upper end (row 9).
//
// Takes the place of Placement::Choose for such requests; the rules are the platform's (Placement.lottery and
// MapFlagRules in proto/platform.proto). It draws from a seed: the same seed gives the same places, a real
// process other ones. Without a seed nothing is random and the lowest place of the lottery's range wins.
//
// Ownership: none; the state outlives it. Threads: one. Limits: O(log n) for each gap that fits but for its
// alignment.
#ifndef REHEAP_SIM_OS_DRAWN_PLACEMENT_H_
#define REHEAP_SIM_OS_DRAWN_PLACEMENT_H_

#include <cstdint>
#include <optional>

#include "sim/os/map_flags.h"
#include "sim/os/process_state.h"
#include "sim/os/seeded_random.h"

namespace reheap {

class DrawnPlacement {
 public:
  explicit DrawnPlacement(const ProcessState* state) : s_(*state) {}

  // Whether such a request is placed here, not by Placement.
  bool Handles(const MapFlags& flags) const;
  // As Placement::Choose. `hint` is what the program passed.
  std::optional<Addr> Choose(Addr hint, uint64_t bytes, const MapFlags& flags);

 private:
  std::optional<Addr> ChooseUp(Addr hint, uint64_t bytes, const MapFlags& flags);
  std::optional<Addr> ChooseDown(Addr hint, uint64_t bytes, const MapFlags& flags) const;
  std::optional<Addr> Draw(Addr from, Addr end, uint64_t bytes, uint64_t alignment_bytes);
  std::optional<Addr> LowestFit(Addr from, Addr end, uint64_t bytes, uint64_t alignment_bytes) const;
  uint64_t Alignment(const MapFlags& flags) const;
  // Below `n`; 0 without a seed.
  uint64_t Lot(uint64_t n);

  const ProcessState& s_;
  std::optional<SeededRandom> random_;  // of the process's place_seed, once something was drawn
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_DRAWN_PLACEMENT_H_
