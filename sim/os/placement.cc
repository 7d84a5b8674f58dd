#include "sim/os/placement.h"

#include <algorithm>

namespace reheap {

Addr WindowEnd(const Platform& platform) {
  const uint64_t window = platform.placement.window_end;
  return Addr(window == 0 ? platform.machine.user_end : window);
}

Addr PlacementBase(const Platform& platform, uint64_t stack_limit_bytes, Addr data_start,
                   uint64_t stack_slack_bytes) {
  const Platform::Placement& rules = platform.placement;
  switch (rules.base) {
    case BaseRule::kBelowStackLimit: {
      // mmap_base, arch/x86/mm/mmap.c:82 and mm/util.c, linux 6.12: at least 128 MiB (base_bytes) and at most
      // five sixths of the window are left to the stack; a limit near infinity overflows there.
      const uint64_t window = WindowEnd(platform).value();
      const uint64_t pad = rules.stack_guard_bytes + stack_slack_bytes;
      const uint64_t wanted = stack_limit_bytes > window ? window : stack_limit_bytes + pad;
      const uint64_t most = window / 6 * 5;
      const uint64_t gap = std::clamp(wanted, std::min(rules.base_bytes, most), most);
      return RoundUp(Addr(window - gap), platform.machine.os_page_bytes);
    }
    case BaseRule::kAboveData:  // round_page(vm_daddr + max RLIMIT_DATA), vm_mmap.c:300, FreeBSD 12.3
      return RoundUp(data_start + rules.base_bytes, platform.machine.os_page_bytes);
    case BaseRule::kFixedAddress:
      break;
  }
  return Addr(rules.base_bytes);
}

Placement::Placement(const Platform* platform, Addr base, AddrRange ignored_hints)
    : rules_(platform->placement),
      page_bytes_(platform->machine.os_page_bytes),
      granularity_bytes_(platform->machine.granularity_bytes),
      user_start_(platform->machine.user_start),
      user_end_(platform->machine.user_end),
      window_end_(WindowEnd(*platform)),
      base_(base),
      ignored_hints_(ignored_hints) {}

Addr Placement::Effective(Addr hint) const {
  // round_hint_to_min, mm/mmap.c, linux 6.12; kern_mman.c:241, xnu-11417 (up); vm_mmap.c, FreeBSD 12.3
  // (down).
  Addr a = rules_.hint_rounding == HintRounding::kUp ? RoundUp(hint, page_bytes_)
                                                     : RoundDown(hint, granularity_bytes_);
  if (a && a.value() < rules_.hint_floor) a = RoundUp(Addr(rules_.hint_floor), page_bytes_);
  if (rules_.hint_in_data_ignored && ignored_hints_.Contains(a)) a = Addr();
  return a;
}

// Free, and not in the guard gap of a stack above it (vm_start_gap, include/linux/mm.h, linux 6.12).
bool Placement::IsFree(const AddressSpace& space, AddrRange range) const {
  const AddressSpace::Id id = space.FirstEndingAbove(range.start);
  if (id == AddressSpace::kNone) return true;
  const Mapping& above = space.mapping(id);
  const uint64_t guard = GrowsDown(above.traits) ? rules_.stack_guard_bytes : 0;
  return range.end() <= above.start - std::min(guard, above.start.value());
}

// Whether a place at a huge page is looked for first (__get_unmapped_area, mm/mmap.c: anonymous memory;
// __thp_get_unmapped_area, mm/huge_memory.c, which ext4, xfs and btrfs name as theirs: files; linux 6.12).
bool Placement::IsHugeAligned(const PlaceRequest& request) const {
  const uint64_t huge = rules_.huge_alignment_bytes;
  if (huge == 0 || request.bytes + huge < request.bytes) return false;
  switch (request.content) {
    case PlaceRequest::Content::kAnonymous:
      return !rules_.huge_alignment_for_files_only && !request.hint && request.bytes % huge == 0;
    case PlaceRequest::Content::kFile: {
      // Offsets are signed there (loff_t), the difference is not: near 2^63 every request passes. Found in
      // lockstep with 6.18.
      const uint64_t first = RoundUp(request.file_offset, huge), end = request.file_offset + request.bytes;
      return static_cast<int64_t>(end) > static_cast<int64_t>(first) && end - first >= huge;
    }
    case PlaceRequest::Content::kShared:
      break;
  }
  return false;
}

std::optional<Addr> Placement::Choose(const AddressSpace& space, const PlaceRequest& request) const {
  const std::optional<Addr> found = ChooseAligned(space, request);
  // get_unmapped_area, mm/mmap.c, linux 6.12: a place that was found and cannot be is refused, not looked for again.
  return found && *found > user_end_ - request.bytes ? std::nullopt : found;
}

std::optional<Addr> Placement::ChooseAligned(const AddressSpace& space, const PlaceRequest& request) const {
  if (IsHugeAligned(request)) {
    // Needs a gap one huge page larger. The lowest aligned start inside it; top-down never the gap's own start,
    // although aligned (6.1: that, too); or the hint when so much is free there (__thp_get_unmapped_area,
    // mm/huge_memory.c, linux 6.12 and 6.1).
    const uint64_t huge = rules_.huge_alignment_bytes;
    PlaceRequest padded = request;
    padded.bytes += huge;
    if (const auto found = Find(space, padded)) {
      if (request.hint && *found == request.hint) return found;
      const uint64_t up = (request.file_offset - found->value()) % huge;
      const bool skips_start = rules_.direction == Direction::kTopDown && !rules_.huge_aligned_at_gap_start;
      return up == 0 && skips_start ? *found + huge : *found + up;
    }
  }
  return Find(space, request);
}

std::optional<Addr> Placement::Find(const AddressSpace& space, const PlaceRequest& request) const {
  if (request.is_low) return FindLow(space, request);
  const Addr hint = request.hint;
  const uint64_t room = EndFor(hint).value(), bytes = request.bytes;
  if (bytes > room) return std::nullopt;
  // What would cross the end of the window is no hint (mmap_address_hint_valid, arch/x86/mm/mmap.c:209;
  // arch_get_mmap_end, arch/arm64/include/asm/processor.h, linux 6.12).
  const bool fits = hint && hint.value() <= room - bytes;
  switch (rules_.hint) {
    case HintRule::kExactOrAnywhere:
      if (fits && IsFree(space, {hint, bytes})) return hint;
      break;
    case HintRule::kExactOrRefused:
      if (!hint) break;
      if (fits && IsFree(space, {hint, bytes})) return hint;
      return std::nullopt;
    case HintRule::kLowerBound:
      if (!fits) break;
      if (const auto found = SearchUp(space, hint, Addr(room), bytes)) return found;
      break;
    case HintRule::kUpperBound:
      return SearchDown(space, Addr(), fits ? std::min(base_, hint + bytes) : base_, bytes);
  }
  return Search(space, request);
}

// The hint when it lies below the window's end, else bottom-up in the window (arch_get_unmapped_area,
// arch/x86/kernel/sys_x86_64.c, linux 6.12; under randomisation the kernel draws the window's start anew for
// each call: find_start_end, the same file).
std::optional<Addr> Placement::FindLow(const AddressSpace& space, const PlaceRequest& request) const {
  const Addr end(rules_.low_window_end), hint = request.hint;
  if (request.bytes > end.value()) return std::nullopt;
  if (hint && hint <= end - request.bytes && IsFree(space, {hint, request.bytes})) return hint;
  return SearchUp(space, Addr(rules_.low_window_start), end, request.bytes);
}

std::optional<Addr> Placement::Search(const AddressSpace& space, const PlaceRequest& request) const {
  const Addr end = EndFor(request.hint);
  const uint64_t bytes = request.bytes;
  if (bytes > end.value()) return std::nullopt;
  if (rules_.direction == Direction::kBottomUp) {
    if (const auto found = SearchUp(space, base_, end, bytes)) return found;
    return rules_.fallback_base == 0 ? std::nullopt : SearchUp(space, Addr(rules_.fallback_base), end, bytes);
  }
  const Addr lowest(request.above_4g ? 4 * kGiB : 0);
  if (const auto found = SearchDown(space, lowest, base_ + (end - window_end_), bytes)) return found;
  // arch_get_unmapped_area_topdown falls back to bottom-up from the legacy base (sys_x86_64.c, linux 6.12).
  return SearchUp(space, Addr(rules_.fallback_base), end, bytes);
}

std::optional<Addr> Placement::SearchDown(const AddressSpace& space, Addr lowest, Addr top, uint64_t bytes) const {
  lowest = std::max({lowest, user_start_, Addr(std::max(rules_.hint_floor, page_bytes_))});
  for (;;) {
    const auto found = space.HighestFit(lowest, top, bytes);
    if (!found || IsFree(space, {*found, bytes})) return found;
    // In a stack's guard gap: again below it (unmapped_area_topdown, mm/mmap.c, linux 6.12).
    const Addr stack = space.mapping(space.FirstEndingAbove(*found)).start;
    if (rules_.stack_guard_wraps && stack.value() <= rules_.stack_guard_bytes) return Addr() - bytes;
    top = stack - std::min(rules_.stack_guard_bytes, stack.value());
  }
}

std::optional<Addr> Placement::HighestGranule(const AddressSpace& space, uint64_t bytes) const {
  const uint64_t granules = RoundUp(bytes, granularity_bytes_);
  if (granules < bytes) return std::nullopt;
  Addr top = RoundDown(user_end_, granularity_bytes_);
  for (;;) {
    const auto found = space.HighestFit(user_start_, top, granules);
    if (!found || found->value() % granularity_bytes_ == 0) return found;
    // The mapping above does not begin on a granule: again below the granule that it begins in.
    top = RoundDown(*found + granules, granularity_bytes_);
  }
}

std::optional<Addr> Placement::SearchUp(const AddressSpace& space, Addr from, Addr end,
                                        uint64_t bytes) const {
  Addr lowest = std::max(from, user_start_);
  const uint64_t granules = RoundUp(bytes, granularity_bytes_);
  for (;;) {
    const auto found = space.LowestFit(lowest, end, granules, granularity_bytes_);
    if (!found || IsFree(space, {*found, bytes})) return found;
    lowest = space.mapping(space.FirstEndingAbove(*found)).end;
  }
}

}  // namespace reheap
