#include "tests/differential/lockstep/process_kind.h"

#include <sys/personality.h>

#include <algorithm>

#include "alloc/addr.h"

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
    {"amd64_huge_pages", 64, 0, 8 * kMiB, true},
    {"i386_huge_pages", 32, 0, 8 * kMiB, true},
};

}  // namespace

std::span<const ProcessKind> ProcessKinds() { return kKinds; }

const ProcessKind* FindProcessKind(std::string_view name) {
  const auto found = std::find_if(std::begin(kKinds), std::end(kKinds),
                                  [name](const ProcessKind& kind) { return kind.name == name; });
  return found == std::end(kKinds) ? nullptr : found;
}

}  // namespace reheap
