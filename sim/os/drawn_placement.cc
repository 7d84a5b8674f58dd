#include "sim/os/drawn_placement.h"

#include <algorithm>

namespace reheap {

bool DrawnPlacement::Handles(const MapFlags& flags) const {
  const bool draws = s_.platform->placement.lottery != LotteryRule::kNone && s_.place_seed.has_value();
  return draws || flags.alignment_bytes != 0 || flags.end != 0 || flags.try_fixed;
}

uint64_t DrawnPlacement::Lot(uint64_t n) {
  if (!s_.place_seed || n < 2) return 0;
  if (!random_) random_.emplace(*s_.place_seed);
  return random_->Next() % n;
}

uint64_t DrawnPlacement::Alignment(const MapFlags& flags) const {
  return std::max(flags.alignment_bytes, s_.platform->machine.granularity_bytes);
}

std::optional<Addr> DrawnPlacement::Choose(Addr hint, uint64_t bytes, const MapFlags& flags) {
  if (bytes > s_.platform->machine.user_end) return std::nullopt;
  return s_.platform->placement.direction == Direction::kTopDown ? ChooseDown(hint, bytes, flags)
                                                                 : ChooseUp(hint, bytes, flags);
}

std::optional<Addr> DrawnPlacement::LowestFit(Addr from, Addr end, uint64_t bytes,
                                              uint64_t alignment_bytes) const {
  const Addr lowest = std::max(from, Addr(s_.platform->machine.user_start));
  return s_.space.LowestFit(lowest, end, bytes, alignment_bytes);
}

std::optional<Addr> DrawnPlacement::Draw(Addr from, Addr end, uint64_t bytes, uint64_t alignment_bytes) {
  const uint64_t page = s_.platform->machine.os_page_bytes, pages = s_.platform->placement.lottery_pages;
  switch (s_.platform->placement.lottery) {
    case LotteryRule::kPagesIntoTheGap: {
      // The gap must hold the drawn distance too; where there is none, plain first fit (vm_map_find,
      // sys/vm/vm_map.c, FreeBSD 12.3 to 14).
      if (!s_.place_seed) break;
      if (const auto gap = LowestFit(from, end, bytes + pages * page, page)) {
        return LowestFit(*gap + Lot(pages) * page, end, bytes, alignment_bytes);
      }
      break;
    }
    case LotteryRule::kFromARandomStart: {
      // No looking back below the start (uvm_map_hint, sys/uvm/uvm_map.c 1.338, and uaddr_rnd_select,
      // sys/uvm/uvm_addr.c, OpenBSD).
      uint64_t spacing = pages * page;
      while (from < end && spacing > end - from) spacing /= 2;
      return LowestFit(from + Lot(spacing / page) * page, end, bytes, alignment_bytes);
    }
    case LotteryRule::kNone:
      break;
  }
  return LowestFit(from, end, bytes, alignment_bytes);
}

std::optional<Addr> DrawnPlacement::ChooseUp(Addr hint, uint64_t bytes, const MapFlags& flags) {
  const Addr user_end(s_.platform->machine.user_end);
  const uint64_t alignment = Alignment(flags);
  if (flags.end != 0) {
    // From the hint, or from the bottom, and nowhere else (kern_mmap, sys/vm/vm_mmap.c, FreeBSD 12.3).
    const Addr end(std::min(flags.end, user_end.value()));
    const bool too_high = bytes > end.value() || hint > end - bytes;
    return Draw(too_high ? Addr() : hint, end, bytes, alignment);
  }
  const Addr from = s_.placement.Effective(hint);
  if (from && s_.platform->placement.hint == HintRule::kExactOrAnywhere) {
    const bool is_aligned = from.value() % alignment == 0 && from.value() <= user_end.value() - bytes;
    if (is_aligned && !s_.space.Overlaps({from, bytes})) return from;
  } else if (from) {
    if (const auto found = Draw(from, user_end, bytes, alignment)) return found;
  }
  return Draw(s_.placement.base(), user_end, bytes, alignment);
}

// Lower and lower gaps, the highest aligned start of each (uvm_map_findspace and uvm_map_space_avail,
// sys/uvm/uvm_map.c, NetBSD).
std::optional<Addr> DrawnPlacement::ChooseDown(Addr hint, uint64_t bytes, const MapFlags& flags) const {
  const Addr lowest(s_.platform->machine.user_start), user_end(s_.platform->machine.user_end);
  const Addr from = s_.placement.Effective(hint);
  const uint64_t alignment = Alignment(flags);
  // MAP_TRYFIXED keeps a hint that lies above the default range (sys_mmap, sys/uvm/uvm_mmap.c 1.153, NetBSD).
  const Addr most = from && flags.try_fixed ? user_end : s_.placement.base();
  if (bytes > most.value()) return std::nullopt;
  Addr top = from && from.value() <= most.value() - bytes ? from + bytes : most;
  for (;;) {
    const auto found = s_.space.HighestFit(lowest, top, bytes);
    if (!found) return std::nullopt;
    const Addr aligned = RoundDown(*found, alignment);
    if (aligned < lowest) return std::nullopt;
    const AddressSpace::Id id = s_.space.FirstEndingAbove(aligned);
    if (id == AddressSpace::kNone || s_.space.mapping(id).start >= aligned + bytes) return aligned;
    top = s_.space.mapping(id).start;
  }
}

}  // namespace reheap
