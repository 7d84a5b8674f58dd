// OpenBSD, from its sources: a rule, where it was read, and what follows.
//
// Places are random there: only a free hint, or MAP_FIXED, says where a mapping goes.
#include <gtest/gtest.h>

#include "tests/golden/platforms/rule_table.h"

namespace reheap {
namespace {

// MAP_PRIVATE | MAP_ANON; MAP_FIXED 0x10; __MAP_NOREPLACE 0x800.
constexpr int kAnon = 0x1002;
constexpr int kFixed = kAnon | 0x10;
constexpr int kShared = 0x1001;
constexpr uint64_t kHint = 0xf800000000;

TEST(OpenBsdRulesTest, Limits) {
  ExpectRules(
      "openbsd-amd64",
      {
          {"there is no address limit",
           "sys/resource.h",
           {{Step::kMap, kHint, 17 * kGiB, 0, kAnon, kHint}},
           4 * kGiB},
          {"PROT_NONE is free",
           "sys_mmap, uvm_mmap.c 1.193: prot != PROT_NONE",
           {{Step::kMap, kHint, 17 * kGiB, 0, kAnon, kHint}},
           {},
           kPage},
          {"anything else that is anonymous counts, read-only and shared too",
           "sys_mmap, uvm_mmap.c 1.193",
           {{Step::kMap, kHint, kGiB, kRead, kAnon, kHint},
            {Step::kMap, kHint + kGiB, kPage, kRead, kAnon, kOk, 12},
            {Step::kMap, kHint + kGiB, kPage, 0, kShared, kOk, 12},
            {Step::kMap, kHint + kGiB, kPage, 0, kAnon, kHint + kGiB}},
           {},
           kGiB},
          {"mprotect from PROT_NONE is tested for the whole range before any of it changes",
           "uvm_map_protect, uvm_map.c 1.338",
           {{Step::kMap, kHint, 2 * kGiB, 0, kAnon, kHint},
            {Step::kProtect, kHint, kGiB + kPage, kRw, 0, kOk, 12},
            {Step::kWrite, kHint, 0, 0, 0, 0},
            {Step::kProtect, kHint, kGiB, kRw, 0, kOk},
            {Step::kProtect, kHint + kGiB, kPage, kRead, 0, kOk, 12}},
           {},
           kGiB},
          {"mprotect to PROT_NONE gives the room back",
           "uvm_map_protect, uvm_map.c 1.338: vm_dused -=",
           {{Step::kMap, kHint, kGiB, kRw, kAnon, kHint},
            {Step::kProtect, kHint, kGiB / 2, 0, 0, kOk},
            {Step::kMap, kHint + kTiB, kGiB / 2, kRw, kAnon, kHint + kTiB},
            {Step::kMap, kHint + 2 * kTiB, kPage, kRw, kAnon, kOk, 12}},
           {},
           kGiB},
          {"between two kinds of access nothing is counted again",
           "uvm_map_protect, uvm_map.c 1.338: only old_prot == PROT_NONE",
           {{Step::kMap, kHint, kGiB, kRead, kAnon, kHint}, {Step::kProtect, kHint, kGiB, kRw, 0, kOk}},
           {},
           kGiB},
          {"a fixed mapping over one's own counts twice for the test",
           "sys_mmap, uvm_mmap.c 1.193: before uvm_mapanon unmaps",
           {{Step::kMap, kHint, kGiB, kRw, kAnon, kHint},
            {Step::kMap, kHint, kPage, kRw, kFixed, kOk, 12},
            {Step::kMap, kHint, kGiB / 2, 0, kFixed, kHint},
            {Step::kMap, kHint, kGiB / 2, kRw, kFixed, kHint}},
           {},
           kGiB},
      });
}

TEST(OpenBsdRulesTest, Calls) {
  ExpectRules("openbsd-amd64",
              {
                  {"a free hint is followed",
                   "uvm_mapanon, uvm_map.c 1.338",
                   {{Step::kMap, kHint, kPage, kRw, kAnon, kHint}}},
                  {"MAP_FIXED replaces, with __MAP_NOREPLACE it is ENOMEM over something",
                   "uvm_mapanon, uvm_map.c 1.338: uvm_map_isavail",
                   {{Step::kMap, kHint, 2 * kPage, kRw, kFixed, kHint},
                    {Step::kMap, kHint, kPage, 0, kFixed, kHint},
                    {Step::kMap, kHint, kPage, kRw, kFixed | 0x800, kOk, 12}}},
                  {"a fixed place out of range or unaligned is EINVAL",
                   "sys_mmap, uvm_mmap.c 1.193",
                   {{Step::kMap, 0x7f7fffffc000, kPage, kRw, kFixed, kOk, 22},
                    {Step::kMap, kHint + 1, kPage, kRw, kFixed, kOk, 22}}},
                  {"length 0 is EINVAL",
                   "sys_mmap, uvm_mmap.c 1.193",
                   {{Step::kMap, kHint, 0, kRw, kAnon, kOk, 22}}},
                  {"protecting over a hole succeeds",
                   "uvm_map_protect, uvm_map.c 1.338",
                   {{Step::kMap, kHint, kPage, 0, kAnon, kHint},
                    {Step::kProtect, kHint, 4 * kPage, kRw, 0, kOk},
                    {Step::kWrite, kHint, 0, 0, 0, 1}}},
                  {"unmapping a range with a hole is EINVAL and unmaps nothing; length 0 is fine",
                   "sys_munmap, uvm_mmap.c 1.193: uvm_map_checkprot",
                   {{Step::kMap, kHint, kPage, kRw, kAnon, kHint},
                    {Step::kUnmap, kHint, 2 * kPage, 0, 0, kOk, 22},
                    {Step::kUnmap, kHint - kPage, 2 * kPage, 0, 0, kOk, 22},
                    {Step::kWrite, kHint, 0, 0, 0, 1},
                    {Step::kUnmap, kHint + kPage, kPage, 0, 0, kOk, 22},
                    {Step::kUnmap, kHint, 0, 0, 0, kOk},
                    {Step::kUnmap, kHint, kPage, 0, 0, kOk}}},
                  {"writable and executable is ENOTSUP, by either call, before anything else is looked at",
                   "uvm_wxcheck, uvm_mmap.c 1.193",
                   {{Step::kMap, kHint, 0, kRwx, kAnon, kOk, 91},
                    {Step::kMap, kHint, kPage, kRead | 4, kAnon, kHint},
                    {Step::kProtect, kHint, kPage, kRwx, 0, kOk, 91}}},
                  {"unknown flags, unknown protection, both kinds: EINVAL; neither kind is private",
                   "sys_mmap, uvm_mmap.c 1.193: MAP_FLAGMASK, PROT_MASK",
                   {{Step::kMap, kHint, kPage, kRw, kAnon | 0x10000, kOk, 22},
                    {Step::kMap, kHint, kPage, 8, kAnon, kOk, 22},
                    {Step::kProtect, kHint, kPage, 8, 0, kOk, 22},
                    {Step::kMap, kHint, kPage, kRw, kAnon | 1, kOk, 22},
                    {Step::kMap, kHint, kPage, kRw, 0x1000, kHint}}},
                  {"a stack is private anonymous memory to read and write, with no other flag",
                   "sys_mmap, uvm_mmap.c 1.193: MAP_STACK",
                   {{Step::kMap, kHint, kMiB, kRw, kAnon | 0x4000, kHint},
                    {Step::kMap, kHint + kGiB, kMiB, kRead, kAnon | 0x4000, kOk, 22},
                    {Step::kMap, kHint + kGiB, kMiB, kRw, kShared | 0x4000, kOk, 22},
                    {Step::kMap, kHint + kGiB, kMiB, kRw, kAnon | 0xc000, kOk, 22}}},
                  {"__MAP_NOREPLACE alone is EINVAL",
                   "sys_mmap, uvm_mmap.c 1.193",
                   {{Step::kMap, kHint, kPage, kRw, kAnon | 0x800, kOk, 22}}},
                  {"MADV_FREE over a hole is EFAULT",
                   "uvm_map_clean, uvm_map.c 1.338",
                   {{Step::kMap, kHint, kPage, kRw, kAnon, kHint},
                    {Step::kAdvise, kHint, kPage, 0, 6, kOk},
                    {Step::kAdvise, kHint, 2 * kPage, 0, 6, kOk, 14}}},
                  {"neighbours never become one mapping",
                   "uvm_mapanon, uvm_map.c 1.338",
                   {{Step::kMap, kHint, kPage, kRw, kFixed, kHint},
                    {Step::kMap, kHint + kPage, kPage, kRw, kFixed, kHint + kPage},
                    {Step::kCount, 0, 0, 0, 0, 2}}},
              });
}

TEST(OpenBsdRulesTest, Advice) {
  const Step map{Step::kMap, kHint, 4 * kPage, kRw, kAnon, kHint}, write{Step::kWrite, kHint, 0, 0, 0, 1};
  ExpectRules("openbsd-amd64",
              {
                  {"MADV_FREE takes pages at once, MADV_DONTNEED keeps them",
                   "sys_madvise, uvm_mmap.c: PGO_FREE and PGO_DEACTIVATE",
                   {map, write, {Step::kAdvise, kHint, kPage, 0, 4, kOk}, {Step::kResident, 0, 0, 0, 0, kPage},
                    {Step::kAdvise, kHint + 1, 4, 0, 6, kOk}, {Step::kResident, 0, 0, 0, 0, 0}}},
                  {"a read makes a page resident",
                   "uvm_fault_lower, uvm_fault.c",
                   {map, {Step::kReadPage, kHint, 0, 0, 0, 1}, {Step::kResident, 0, 0, 0, 0, kPage}}},
                  {"MADV_SPACEAVAIL is EINVAL; only what gives back minds holes",
                   "sys_madvise, uvm_mmap.c",
                   {map, {Step::kAdvise, kHint, kPage, 0, 5, kOk, 22},
                    {Step::kAdvise, kHint, 8 * kPage, 0, 3, kOk}, {Step::kAdvise, kHint, 8 * kPage, 0, 1, kOk},
                    {Step::kAdvise, kHint, 8 * kPage, 0, 4, kOk, 14}}},
                  {"wired memory is not freed: EBUSY",
                   "uvm_map_clean, uvm_map.c",
                   {map, {Step::kLock, kHint, kPage, 0, 0, kOk}, {Step::kAdvise, kHint, kPage, 0, 6, kOk, 16}}},
              });
  ExpectRules("openbsd-amd64", {{"RLIMIT_MEMLOCK: EAGAIN, and locked memory counts again",
                                 "sys_mlock, uvm_mmap.c: size + pmap_wired_count",
                                 {map, {Step::kLock, kHint, 2 * kPage, 0, 0, kOk},
                                  {Step::kLock, kHint, 2 * kPage, 0, 0, kOk, 35}},
                                 {},
                                 {},
                                 16 * kGiB,
                                 [](VirtualProcess* p) { p->limits.locked_bytes = 3 * kPage; }}});
}

}  // namespace
}  // namespace reheap
