// FreeBSD, from its sources: a rule, where it was read, and what follows.
#include <gtest/gtest.h>

#include "tests/golden/platforms/rule_table.h"

namespace reheap {
namespace {

// ---- FreeBSD 12.3, amd64 ----
// MAP_PRIVATE | MAP_ANON; MAP_FIXED 0x10; MAP_EXCL 0x4000. The image's data segment begins at 0x425000.
constexpr int kBsd = 0x1002;
constexpr uint64_t kBsdStart = 0x425000 + 32 * kGiB;

TEST(FreeBsdRulesTest, FreeBsd) {
  ExpectRules(
      "freebsd-amd64",
      {
          {"without hint: above the data segment by the largest RLIMIT_DATA",
           "vm_mmap.c:300",
           {{Step::kMap, 0, 16 * kPage, kRw, kBsd, kBsdStart}}},
          {"lowest hole first, a freed one at once",
           "vm_map.c:1652",
           {{Step::kMap, 0, kPage, kRw, kBsd, kBsdStart},
            {Step::kMap, 0, kPage, kRw, kBsd, kBsdStart + kPage},
            {Step::kMap, 0, kPage, kRw, kBsd, kBsdStart + 2 * kPage},
            {Step::kUnmap, kBsdStart + kPage, kPage, 0, 0, kOk},
            {Step::kMap, 0, 2 * kPage, kRw, kBsd, kBsdStart + 3 * kPage},
            {Step::kMap, 0, kPage, kRw, kBsd, kBsdStart + kPage}}},
          {"no huge page alignment", "vm_mmap.c", {{Step::kMap, 0, 2 * kMiB, kRw, kBsd, kBsdStart}}},
          {"a free hint is followed",
           "vm_mmap.c",
           {{Step::kMap, 0xf800000000, kPage, kRw, kBsd, 0xf800000000}}},
          {"a taken hint yields the next hole above it",
           "vm_map.c:2041",
           {{Step::kMap, 0xf800000000, 2 * kPage, kRw, kBsd, 0xf800000000},
            {Step::kMap, 0xf800000000, kPage, kRw, kBsd, 0xf800002000}}},
          {"a hint in the data segment's room is replaced by the start",
           "vm_mmap.c:300",
           {{Step::kMap, 0x500000, kPage, kRw, kBsd, kBsdStart},
            {Step::kMap, 0x700000000, kPage, kRw, kBsd, kBsdStart + kPage}}},
          {"a hint below the text is followed",
           "vm_mmap.c:300",
           {{Step::kMap, 0x10000, kPage, kRw, kBsd, 0x10000}}},
          {"PROT_NONE counts against RLIMIT_VMEM",
           "vm_mmap.c:1542",
           {{Step::kMap, 0, 17 * kGiB, 0, kBsd, kOk, 12}},
           4 * kGiB},
          {"a fixed mapping over one's own counts again, mprotect does not",
           "vm_mmap.c:1542",
           {{Step::kMap, 0xf800000000, 3 * kGiB, 0, kBsd, 0xf800000000},
            {Step::kMap, 0xf800000000, 2 * kGiB, kRw, kBsd | 0x10, kOk, 12},
            {Step::kProtect, 0xf800000000, 2 * kGiB, kRw, 0, kOk}},
           4 * kGiB},
          {"a fixed mapping within the room replaces",
           "vm_mmap.c:1542",
           {{Step::kMap, 0xf800000000, 3 * kGiB, 0, kBsd, 0xf800000000},
            {Step::kMap, 0xf800000000, kGiB, kRw, kBsd | 0x10, 0xf800000000}},
           4 * kGiB},
          {"RLIMIT_DATA is not about mmap",
           "vm_unix.c:98",
           {{Step::kMap, 0, kGiB, kRw, kBsd, kBsdStart}},
           {},
           kPage},
          {"MAP_EXCL over something is ENOMEM",
           "vm_mmap.c, KERN_NO_SPACE",
           {{Step::kMap, 0xf800000000, kPage, kRw, kBsd, 0xf800000000},
            {Step::kMap, 0xf800000000, kPage, kRw, kBsd | 0x4010, kOk, 12}}},
          {"a fixed place out of range or unaligned is EINVAL",
           "vm_mmap.c",
           {{Step::kMap, 0x800000000000, kPage, kRw, kBsd | 0x10, kOk, 22},
            {Step::kMap, 0xf800000001, kPage, kRw, kBsd | 0x10, kOk, 22}}},
          {"length 0 is EINVAL",
           "vm_mmap.c",
           {{Step::kMap, 0, 0, kRw, kBsd, kOk, 22}, {Step::kUnmap, 0xf800000000, 0, 0, 0, kOk, 22}}},
          {"unmapping nothing succeeds", "vm_mmap.c", {{Step::kUnmap, 0xf800000000, kPage, 0, 0, kOk}}},
          {"protecting over a hole succeeds",
           "vm_map_protect, vm_map.c",
           {{Step::kMap, 0xf800000000, kPage, 0, kBsd, 0xf800000000},
            {Step::kProtect, 0xf800000000, 4 * kPage, kRw, 0, kOk}}},
          {"unaligned addresses are rounded down",
           "kern_munmap, vm_mmap.c",
           {{Step::kMap, 0xf800000000, kPage, kRw, kBsd, 0xf800000000},
            {Step::kUnmap, 0xf800000123, 1, 0, 0, kOk},
            {Step::kMap, 0xf800000000, kPage, kRw, kBsd, 0xf800000000}}},
      });
}
}  // namespace
}  // namespace reheap
