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
constexpr uint64_t kHint = 0xf800000000;
constexpr int kFixed = kBsd | 0x10, kExcl = kFixed | 0x4000;
constexpr int kGuard = 0x2000, kGuardFixed = kGuard | 0x10;
constexpr int kStack = 0x402;  // MAP_PRIVATE | MAP_STACK
constexpr uint64_t kStepBytes = 128 * kKiB;

TEST(FreeBsdRulesTest, Guards) {
  ExpectRules("freebsd-amd64",
              {
                  {"a guard is tested against RLIMIT_VMEM when it is made, and not counted after",
                   "vm_mmap_object, vm_mmap.c:1542; vm_map_insert, vm_map.c",
                   {{Step::kMap, kHint, 5 * kGiB, 0, kGuardFixed, kOk, 12},
                    {Step::kMap, kHint, 3 * kGiB, 0, kGuardFixed, kHint},
                    {Step::kVsize, 0, 0, 0, 0, 0},
                    {Step::kMap, kHint + 4 * kGiB, 3 * kGiB, 0, kGuardFixed, kHint + 4 * kGiB},
                    {Step::kMap, kHint + 8 * kGiB, 4 * kGiB, 0, kFixed, kHint + 8 * kGiB}},
                   4 * kGiB},
                  {"mprotect skips it without a word",
                   "vm_map_protect, vm_map.c",
                   {{Step::kMap, kHint, 2 * kPage, 0, kGuardFixed, kHint},
                    {Step::kProtect, kHint, kPage, kRw, 0, kOk},
                    {Step::kWrite, kHint, 0, 0, 0, 0}}},
                  {"a fixed mapping turns it into memory",
                   "vm_map_fixed, vm_map.c",
                   {{Step::kMap, kHint, 2 * kPage, 0, kGuardFixed, kHint},
                    {Step::kMap, kHint, kPage, kRw, kFixed, kHint},
                    {Step::kWrite, kHint, 0, 0, 0, 1},
                    {Step::kVsize, 0, 0, 0, 0, kPage}}},
                  {"it keeps others away",
                   "vm_map_find, vm_map.c",
                   {{Step::kMap, kHint, 2 * kPage, 0, kGuardFixed, kHint},
                    {Step::kMap, kHint, kPage, kRw, kBsd, kHint + 2 * kPage}}},
                  {"with access, or with MAP_ANON, it is EINVAL",
                   "kern_mmap, vm_mmap.c",
                   {{Step::kMap, kHint, kPage, kRead, kGuardFixed, kOk, 22},
                    {Step::kMap, kHint, kPage, 0, kGuardFixed | 0x1000, kOk, 22}}},
              });
}

TEST(FreeBsdRulesTest, Flags) {
  ExpectRules("freebsd-amd64",
              {
                  {"an unknown flag, an unknown protection, both kinds: EINVAL; MAP_NORESERVE is dropped",
                   "kern_mmap, vm_mmap.c",
                   {{Step::kMap, kHint, kPage, kRw, kBsd | 0x100000, kOk, 22},
                    {Step::kMap, kHint, kPage, 8, kBsd, kOk, 22},
                    {Step::kMap, kHint, kPage, kRw, kBsd | 1, kOk, 22},
                    {Step::kMap, kHint, kPage, kRw, kBsd | 0x40, kHint}}},
                  {"MAP_EXCL alone is EINVAL, with MAP_FIXED over something ENOMEM",
                   "kern_mmap, vm_mmap.c; KERN_NO_SPACE in vm_mmap_to_errno",
                   {{Step::kMap, kHint, kPage, kRw, kBsd | 0x4000, kOk, 22},
                    {Step::kMap, kHint, kPage, kRw, kExcl, kHint},
                    {Step::kMap, kHint, kPage, kRw, kExcl, kOk, 12}}},
                  {"neither kind means private",
                   "kern_mmap, vm_mmap.c: MAP_ANON without either",
                   {{Step::kMap, kHint, kPage, kRw, 0x1000, kHint}}},
                  {"MAP_ALIGNED takes the lowest aligned place at or above the hint",
                   "vm_map_alignspace, vm_map.c",
                   {{Step::kMap, kHint + kPage, kPage, kRw, kBsd | 21 << 24, kHint + 2 * kMiB},
                    {Step::kMap, kHint + kPage, kPage, kRw, kBsd | 1 << 24, kHint + 4 * kMiB},
                    {Step::kMap, kHint, kPage, kRw, kBsd | 11 << 24, kOk, 22},
                    {Step::kMap, kHint, kPage, kRw, kBsd | 64 << 24, kOk, 22}}},
                  {"MAP_32BIT ends below 2 GiB, from the bottom when the hint is higher",
                   "kern_mmap, vm_mmap.c",
                   {{Step::kMap, kHint, kPage, kRw, kBsd | 0x80000, 0x1000},
                    {Step::kMap, 0x70000000, kPage, kRw, kBsd | 0x80000, 0x70000000},
                    {Step::kMap, 0, 2 * kGiB, kRw, kBsd | 0x80000, kOk, 12},
                    {Step::kMap, kHint, kPage, kRw, kFixed | 0x80000, kOk, 22}}},
              });
}

TEST(FreeBsdRulesTest, Stacks) {
  ExpectRules("freebsd-amd64",
              {
                  {"a stack begins with one step; an access in its gap maps whole steps",
                   "vm_map_stack_locked and vm_map_growstack, vm_map.c",
                   {{Step::kMap, kHint, kMiB, kRw, kStack, kHint},
                    {Step::kVsize, 0, 0, 0, 0, kStepBytes},
                    {Step::kWrite, kHint + kMiB - 1, 0, 0, 0, 1},
                    {Step::kWrite, kHint + kMiB - kStepBytes - 1, 0, 0, 0, 1},
                    {Step::kVsize, 0, 0, 0, 0, 2 * kStepBytes},
                    {Step::kWrite, kHint + kMiB - 5 * kStepBytes, 0, 0, 0, 1},
                    {Step::kVsize, 0, 0, 0, 0, 5 * kStepBytes}}},
                  {"its last page stays a guard",
                   "security.bsd.stack_guard_page = 1, vm_map.c",
                   {{Step::kMap, kHint, kMiB, kRw, kStack, kHint},
                    {Step::kWrite, kHint + kPage - 1, 0, 0, 0, 0},
                    {Step::kWrite, kHint + kPage, 0, 0, 0, 1},
                    {Step::kVsize, 0, 0, 0, 0, kMiB - kPage},
                    {Step::kWrite, kHint, 0, 0, 0, 0}}},
                  {"growth is refused by RLIMIT_VMEM: the access faults",
                   "vm_map_growstack, vm_map.c: map->size + grow_amount > vmemlim",
                   {{Step::kMap, kHint, kMiB, kRw, kStack, kHint},
                    {Step::kMap, kHint + kGiB, kMiB - 2 * kStepBytes, 0, kBsd, kHint + kGiB},
                    {Step::kWrite, kHint + kMiB - kStepBytes - 1, 0, 0, 0, 1},
                    {Step::kWrite, kHint + kMiB - 2 * kStepBytes - 1, 0, 0, 0, 0}},
                   kMiB},
                  {"but the whole must fit when it is made",
                   "vm_mmap_object, vm_mmap.c:1542",
                   {{Step::kMap, kHint, kMiB + kPage, kRw, kStack, kOk, 12}},
                   kMiB},
                  {"the process's own stack too, as far as RLIMIT_STACK goes",
                   "vm_map_growstack, vm_map.c: is_procstack",
                   {{Step::kWrite, 0x7ffffffdefff, 0, 0, 0, 1},
                    {Step::kVsize, 0, 0, 0, 0, kStepBytes},
                    {Step::kWrite, 0x7ffffffff000 - 512 * kMiB, 0, 0, 0, 0},
                    {Step::kWrite, 0x7ffffffff000 - 256 * kMiB, 0, 0, 0, 1},
                    {Step::kVsize, 0, 0, 0, 0, 256 * kMiB - kStepBytes}}},
                  {"without read and write access it is EINVAL",
                   "kern_mmap, vm_mmap.c",
                   {{Step::kMap, kHint, kMiB, kRead, kStack, kOk, 22}}},
              });
}

TEST(FreeBsdRulesTest, Entries) {
  ExpectRules("freebsd-amd64",
              {
                  {"a new mapping extends the written one before it, not the written one behind it",
                   "vm_map_insert, vm_map.c: vm_object_coalesce",
                   {{Step::kMap, kHint, kPage, kRw, kFixed, kHint},
                    {Step::kMap, kHint + 2 * kPage, kPage, kRw, kFixed, kHint + 2 * kPage},
                    {Step::kWrite, kHint, 0, 0, 0, 1},
                    {Step::kWrite, kHint + 2 * kPage, 0, 0, 0, 1},
                    {Step::kMap, kHint + kPage, kPage, kRw, kFixed, kHint + kPage},
                    {Step::kCount, 0, 0, 0, 0, 2}}},
                  {"never touched ones join on both sides",
                   "vm_map_mergeable_neighbors, vm_map.c: both objects are NULL",
                   {{Step::kMap, kHint, kPage, kRw, kFixed, kHint},
                    {Step::kMap, kHint + 2 * kPage, kPage, kRw, kFixed, kHint + 2 * kPage},
                    {Step::kMap, kHint + kPage, kPage, kRw, kFixed, kHint + kPage},
                    {Step::kCount, 0, 0, 0, 0, 1}}},
                  {"pieces of one mapping know each other again",
                   "vm_map_entry_clone, vm_map.c: the object is made before the split",
                   {{Step::kMap, kHint, 3 * kPage, kRw, kBsd, kHint},
                    {Step::kProtect, kHint + kPage, kPage, kRead, 0, kOk},
                    {Step::kCount, 0, 0, 0, 0, 3},
                    {Step::kProtect, kHint + kPage, kPage, kRw, 0, kOk},
                    {Step::kCount, 0, 0, 0, 0, 1}}},
              });
}

constexpr Step Resident(uint64_t bytes) { return {Step::kResident, 0, 0, 0, 0, bytes}; }

TEST(FreeBsdRulesTest, Advice) {
  const Step map{Step::kMap, kHint, 4 * kPage, kRw, kBsd, kHint}, write{Step::kWrite, kHint, 0, 0, 0, 1};
  ExpectRules("freebsd-amd64",
              {
                  {"a read makes a page resident as a write does",
                   "vm_fault_zerofill, vm_fault.c",
                   {map, {Step::kReadPage, kHint + kPage, 0, 0, 0, 1}, Resident(kPage)}},
                  {"MADV_FREE keeps pages until they are wanted, a write takes them back",
                   "vm_map_madvise, vm_map.c",
                   {map, write, {Step::kAdvise, kHint, kPage, 0, 5, kOk}, Resident(kPage),
                    {Step::kLazy, 0, 0, 0, 0, kPage}, write, {Step::kLazy, 0, 0, 0, 0, 0}}},
                  {"MADV_DONTNEED gives nothing back",
                   "vm_map_madvise, vm_map.c: deactivates",
                   {map, write, {Step::kAdvise, kHint, 4 * kPage, 0, 4, kOk}, Resident(kPage),
                    {Step::kLazy, 0, 0, 0, 0, 0}}},
                  {"holes and wired memory are passed over, an address is rounded down, an unknown word is EINVAL",
                   "kern_madvise, vm_mmap.c; vm_map_madvise, vm_map.c",
                   {map, write, {Step::kAdvise, kHint + 5, 8 * kPage, 0, 5, kOk},
                    {Step::kLazy, 0, 0, 0, 0, kPage}, write, {Step::kLock, kHint, kPage, 0, 0, kOk},
                    {Step::kAdvise, kHint, kPage, 0, 5, kOk}, {Step::kLazy, 0, 0, 0, 0, 0},
                    {Step::kAdvise, kHint, kPage, 0, 11, kOk, 22}}},
                  {"MADV_NOCORE makes an entry of its own, MADV_CORE joins it again",
                   "vm_map_madvise, vm_map.c: MAP_ENTRY_NOCOREDUMP, vm_map_try_merge_entries",
                   {map, {Step::kAdvise, kHint + kPage, kPage, 0, 8, kOk}, {Step::kCount, 0, 0, 0, 0, 3},
                    {Step::kAdvise, kHint + kPage, kPage, 0, 9, kOk}, {Step::kCount, 0, 0, 0, 0, 1}}},
              });
}

// 1 GiB of swap, and RAM does not count.
void Overcommit(VirtualProcess* process, uint32_t bits) {
  process->limits.overcommit_bits = bits;
  process->limits.swap_bytes = kGiB;
}

TEST(FreeBsdRulesTest, SwapReservation) {
  const char* const source = "swap_reserve_by_cred, swap_pager.c";
  const Step reserve{Step::kMap, kHint, 2 * kGiB, 0, kBsd, kHint};
  ExpectRules(
      "freebsd-amd64",
      {
          {"vm.overcommit 0: every reservation succeeds",
           source,
           {{Step::kMap, kHint, kTiB, kRw, kBsd, kHint}},
           {},
           {},
           kGiB},
          {"bit 1: no more than swap; EINVAL from mmap, ENOMEM from mprotect and brk",
           "vm_mmap_object and kern_mprotect, vm_mmap.c; kern_break, vm_unix.c",
           {reserve,
            {Step::kCommitted, 0, 0, 0, 0, 0},
            {Step::kMap, kHint + kTiB, kGiB, kRw, kBsd, kOk, 22},
            {Step::kMap, kHint + kTiB, kGiB, kRw, kBsd | 0x40, kOk, 22},
            {Step::kMap, kHint + kTiB, kGiB, 0, kBsd, kHint + kTiB},
            {Step::kProtect, kHint, 2 * kGiB, kRw, 0, kOk, 12},
            {Step::kBreak, 0x42b000 + kGiB, 0, 0, 0, kOk, 12},
            {Step::kProtect, kHint, kGiB / 2, kRw, 0, kOk},
            {Step::kProtect, kHint, kGiB / 2, 0, 0, kOk},
            {Step::kCommitted, 0, 0, 0, 0, kGiB / 2}},
           {},
           {},
           16 * kGiB,
           [](VirtualProcess* p) { Overcommit(p, 1); }},
          {"bit 4: RAM counts beside swap",
           source,
           {{Step::kMap, kHint, 16 * kGiB, kRw, kBsd, kHint}, {Step::kMap, 0, kGiB, kRw, kBsd, kOk, 22}},
           {},
           {},
           16 * kGiB,
           [](VirtualProcess* p) { Overcommit(p, 1 | 4); }},
          {"bit 2: RLIMIT_SWAP",
           source,
           {{Step::kMap, kHint, 2 * kGiB, kRw, kBsd, kOk, 22}, {Step::kMap, kHint, kGiB, kRw, kBsd, kHint}},
           {},
           {},
           16 * kGiB,
           [](VirtualProcess* p) {
             Overcommit(p, 2);
             p->limits.swap_limit_bytes = kGiB + kMiB;
           }},
          {"bit 2 alone asks nobody without RLIMIT_SWAP",
           source,
           {{Step::kMap, kHint, 2 * kGiB, kRw, kBsd, kHint}},
           {},
           {},
           kGiB,
           [](VirtualProcess* p) { Overcommit(p, 2); }},
      });
}

TEST(FreeBsdRulesTest, LockAndBreak) {
  ExpectRules(
      "freebsd-amd64",
      {
          {"RLIMIT_MEMLOCK counts what is locked already once more: ENOMEM",
           "kern_mlock, vm_mmap.c",
           {{Step::kMap, kHint, 4 * kPage, kRw, kBsd, kHint},
            {Step::kLock, kHint, 3 * kPage, 0, 0, kOk},
            {Step::kLock, kHint, 2 * kPage, 0, 0, kOk, 12},
            {Step::kLock, kHint, kPage, 0, 0, kOk},
            {Step::kUnlock, kHint, 3 * kPage, 0, 0, kOk},
            {Step::kLock, kHint, 4 * kPage, 0, 0, kOk}},
           {},
           {},
           16 * kGiB,
           [](VirtualProcess* p) { p->limits.locked_bytes = 4 * kPage; }},
          {"brk above RLIMIT_VMEM is ENOMEM",
           "kern_break, vm_unix.c",
           {{Step::kBreak, 0x42b000 + kMiB, 0, 0, 0, 0x42b000 + kMiB},
            {Step::kBreak, 0x42b000 + kMiB + kPage, 0, 0, 0, kOk, 12}},
           kMiB},
          {"brk above RLIMIT_DATA is ENOMEM",
           "kern_break, vm_unix.c",
           {{Step::kBreak, 0x42b000 + 2 * kMiB, 0, 0, 0, kOk, 12},
            {Step::kBreak, 0x42b000 + kMiB / 2, 0, 0, 0, 0x42b000 + kMiB / 2}},
           {},
           {},
           16 * kGiB,
           [](VirtualProcess* p) { p->limits.data_bytes = kMiB; }},
      });
}

TEST(FreeBsdRulesTest, OtherMachinesHaveTheSameFlagsButForTheLowOne) {
  const std::vector<Case> guards = {
      {"a guard is made and not counted",
       "vm_map_insert, vm_map.c",
       {{Step::kMap, 0x70000000, kMiB, 0, kGuardFixed, 0x70000000}, {Step::kVsize, 0, 0, 0, 0, 0}}}};
  ExpectRules("freebsd-arm64", guards);
  ExpectRules("freebsd-386", guards);
  ExpectRules("freebsd-386", {{"MAP_32BIT is unknown",
                               "sys/mman.h: __LP64__",
                               {{Step::kMap, 0x70000000, kPage, kRw, kBsd | 0x80000, kOk, 22}}}});
}

TEST(FreeBsdRulesTest, OldMprotectDropsWhatItDoesNotKnow) {
  const Step map{Step::kMap, kHint, kPage, kRead, kBsd, kHint};
  ExpectRules("freebsd-amd64@12.3", {{"VM_PROT_ALL masks", "kern_mprotect, vm_mmap.c, FreeBSD 12.3",
                                      {map, {Step::kProtect, kHint, kPage, kRw | 8, 0, kOk}}}});
  ExpectRules("freebsd-amd64", {{"_PROT_ALL and PROT_MAX are all", "kern_mprotect, vm_mmap.c, FreeBSD 13",
                                 {map, {Step::kProtect, kHint, kPage, kRw | 8, 0, kOk, 22}}}});
}

}  // namespace
}  // namespace reheap
