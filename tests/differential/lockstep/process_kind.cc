#include "tests/differential/lockstep/process_kind.h"

#include <sys/personality.h>

#include <algorithm>

#include "alloc/addr.h"
#include "alloc/check.h"
#include "sim/os/platform_catalog.h"

namespace reheap {
namespace {

constexpr uint64_t kUnlimitedStack = ~uint64_t{0};

constexpr ProcessKind kKinds[] = {
    {"amd64", 64, 0, 8 * kMiB},
    {"amd64_legacy", 64, ADDR_COMPAT_LAYOUT, 8 * kMiB},
    {"amd64_unlimited_stack", 64, 0, kUnlimitedStack},
    {"i386", 32, 0, 8 * kMiB},
    {"i386_3gb", 32, ADDR_LIMIT_3GB, 8 * kMiB},
    {"i386_legacy", 32, ADDR_COMPAT_LAYOUT, 8 * kMiB},
    {"i386_3gb_unlimited_stack", 32, ADDR_LIMIT_3GB, kUnlimitedStack},
};

}  // namespace

std::span<const ProcessKind> ProcessKinds() { return kKinds; }

const ProcessKind* FindProcessKind(std::string_view name) {
  const auto found = std::find_if(std::begin(kKinds), std::end(kKinds),
                                  [name](const ProcessKind& kind) { return kind.name == name; });
  return found == std::end(kKinds) ? nullptr : found;
}

Platform PlatformOf(const ProcessKind& kind, const std::string& release) {
  std::string name = kind.word_bits == 64 ? "linux-amd64" : "linux-386";
  if (!release.empty()) name += "@" + release;
  const Platform* const found = Platforms().Find(name);
  REHEAP_CHECK(found != nullptr);
  Platform platform = *found;
  if (kind.personality & ADDR_LIMIT_3GB) {
    // IA32_PAGE_OFFSET, and TASK_UNMAPPED_BASE a third of it (arch/x86/include/asm/page_64_types.h,
    // processor.h, linux 6.12).
    platform.machine.user_end = 0xc0000000;
    platform.placement.fallback_base = 0x40000000;
  }
  if (kind.personality & ADDR_COMPAT_LAYOUT) {
    // mmap_is_legacy: upward from mmap_legacy_base, and no second search (arch/x86/mm/mmap.c, linux 6.12).
    platform.placement.direction = Direction::kBottomUp;
    platform.placement.base = BaseRule::kFixedAddress;
    platform.placement.base_bytes = platform.placement.fallback_base;
    platform.placement.fallback_base = 0;
  }
  return platform;
}

}  // namespace reheap
