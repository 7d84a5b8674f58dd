// NetBSD, from its sources: a rule, where it was read, and what follows.
#include <gtest/gtest.h>

#include "tests/golden/platforms/rule_table.h"

namespace reheap {
namespace {

// MAP_PRIVATE | MAP_ANON; MAP_FIXED 0x10.
constexpr int kAnon = 0x1002;
constexpr int kFixed = kAnon | 0x10;
// The end of the highest place that a request without hint gets: VM_MAXUSER_ADDRESS - MAXSSIZ - guard.
constexpr uint64_t kTop = 0x7f7ffffff000 - 128 * kMiB - kMiB;
constexpr uint64_t kHint = 0xf800000000;

TEST(NetBsdRulesTest, Placement) {
  ExpectRules("netbsd-amd64",
              {
                  {"without hint: the highest hole below the stack's area",
                   "VM_DEFAULT_ADDRESS_TOPDOWN, uvm_default_mapaddr, uvm_mmap.c 1.153",
                   {{Step::kMap, 0, 16 * kPage, kRw, kAnon, kTop - 16 * kPage},
                    {Step::kMap, 0, kPage, kRead, kAnon, kTop - 17 * kPage}}},
                  {"a freed hole is used at once",
                   "uvm_map_findspace, uvm_map.c",
                   {{Step::kMap, 0, kPage, kRw, kAnon, kTop - kPage},
                    {Step::kMap, 0, kPage, kRw, kAnon, kTop - 2 * kPage},
                    {Step::kUnmap, kTop - kPage, kPage, 0, 0, kOk},
                    {Step::kMap, 0, kPage, kRw, kAnon, kTop - kPage}}},
                  {"a free hint is followed, rounded up",
                   "uvm_mmap, uvm_mmap.c 1.153: round_page",
                   {{Step::kMap, kHint, kPage, kRw, kAnon, kHint},
                    {Step::kMap, kHint + kPage + 1, kPage, kRw, kAnon, kHint + 2 * kPage}}},
                  {"a taken hint yields the next hole below it, not above",
                   "uvm_map_findspace, uvm_map.c: topdown",
                   {{Step::kMap, kHint, 2 * kPage, kRw, kAnon, kHint},
                    {Step::kMap, kHint, kPage, kRw, kAnon, kHint - kPage},
                    {Step::kMap, kHint, 2 * kPage, kRw, kAnon, kHint - 3 * kPage}}},
                  {"a hint above the default place is lowered to it",
                   "sys_mmap, uvm_mmap.c 1.153: MIN(addr, defaddr)",
                   {{Step::kMap, 0x7f7fff000000, kPage, kRw, kAnon, kTop - kPage}}},
                  {"nothing fits below the hint: refused, no second search",
                   "uvm_map_findspace, uvm_map.c: notfound",
                   {{Step::kMap, 0x3000, 2 * kPage, kRw, kAnon, 0x3000},
                    {Step::kMap, 0x3000, 3 * kPage, kRw, kAnon, kOk, 12},
                    {Step::kMap, 0x3000, 2 * kPage, kRw, kAnon, 0x1000}}},
              });
}

TEST(NetBsdRulesTest, Limits) {
  ExpectRules(
      "netbsd-amd64",
      {
          {"PROT_NONE counts against RLIMIT_AS",
           "uvm_mmap, uvm_mmap.c 1.153",
           {{Step::kMap, 0, 17 * kGiB, 0, kAnon, kOk, 12}},
           4 * kGiB},
          {"a fixed mapping over one's own: its old pages are gone before the limit is looked at",
           "uvm_mmap, uvm_mmap.c 1.153: uvm_unmap comes first",
           {{Step::kMap, kHint, 3 * kGiB, 0, kAnon, kHint},
            {Step::kMap, kHint, 3 * kGiB, kRw, kFixed, kHint},
            {Step::kVsize, 0, 0, 0, 0, 3 * kGiB}},
           4 * kGiB},
          {"so one that is refused leaves a hole",
           "uvm_mmap, uvm_mmap.c 1.153",
           {{Step::kMap, kHint, 3 * kGiB, kRw, kAnon, kHint},
            {Step::kMap, kHint + 2 * kGiB, 3 * kGiB, kRw, kFixed, kOk, 12},
            {Step::kVsize, 0, 0, 0, 0, 2 * kGiB},
            {Step::kWrite, kHint + 2 * kGiB, 0, 0, 0, 0},
            {Step::kWrite, kHint, 0, 0, 0, 1}},
           4 * kGiB},
          {"mprotect is not tested",
           "sys_mprotect, uvm_mmap.c 1.153",
           {{Step::kMap, kHint, 4 * kGiB, 0, kAnon, kHint}, {Step::kProtect, kHint, 4 * kGiB, kRw, 0, kOk}},
           4 * kGiB},
          {"RLIMIT_DATA is about brk, not mmap",
           "sys_obreak, uvm_unix.c 1.45",
           {{Step::kMap, kHint, kGiB, kRw, kAnon, kHint}},
           {},
           kPage},
      });
}

TEST(NetBsdRulesTest, Calls) {
  ExpectRules("netbsd-amd64",
              {
                  {"a fixed place beyond the end is EFBIG, an unaligned one EINVAL",
                   "range_test, uvm_mmap.c 1.153",
                   {{Step::kMap, 0x7f7ffffff000, kPage, kRw, kFixed, kOk, 27},
                    {Step::kMap, kHint + 1, kPage, kRw, kFixed, kOk, 22}}},
                  {"unmapping and protecting nothing succeeds",
                   "sys_munmap, uvm_mmap.c 1.153; uvm_map_protect, uvm_map.c",
                   {{Step::kUnmap, kHint, kPage, 0, 0, kOk},
                    {Step::kMap, kHint, kPage, 0, kAnon, kHint},
                    {Step::kProtect, kHint - kPage, 4 * kPage, kRw, 0, kOk},
                    {Step::kWrite, kHint, 0, 0, 0, 1}}},
                  {"unaligned addresses are rounded down",
                   "sys_munmap, uvm_mmap.c 1.153",
                   {{Step::kMap, kHint, 2 * kPage, kRw, kAnon, kHint},
                    {Step::kUnmap, kHint + 5, kPage - 5, 0, 0, kOk},
                    {Step::kVsize, 0, 0, 0, 0, kPage}}},
                  {"MAP_ALIGNED takes the highest aligned place; fixed, the address must be aligned",
                   "uvm_map_space_avail, uvm_map.c; uvm_mmap, uvm_mmap.c 1.153",
                   {{Step::kMap, 0, kPage, kRw, kAnon | 21 << 24, (kTop - kPage) / (2 * kMiB) * (2 * kMiB)},
                    {Step::kMap, kHint + kPage, kPage, kRw, kAnon | 21 << 24, kHint},
                    {Step::kMap, kHint, kPage, kRw, kAnon | 11 << 24, kOk, 22}}},
                  {"MAP_TRYFIXED keeps a hint above the default place",
                   "sys_mmap, uvm_mmap.c 1.153",
                   {{Step::kMap, kTop + kPage, kPage, kRw, kAnon | 0x400, kTop + kPage}}},
                  {"both kinds are EINVAL, neither means private, other protection bits are dropped",
                   "sys_mmap, uvm_mmap.c 1.153",
                   {{Step::kMap, kHint, kPage, kRw, kAnon | 1, kOk, 22},
                    {Step::kMap, kHint, kPage, kRw, 0x1000, kHint},
                    {Step::kProtect, kHint, kPage, kRw | 8, 0, kOk}}},
                  {"munmap of length 0 succeeds, MADV_FREE over a hole is EFAULT",
                   "sys_munmap, uvm_mmap.c 1.153; uvm_map_clean, uvm_map.c",
                   {{Step::kUnmap, kHint, 0, 0, 0, kOk},
                    {Step::kMap, kHint, kPage, kRw, kAnon, kHint},
                    {Step::kAdvise, kHint, 2 * kPage, 0, 6, kOk, 14}}},
                  {"new mappings join on both sides",
                   "uvm_map_enter, uvm_map.c",
                   {{Step::kMap, kHint, kPage, kRw, kFixed, kHint},
                    {Step::kMap, kHint + 2 * kPage, kPage, kRw, kFixed, kHint + 2 * kPage},
                    {Step::kCount, 0, 0, 0, 0, 2},
                    {Step::kMap, kHint + kPage, kPage, kRw, kFixed, kHint + kPage},
                    {Step::kCount, 0, 0, 0, 0, 1}}},
                  {"two written neighbours stay two: an amap is not merged with another",
                   "uvm_map_enter, uvm_map.c: amap, new, amap",
                   {{Step::kMap, kHint, kPage, kRw, kFixed, kHint},
                    {Step::kMap, kHint + 2 * kPage, kPage, kRw, kFixed, kHint + 2 * kPage},
                    {Step::kWrite, kHint, 0, 0, 0, 1},
                    {Step::kWrite, kHint + 2 * kPage, 0, 0, 0, 1},
                    {Step::kMap, kHint + kPage, kPage, kRw, kFixed, kHint + kPage},
                    {Step::kCount, 0, 0, 0, 0, 2}}},
                  {"what mprotect split stays split",
                   "uvm_map_protect, uvm_map.c: clips only",
                   {{Step::kMap, kHint, 3 * kPage, kRw, kAnon, kHint},
                    {Step::kProtect, kHint + kPage, kPage, 0, 0, kOk},
                    {Step::kProtect, kHint + kPage, kPage, kRw, 0, kOk},
                    {Step::kCount, 0, 0, 0, 0, 3}}},
              });
}

TEST(NetBsdRulesTest, Advice) {
  constexpr uint64_t kAt = 0x600000000000;
  const Step map{Step::kMap, kAt, 4 * kPage, kRw, 0x1012, kAt}, write{Step::kWrite, kAt, 0, 0, 0, 1};
  ExpectRules("netbsd-amd64",
              {
                  {"MADV_FREE takes pages at once, MADV_DONTNEED keeps them; a read makes a page resident",
                   "sys_madvise, uvm_mmap.c 1.153; uvm_fault_lower, uvm_fault.c",
                   {map, write, {Step::kReadPage, kAt + kPage, 0, 0, 0, 1},
                    {Step::kAdvise, kAt, kPage, 0, 4, kOk}, {Step::kResident, 0, 0, 0, 0, 2 * kPage},
                    {Step::kAdvise, kAt + 1, 4, 0, 6, kOk}, {Step::kResident, 0, 0, 0, 0, kPage}}},
                  {"wired memory is not freed: EBUSY; SPACEAVAIL is EINVAL",
                   "uvm_map_clean, uvm_map.c; sys_madvise, uvm_mmap.c 1.153",
                   {map, {Step::kLock, kAt, kPage, 0, 0, kOk}, {Step::kAdvise, kAt, kPage, 0, 6, kOk, 16},
                    {Step::kAdvise, kAt, kPage, 0, 5, kOk, 22}}},
              });
  ExpectRules("netbsd-amd64", {{"RLIMIT_MEMLOCK: EAGAIN, and locked memory counts again",
                                "sys_mlock, uvm_mmap.c: size + pmap_wired_count",
                                {map, {Step::kLock, kAt, 2 * kPage, 0, 0, kOk},
                                 {Step::kLock, kAt, 2 * kPage, 0, 0, kOk, 35}},
                                {},
                                {},
                                16 * kGiB,
                                [](VirtualProcess* p) { p->limits.locked_bytes = 3 * kPage; }}});
}

}  // namespace
}  // namespace reheap
