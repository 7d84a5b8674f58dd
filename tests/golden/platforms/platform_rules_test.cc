// Windows, measured on Wine: a rule, and what follows.
#include <gtest/gtest.h>

#include "tests/golden/platforms/rule_table.h"

namespace reheap {
namespace {

// ---- Linux, a 32-bit program ----
constexpr int kLinux = 0x22;

TEST(PlatformRulesTest, Linux386) {
  ExpectRules("linux-386", {
                               {"top-down from below the vdso",
                                "measured on 6.18",
                                {{Step::kMap, 0, 16 * kPage, kRw, kLinux, 0xf7fe6000}}},
                               {"no huge page alignment",
                                "thp_get_unmapped_area, mm/huge_memory.c, 6.12; measured on 6.18",
                                {{Step::kMap, 0, 2 * kMiB, kRw, kLinux, 0xf7df6000}}},
                               {"a low hint is raised to the floor",
                                "round_hint_to_min, mm/mmap.c, 6.12",
                                {{Step::kMap, 0x1000, kPage, kRw, kLinux, 0x10000}}},
                               {"beyond the address space",
                                "mm/mmap.c, 6.12",
                                {{Step::kMap, 0, 4 * kGiB, 0, kLinux, kOk, 12},
                                 {Step::kMap, 0xffffe000, kPage, 0, kLinux | 0x10, kOk, 12}}},
                               {"nothing fits top-down: bottom-up from a third of the address space",
                                "sys_x86_64.c, 6.12",
                                {{Step::kMap, 0x10000000, 0xe7ff6000, 0, kLinux, 0x10000000},
                                 {Step::kMap, 0x10000, 0x7ff0000, 0, kLinux, 0x10000},
                                 {Step::kMap, 0x8100000, 0x7f00000, 0, kLinux, 0x8100000},
                                 {Step::kMap, 0, kMiB, 0, kLinux, 0xf7ffe000}}},
                               {"mode 0 refuses one request beyond RAM and swap",
                                "__vm_enough_memory, mm/util.c, 6.12",
                                {{Step::kMap, 0, kGiB + kPage, kRw, kLinux, kOk, 12},
                                 {Step::kMap, 0, kGiB + kPage, 0, kLinux, 0xb7ff5000}},
                                {},
                                {},
                                kGiB},
                           });
}
}  // namespace
}  // namespace reheap
