// Placement: where a kernel puts a mapping that may go anywhere, by the platform's rules (row 9).
//
// Top-down highest fit or bottom-up lowest fit from a base, what a hint means, alignment to huge pages, the
// guard gap below a stack, and the second search when the first finds nothing. Looks at an AddressSpace,
// changes nothing.
//
// Values: no ownership beyond the platform pointer, any thread.
#ifndef REHEAP_SIM_OS_PLACEMENT_H_
#define REHEAP_SIM_OS_PLACEMENT_H_

#include <cstdint>
#include <optional>

#include "alloc/addr.h"
#include "sim/os/address_space.h"
#include "sim/os/platform.h"

namespace reheap {

// What is to be placed.
struct PlaceRequest {
  Addr hint;  // Effective; zero = anywhere
  uint64_t bytes = 0;
  bool is_low = false;    // MAP_32BIT: in the platform's low window
  bool above_4g = false;  // MAP_ABOVE4G
  // Whose offset decides the alignment to huge pages. Anonymous memory is aligned only without a hint and in
  // whole huge pages, files wherever a huge page of theirs fits, shared anonymous memory never.
  enum class Content : uint8_t { kAnonymous, kFile, kShared } content = Content::kAnonymous;
  uint64_t file_offset = 0;
};

class Placement {
 public:
  // `base` is where the search begins: its upper end top-down, its lower end bottom-up. A hint inside
  // `ignored_hints` counts as none.
  Placement(const Platform* platform, Addr base, AddrRange ignored_hints);

  // The rules of one process may differ from the catalogue's: what a probe of the running kernel found.
  void set_hint_floor(uint64_t address) { rules_.hint_floor = address; }
  void set_huge_alignment_bytes(uint64_t bytes) { rules_.huge_alignment_bytes = bytes; }

  Addr base() const { return base_; }
  // A hint after rounding and raising to the floor; zero = none.
  Addr Effective(Addr hint) const;
  // Preconditions: `hint` is Effective, `bytes` is in whole granules. nullopt: no gap fits (or, where hints
  // are exact or refused, the place is taken).
  std::optional<Addr> Choose(const AddressSpace& space, Addr hint, uint64_t bytes) const {
    return Choose(space, PlaceRequest{hint, bytes});
  }
  std::optional<Addr> Choose(const AddressSpace& space, const PlaceRequest& request) const;
  // The highest granule at which `bytes` fit below the end of the user range (MEM_TOP_DOWN).
  std::optional<Addr> HighestGranule(const AddressSpace& space, uint64_t bytes) const;

 private:
  // How far a request with `hint` may search: the window, or all of it.
  Addr EndFor(Addr hint) const { return hint > window_end_ ? user_end_ : window_end_; }
  bool IsHugeAligned(const PlaceRequest& request) const;
  // What the searches find, which may lie beyond the process (stack_guard_wraps).
  std::optional<Addr> ChooseAligned(const AddressSpace& space, const PlaceRequest& request) const;
  std::optional<Addr> Find(const AddressSpace& space, const PlaceRequest& request) const;
  std::optional<Addr> FindLow(const AddressSpace& space, const PlaceRequest& request) const;
  // Within EndFor(hint), which also raises the top of a top-down search.
  std::optional<Addr> Search(const AddressSpace& space, const PlaceRequest& request) const;
  std::optional<Addr> SearchDown(const AddressSpace& space, Addr lowest, Addr top, uint64_t bytes) const;
  std::optional<Addr> SearchUp(const AddressSpace& space, Addr from, Addr end, uint64_t bytes) const;
  bool IsFree(const AddressSpace& space, AddrRange range) const;

  Platform::Placement rules_;
  uint64_t page_bytes_;
  uint64_t granularity_bytes_;
  Addr user_start_;
  Addr user_end_;
  Addr window_end_;  // at most user_end_
  Addr base_;
  AddrRange ignored_hints_;
};

// The base of a process by the platform's rule. `data_start` = where the executable's data segment begins;
// `stack_slack_bytes` = how much lower than its highest place the stack may lie.
Addr PlacementBase(const Platform& platform, uint64_t stack_limit_bytes, Addr data_start,
                   uint64_t stack_slack_bytes = 0);

// The end of what a process uses without asking for more.
Addr WindowEnd(const Platform& platform);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PLACEMENT_H_
