#include "sim/os/process_layout.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "sim/os/seeded_random.h"

namespace reheap {
namespace {

bool IsStack(const ImageMapping& m) { return m.name.rfind("[stack", 0) == 0; }
// The kernel's own pages, which exec places like any mapping without a hint.
bool IsKernels(const ImageMapping& m) {
  return !m.name.empty() && m.name[0] == '[' && !IsStack(m) && m.name != "[heap]" &&
         m.name.rfind("[anon", 0) != 0;
}

uint64_t BaseRandomBytes(const Platform& platform, uint64_t bits) {
  return ((uint64_t{1} << bits) - 1) * platform.machine.os_page_bytes;
}

bool IsLegacy(const Platform::Placement& rules, const ProcessLayout& layout, bool stack_unlimited) {
  if (!rules.legacy) return false;
  const bool asked = rules.personality && (layout.personality & rules.personality->compat_layout) != 0;
  // mmap_is_legacy, arch/x86/mm/mmap.c and mm/util.c, linux 6.12: they differ in the unlimited stack.
  return asked || layout.legacy_va_layout || (stack_unlimited && rules.legacy->when_stack_unlimited);
}

// A process whose addresses end at `user_end` (IA32_PAGE_OFFSET, arch/x86/include/asm/page_64_types.h, 6.12).
void LimitAddresses(uint64_t user_end, Platform* platform) {
  platform->machine.user_end = user_end;
  platform->placement.window_end = 0;
  if (platform->placement.legacy) {
    platform->placement.fallback_base =
        RoundUp(user_end / platform->placement.legacy->divisor, platform->machine.os_page_bytes);
  }
}

void SearchUpwards(LaidProcess* laid, uint64_t from) {
  laid->platform.placement.direction = Direction::kBottomUp;
  laid->platform.placement.fallback_base = 0;  // one search
  laid->base = Addr(from);
}

// The lines of `image` that exec, ld.so or the program put where the search found room: not the executable
// with its BSS and heap, not the stack.
std::vector<ImageMapping> Placed(const std::vector<ImageMapping>& image) {
  const ImageMapping* program = ProgramOf(image);
  std::vector<ImageMapping> placed;
  Addr program_end;
  for (const ImageMapping& m : image) {
    const bool bss = m.start == program_end && !IsFile(m) && !IsKernels(m);
    const bool own = program != nullptr && (m.name == program->name || bss);
    if (own) program_end = m.end;
    if (!own && !IsStack(m) && m.name != "[heap]") placed.push_back(m);
  }
  return placed;
}

// The highest end in [lowest, highest]; zero = none.
Addr HighestEnd(const std::vector<ImageMapping>& mappings, Addr lowest, Addr highest) {
  Addr top;
  for (const ImageMapping& m : mappings) {
    if (m.end >= lowest && m.end <= highest) top = std::max(top, m.end);
  }
  return top;
}

}  // namespace

const ImageMapping* ProgramOf(const std::vector<ImageMapping>& image) {
  const auto heap =
      std::find_if(image.begin(), image.end(), [](const auto& m) { return m.name == "[heap]"; });
  const auto before_heap = std::find_if(std::make_reverse_iterator(heap), image.rend(), IsFile);
  if (heap != image.end() && before_heap != image.rend()) return &*before_heap;
  const auto first = std::find_if(image.begin(), image.end(), IsFile);
  return first == image.end() ? nullptr : &*first;
}

LaidProcess LayProcess(const Platform& platform, const ProcessLayout& layout,
                       std::optional<uint64_t> stack_limit_bytes, Addr data_start) {
  LaidProcess laid{platform, Addr(), 0, 0};
  Platform::Placement& rules = laid.platform.placement;
  const auto& bits = platform.placement.personality;
  if (bits && (layout.personality & bits->limit) != 0) LimitAddresses(bits->limited_user_end, &laid.platform);
  uint64_t base_lowered = 0, stack_slack = 0;
  const bool randomised =
      layout.aslr_seed && rules.randomisation && !(bits && (layout.personality & bits->no_randomize) != 0);
  if (randomised) {
    const Randomisation& r = *rules.randomisation;
    const uint64_t page = platform.machine.os_page_bytes;
    SeededRandom random(*layout.aslr_seed);
    base_lowered = random.UpTo(BaseRandomBytes(platform, r.base_bits), page);
    laid.stack_lowered_bytes = random.UpTo(r.stack_bytes, page);
    laid.break_raised_bytes = r.break_bytes == 0 ? 0 : page + random.UpTo(r.break_bytes - page, page);
    stack_slack = r.stack_bytes;
    if (r.moves_fallback) rules.fallback_base += base_lowered;
  }
  const uint64_t stack = stack_limit_bytes.value_or(~uint64_t{0});
  laid.base = PlacementBase(laid.platform, stack, data_start, stack_slack);
  if (IsLegacy(rules, layout, !stack_limit_bytes)) {
    // TASK_UNMAPPED_BASE + what the base would have been lowered by (arch/x86/mm/mmap.c, mm/util.c,
    // linux 6.12).
    const bool moved = randomised && rules.randomisation->moves_fallback;
    SearchUpwards(&laid, rules.fallback_base + (moved ? 0 : base_lowered));
  } else {
    laid.base = laid.base - base_lowered;
  }
  const uint64_t granule = platform.machine.granularity_bytes;
  if (layout.aslr_seed && platform.reservations.random_granules != 0) {
    laid.base = laid.base + SeededRandom(*layout.aslr_seed)
                                .UpTo((platform.reservations.random_granules - 1) * granule, granule);
  }
  return laid;
}

std::vector<ImageMapping> LayImage(const LaidProcess& laid, std::vector<ImageMapping> image) {
  AddressSpace space(laid.platform.mappings.merge, true);
  const Addr stack_top = WindowEnd(laid.platform) - laid.stack_lowered_bytes;
  uint64_t kernels_bytes = 0;
  Addr old_top;
  for (const ImageMapping& m : image) {
    if (IsStack(m)) old_top = m.end;
  }
  for (ImageMapping& m : image) {
    if (IsKernels(m)) {
      kernels_bytes += m.end - m.start;
      continue;
    }
    MappingTraits traits;
    if (IsStack(m)) {
      traits.kind = MappingKind::kStack;
      m.start = stack_top - (old_top - m.start);
      m.end = stack_top - (old_top - m.end);
    }
    space.InsertImage({m.start, m.end - m.start}, traits, false);
  }
  // One piece, its parts in their order (map_vdso, arch/x86/entry/vdso/vma.c; measured on 6.18, all layouts).
  if (kernels_bytes != 0) {
    const Placement placement(&laid.platform, laid.base, {});
    Addr at = placement.Choose(space, Addr(), kernels_bytes).value_or(laid.base);
    for (ImageMapping& m : image) {
      if (!IsKernels(m)) continue;
      const uint64_t bytes = m.end - m.start;
      m.start = at;
      m.end = at = at + bytes;
    }
  }
  std::sort(image.begin(), image.end(), [](const auto& a, const auto& b) { return a.start < b.start; });
  return image;
}

LaidProcess LearnLayout(const Platform& platform, const ProcessLayout& layout,
                        std::optional<uint64_t> stack_limit_bytes, Addr data_start,
                        const std::vector<ImageMapping>& image) {
  ProcessLayout plain = layout;
  plain.aslr_seed.reset();
  const auto& bits = platform.placement.personality;
  const auto stack = std::find_if(image.begin(), image.end(), IsStack);
  // No randomisation lowers a stack by a gigabyte.
  if (bits && bits->limit != 0 && stack != image.end() && stack->end.value() <= bits->limited_user_end) {
    plain.personality |= static_cast<uint32_t>(bits->limit);
  }
  LaidProcess laid = LayProcess(platform, plain, stack_limit_bytes, data_start);
  const Platform::Placement& rules = laid.platform.placement;
  if (!rules.randomisation || rules.base != BaseRule::kBelowStackLimit) return laid;

  const uint64_t random_bytes = BaseRandomBytes(platform, rules.randomisation->base_bits_most);
  const std::vector<ImageMapping> placed = Placed(image);
  const bool upwards = rules.direction == Direction::kBottomUp;
  if (!upwards) {
    // The first of them ended at the base, and whatever else has none lies below. Should the stack limit at
    // exec have been another one: anywhere that some stack limit allows.
    const uint64_t stack_bytes = stack_limit_bytes.value_or(~uint64_t{0});
    const Addr rule = PlacementBase(laid.platform, stack_bytes, data_start, rules.randomisation->stack_bytes);
    const Addr lowest = rule - std::min(random_bytes, rule.value() / 2);
    Addr top = HighestEnd(placed, lowest, laid.base);
    if (!top) top = HighestEnd(placed, lowest, PlacementBase(laid.platform, 0, data_start));
    if (top) {
      laid.base = top;
      // Both bases were moved by the same draw (arch_pick_mmap_base, arch/x86/mm/mmap.c, linux 6.12).
      const bool randomised = stack != image.end() && stack->end != WindowEnd(laid.platform);
      if (randomised && rules.randomisation->moves_fallback && top <= rule) {
        laid.platform.placement.fallback_base += rule - top;
      }
      return laid;
    }
  }
  const Addr legacy = upwards ? laid.base : Addr(rules.fallback_base);
  for (const ImageMapping& m : placed) {
    if (!rules.legacy || m.start < legacy || m.start - legacy > random_bytes) continue;
    SearchUpwards(&laid, m.start.value());
    break;
  }
  return laid;
}

}  // namespace reheap
