// Linux: what no process of this machine can show (other processors, other page sizes, five levels, a 32-bit
// kernel), and what one run showed and must stay (layouts under personality, commit modes).
#include <gtest/gtest.h>

#include "tests/golden/platforms/rule_table.h"

namespace reheap {
namespace {

constexpr int kLinux = 0x22;  // MAP_PRIVATE | MAP_ANONYMOUS
constexpr int kFixed = kLinux | 0x10;
constexpr int kNoReserve = kLinux | 0x4000;
constexpr int kShared = 0x21;
constexpr uint64_t kWindow = 0x7ffffffff000;  // the end of 47 bits, less a page

constexpr uint32_t kCompatLayout = 0x200000, kLimit3Gb = 0x8000000;  // personality(2)

template <uint32_t kPersonality>
void Persona(VirtualProcess* process) {
  process->layout.personality = kPersonality;
}
void UnlimitedStack(VirtualProcess* process) { process->limits.stack_unlimited = true; }

TEST(LinuxRulesTest, FiveLevels) {
  ExpectRules(
      "linux-amd64-5level",
      {
          {"without hint: below 2^47",
           "arch_get_unmapped_area_topdown, sys_x86_64.c, 6.12",
           {{Step::kMap, 0, kPage, kRw, kLinux, 0x7ffff7ff6000}}},
          {"a hint above the window is honoured",
           "mmap_address_hint_valid, arch/x86/mm/mmap.c:209, 6.12; measured on 6.12.107 with la57",
           {{Step::kMap, 0x1000000000000, kPage, kRw, kLinux, 0x1000000000000}}},
          {"a hint that crosses the window's end is none",
           "mmap_address_hint_valid, arch/x86/mm/mmap.c:209, 6.12",
           {{Step::kMap, kWindow, kPage, kRw, kLinux, 0x7ffff7ff6000},
            {Step::kMap, kWindow + kPage, kPage, kRw, kLinux, kWindow + kPage}}},
          {"a taken hint above the window: the highest place of all, as far below its end as the base is",
           "arch_get_unmapped_area_topdown: high_limit += TASK_SIZE_MAX - DEFAULT_MAP_WINDOW, 6.12",
           {{Step::kMap, 0x1000000000000, kPage, kRw, kLinux, 0x1000000000000},
            {Step::kMap, 0x1000000000000, kPage, kRw, kLinux, 0xfffffffff7ffe000 & 0xffffffffffffff}}},
          {"too large for the window: only a hint makes room",
           "arch_get_unmapped_area_topdown, sys_x86_64.c, 6.12",
           {{Step::kMap, 0, 256 * kTiB, 0, kLinux, kOk, 12},
            {Step::kMap, 0x1000000000000, 256 * kTiB, 0, kLinux, 0x1000000000000}}},
          {"MAP_FIXED goes anywhere below 2^56",
           "TASK_SIZE_MAX, page_64_types.h, 6.12",
           {{Step::kMap, 0xff000000000000, kPage, 0, kFixed, 0xff000000000000},
            {Step::kMap, 0xfffffffffff000, kPage, 0, kFixed, kOk, 12}}},
      });
}

TEST(LinuxRulesTest, FourLevelsTakeNoHintAboveTheEnd) {
  ExpectRules("linux-amd64", {{"a hint above 2^47 is none, a fixed place there an error",
                               "measured on 6.12.107 and 6.18",
                               {{Step::kMap, 0x1000000000000, kPage, kRw, kLinux, 0x7ffff7ff6000},
                                {Step::kMap, 0x1000000000000, kPage, kRw, kFixed, kOk, 12}}}});
}

TEST(LinuxRulesTest, LegacyLayoutsAndStackLimits) {
  const char* const measured = "measured on 6.18 with a static program";
  ExpectRules("linux-amd64",
              {
                  {"ADDR_COMPAT_LAYOUT: bottom-up from a third, above the vdso; huge pages upwards",
                   measured,
                   {{Step::kMap, 0, kPage, kRw, kLinux, 0x2aaaaaab3000},
                    {Step::kMap, 0, 2 * kMiB, kRw, kLinux, 0x2aaaaac00000},
                    {Step::kMap, 0, 2 * kMiB, 0, kLinux, 0x2aaaaae00000}},
                   {},
                   {},
                   16 * kGiB,
                   Persona<kCompatLayout>},
                  {"an unlimited stack leaves a sixth, still top-down",
                   measured,
                   {{Step::kMap, 0, kPage, kRw, kLinux, 0x15555554d000},
                    {Step::kMap, 0, 2 * kMiB, kRw, kLinux, 0x155555200000}},
                   {},
                   {},
                   16 * kGiB,
                   UnlimitedStack},
              });
  ExpectRules("linux-386", {
                               {"top-down", measured, {{Step::kMap, 0, kPage, kRw, kLinux, 0xf7ff5000}}},
                               {"ADDR_COMPAT_LAYOUT: bottom-up from a third, above the vdso; no huge pages",
                                measured,
                                {{Step::kMap, 0, kPage, kRw, kLinux, 0x5555d000},
                                 {Step::kMap, 0, 2 * kMiB, kRw, kLinux, 0x5555e000}},
                                {},
                                {},
                                16 * kGiB,
                                Persona<kCompatLayout>},
                               {"ADDR_LIMIT_3GB: all of it a gigabyte lower",
                                measured,
                                {{Step::kMap, 0, kPage, kRw, kLinux, 0xb7ff7000},
                                 {Step::kMap, 0, 2 * kMiB, kRw, kLinux, 0xb7df7000},
                                 {Step::kMap, 0xc0000000, kPage, kRw, kFixed, kOk, 12}},
                                {},
                                {},
                                16 * kGiB,
                                Persona<kLimit3Gb>},
                               {"both",
                                measured,
                                {{Step::kMap, 0, kPage, kRw, kLinux, 0x40008000},
                                 {Step::kMap, 0, 2 * kMiB, kRw, kLinux, 0x40009000}},
                                {},
                                {},
                                16 * kGiB,
                                Persona<kLimit3Gb | kCompatLayout>},
                           });
}

TEST(LinuxRulesTest, ThirtyTwoBitPrograms) {
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
TEST(LinuxRulesTest, A32BitKernel) {
  ExpectRules("linux-386-native", {
                                      {"top-down below 3 GiB",
                                       "mmap_base, arch/x86/mm/mmap.c, 6.12",
                                       {{Step::kMap, 0, kPage, kRw, kLinux, 0xb7ff7000}}},
                                      {"the kernel's gigabyte is out of range",
                                       "page_32_types.h:47, 6.12",
                                       {{Step::kMap, 0xc0000000, kPage, kRw, kFixed, kOk, 12}}},
                                      {"the personality's limit changes nothing",
                                       "IA32_PAGE_OFFSET, page_32_types.h:47, 6.12",
                                       {{Step::kMap, 0, kPage, kRw, kLinux, 0xb7ff7000}},
                                       {},
                                       {},
                                       16 * kGiB,
                                       Persona<kLimit3Gb>},
                                      {"the legacy layout begins at a third",
                                       "mmap_legacy_base, arch/x86/mm/mmap.c, 6.12",
                                       {{Step::kMap, 0, kPage, kRw, kLinux, 0x40008000}},
                                       {},
                                       {},
                                       16 * kGiB,
                                       Persona<kCompatLayout>},
                                  });
}

TEST(LinuxRulesTest, Arm64) {
  ExpectRules("linux-arm64", {
                                 {"top-down from 128 MiB below 2^48",
                                  "mmap_base, mm/util.c, 6.12",
                                  {{Step::kMap, 0, kPage, kRw, kLinux, 0xfffff7ffb000}}},
                                 {"2 MiB are a huge page",
                                  "thp_get_unmapped_area, mm/huge_memory.c, 6.12",
                                  {{Step::kMap, 0, 2 * kMiB, kRw, kLinux, 0xfffff7c00000}}},
                                 {"the window's end is the end",
                                  "processor.h, 6.12",
                                  {{Step::kMap, 0xfffffffff000, kPage, kRw, kFixed, 0xfffffffff000},
                                   {Step::kMap, 0x1000000000000, kPage, kRw, kFixed, kOk, 12}}},
                                 {"an unlimited stack asks for the legacy layout: bottom-up from a quarter",
                                  "mmap_is_legacy, mm/util.c:430, 6.12",
                                  {{Step::kMap, 0, kPage, kRw, kLinux, 0x400000004000}},
                                  {},
                                  {},
                                  16 * kGiB,
                                  UnlimitedStack},
                             });
  ExpectRules("linux-arm64-39bit", {{"512 GiB in all",
                                     "TASK_SIZE_64, processor.h, 6.12",
                                     {{Step::kMap, 0, kPage, kRw, kLinux, 0x7ff7ffb000},
                                      {Step::kMap, 0, 512 * kGiB, 0, kLinux, kOk, 12},
                                      // The 2011 pretence has its place, but a 40-bit one has not.
                                      {Step::kMap, 0x7800000000, kGiB, 0, kLinux, 0x7800000000},
                                      {Step::kMap, 0xf800000000, kGiB, 0, kLinux, 0x7fb7ffb000}}}});
  ExpectRules("linux-arm64-52bit", {{"a hint above 2^48 opens 2^52",
                                     "arch_get_mmap_end, arch_get_mmap_base, processor.h, 6.12",
                                     {{Step::kMap, 0, kPage, kRw, kLinux, 0xfffff7ffb000},
                                      {Step::kMap, 0x8000000000000, kPage, kRw, kLinux, 0x8000000000000},
                                      {Step::kMap, 0x8000000000000, kPage, kRw, kLinux, 0xffffff7fff000}}}});
}

TEST(LinuxRulesTest, Arm64WithLargerPages) {
  constexpr uint64_t k16 = 16 * kKiB, k64 = 64 * kKiB;
  ExpectRules("linux-arm64-16k", {
                                     {"everything in pages of 16 KiB",
                                      "CONFIG_ARM64_16K_PAGES, 6.12",
                                      {{Step::kMap, 0, 1, kRw, kLinux, 0xfffff7ff0000},
                                       {Step::kMap, 0, k16 + 1, kRw, kLinux, 0xfffff7fe8000},
                                       {Step::kUnmap, 0xfffff7fe9000, k16, 0, 0, kOk, 22},
                                       {Step::kVsize, 0, 0, 0, 0, 3 * k16}}},
                                     {"a huge page has 32 MiB",
                                      "PMD_SIZE, 6.12",
                                      {{Step::kMap, 0, 2 * kMiB, kRw, kLinux, 0xfffff7df4000},
                                       {Step::kMap, 0, 32 * kMiB, kRw, kLinux, 0xfffff4000000}}},
                                     {"a low hint is raised to the floor's page",
                                      "round_hint_to_min, mm/mmap.c, 6.12",
                                      {{Step::kMap, k16, k16, kRw, kLinux, 0x8000}}},
                                 });
  ExpectRules(
      "linux-arm64-64k",
      {
          {"everything in pages of 64 KiB",
           "CONFIG_ARM64_64K_PAGES, 6.12",
           {{Step::kMap, 0, 1, kRw, kLinux, 0xfffff7fc0000}, {Step::kVsize, 0, 0, 0, 0, k64}}},
          {"a huge page has 512 MiB",
           "PMD_SIZE, 6.12",
           {{Step::kMap, 0, 512 * kMiB, kRw, kLinux, 0xffffc0000000}}},
          {"a low hint is raised to the floor's page",
           "round_hint_to_min, mm/mmap.c, 6.12",
           {{Step::kMap, 1, k64, kRw, kLinux, 0xfffff7fc0000}, {Step::kMap, k64, k64, kRw, kLinux, 0x10000}}},
      });
  ExpectRules("linux-arm64-52bit-16k",
              {{"16 KiB pages: the window has 47 bits, not 48",
                "memory.h:56, 6.12",
                {{Step::kMap, 0, k16, kRw, kLinux, 0x7ffff7ff0000},
                 {Step::kMap, 0x1000000000000, k16, kRw, kLinux, 0x1000000000000}}}});
  ExpectRules("linux-arm64-52bit-64k",
              {{"64 KiB pages: the window has 48 bits",
                "memory.h:56, 6.12",
                {{Step::kMap, 0, k64, kRw, kLinux, 0xfffff7fc0000},
                 {Step::kMap, 0x2000000000000, k64, kRw, kLinux, 0x2000000000000}}}});
  ExpectRules("android-arm64", {{"39 bits as most phones",
                                 "arch/arm64/Kconfig",
                                 {{Step::kMap, 0, kPage, kRw, kLinux, 0x7ff7ffb000}}}});
  ExpectRules("android-arm64-16k", {{"39 bits need 4 KiB pages: 47 with 16 KiB",
                                     "arch/arm64/Kconfig",
                                     {{Step::kMap, 0, k16, kRw, kLinux, 0x7ffff7ff0000}}}});
}

constexpr uint64_t kAt = 0x100000000000;
void NeverOvercommit(VirtualProcess* process) { process->limits.overcommit = OvercommitMode::kNever; }

// ---- commit ----

TEST(LinuxRulesTest, CommitModes) {
  const char* const util = "__vm_enough_memory, mm/util.c, 6.12";
  ExpectRules("linux-amd64",
              {
                  {"mode 0 looks at each request alone",
                   util,
                   {{Step::kMap, kAt, kGiB, kRw, kLinux, kAt},
                    {Step::kMap, kAt + kTiB, kGiB, kRw, kLinux, kAt + kTiB},
                    {Step::kMap, kAt + 2 * kTiB, kGiB + kPage, kRw, kLinux, kOk, 12},
                    {Step::kMap, kAt + 2 * kTiB, kGiB + kPage, kRw, kNoReserve, kAt + 2 * kTiB}},
                   {},
                   {},
                   kGiB},
                  {"mode 1 grants everything",
                   util,
                   {{Step::kMap, kAt, kTiB, kRw, kLinux, kAt}},
                   {},
                   {},
                   kGiB,
                   [](VirtualProcess* p) { p->limits.overcommit = OvercommitMode::kAlways; }},
                  {"mode 2 sums, MAP_NORESERVE or not, and leaves reservations free",
                   util,
                   {{Step::kMap, kAt, 17 * kGiB, 0, kLinux, kAt},
                    {Step::kMap, kAt + kTiB, 300 * kMiB, kRw, kLinux, kAt + kTiB},
                    {Step::kMap, kAt + 2 * kTiB, 300 * kMiB, kRw, kNoReserve, kOk, 12},
                    {Step::kProtect, kAt, 300 * kMiB, kRw, 0, kOk, 12},
                    {Step::kProtect, kAt, 100 * kMiB, kRw}},
                   {},
                   {},
                   kGiB,
                   NeverOvercommit},
                  {"a fork is charged what is private and may be written, mapping by mapping",
                   "dup_mmap, kernel/fork.c, 6.12",
                   {{Step::kFork, 0, 0, 0, 0, 0x2000 + 0x4000 + 0x21000},
                    {Step::kMap, kAt, 300 * kMiB, kRw, kLinux, kAt},
                    {Step::kMap, kAt + kTiB, 100 * kMiB, kRw, kShared, kAt + kTiB},
                    {Step::kFork, 0, 0, 0, 0, 0x27000 + 300 * kMiB, 12},
            {Step::kAdvise, kAt, 300 * kMiB, 0, 10},  // MADV_DONTFORK
            {Step::kFork, 0, 0, 0, 0, 0x27000}},
                   {},
                   {},
                   kGiB,
                   NeverOvercommit},
              });
}

}  // namespace
}  // namespace reheap
