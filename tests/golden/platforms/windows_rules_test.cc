// Windows, from Microsoft's documents and ReactOS's kernel (written after Windows Server 2003), and what
// Wine 8.0 does as well: a rule, where it was read, and what follows. What Wine confirms is compared with it
// in tests/differential/wine.
#include <gtest/gtest.h>

#include "tests/golden/platforms/rule_table.h"

namespace reheap {
namespace {

constexpr int kReserve = kMemReserve, kCommit = kMemCommit, kDecommit = kMemDecommit, kRelease = kMemRelease;
constexpr int kTopDown = kMemTopDown;
constexpr int kNone = kPageNoAccess, kPageRw = kPageReadWrite;
constexpr uint64_t kAt = 0xf800000000;
constexpr const char* kWine = "Wine 8.0, measured";
constexpr const char* kAllocate = "NtAllocateVirtualMemory, ntoskrnl/mm/ARM3/virtual.c, ReactOS";
constexpr const char* kFreeing = "NtFreeVirtualMemory, ntoskrnl/mm/ARM3/virtual.c, ReactOS";
constexpr const char* kProtecting = "MiProtectVirtualMemory, ntoskrnl/mm/ARM3/virtual.c, ReactOS";

constexpr uint64_t State(uint64_t state, uint64_t protection, uint64_t allocation_protection) {
  return state | protection << 32 | allocation_protection << 48;
}

TEST(WindowsRulesTest, Placement) {
  ExpectRules("windows-amd64",
              {
                  {"lowest granule that is free; the tail of a granule is lost",
                   kWine,
                   {{Step::kAlloc, 0, kPage, kNone, kReserve, 0x10000},
                    {Step::kAlloc, 0, kPage, kNone, kReserve, 0x20000}}},
                  {"a freed hole is used at once",
                   kWine,
                   {{Step::kAlloc, 0, kPage, kNone, kReserve, 0x10000},
                    {Step::kAlloc, 0, kPage, kNone, kReserve, 0x20000},
                    {Step::kFree, 0x10000, 0, 0, kRelease, kOk},
                    {Step::kAlloc, 0, kPage, kNone, kReserve, 0x10000}}},
                  {"a reservation begins on a granule below the address",
                   kWine,
                   {{Step::kAlloc, 0x2000abcd, kPage, kNone, kReserve, 0x20000000}}},
                  {"and ends on the page above its end: 0x2000abcd + 4096 needs 0xc000 bytes",
                   kWine,
                   {{Step::kAlloc, 0x2000abcd, kPage, kNone, kReserve, 0x20000000},
                    {Step::kAlloc, 0x2000b000, kPage, kPageRw, kCommit, 0x2000b000},
                    {Step::kAlloc, 0x2000c000, kPage, kPageRw, kCommit, kOk, 487}}},
                  {"a taken address fails and is never moved",
                   kWine,
                   {{Step::kAlloc, kAt, kPage, kNone, kReserve, kAt},
                    {Step::kAlloc, 0xf800001000, kPage, kNone, kReserve, kOk, 487}}},
                  {"below the lowest and above the highest address",
                   kWine,
                   {{Step::kAlloc, 0x1000, kPage, kNone, kReserve, kOk, 87},
                    {Step::kAlloc, 0x7fffffff0000, kPage, kNone, kReserve, kOk, 87}}},
                  {"MEM_TOP_DOWN: the highest granules that are free",
                   "Microsoft, VirtualAlloc",
                   {{Step::kAlloc, 0, kPage, kNone, kReserve | kTopDown, 0x7fffffef0000},
                    {Step::kAlloc, 0, 65536 + kPage, kNone, kReserve | kTopDown, 0x7fffffed0000}}},
                  {"no place for it: 8, beyond the address space: 87",
                   kWine,
                   {{Step::kAlloc, 0, 0x7fffffff0000, kNone, kReserve, kOk, 8},
                    {Step::kAlloc, 0, 0x800000000000, kNone, kReserve, kOk, 87}}},
              });
}

TEST(WindowsRulesTest, AllocateAndFree) {
  ExpectRules(
      "windows-amd64",
      {
          {"commit lies in a reservation, is idempotent, and answers its page",
           kWine,
           {{Step::kAlloc, kAt, kMiB, kPageRw, kCommit, kOk, 487},
            {Step::kAlloc, kAt, kMiB, kNone, kReserve, kAt},
            {Step::kAlloc, 0xf800001234, 1, kPageRw, kCommit, 0xf800001000},
            {Step::kAlloc, 0xf800001000, kPage, kPageRw, kCommit, 0xf800001000},
            {Step::kAlloc, 0xf8000ff000, 2 * kPage, kPageRw, kCommit, kOk, 487}}},
          {"commit of two adjacent reservations at once fails",
           kWine,
           {{Step::kAlloc, kAt, 65536, kNone, kReserve, kAt},
            {Step::kAlloc, 0xf800010000, 65536, kNone, kReserve, 0xf800010000},
            {Step::kAlloc, 0xf80000f000, 2 * kPage, kPageRw, kCommit, kOk, 487}}},
          {"commit without an address reserves too",
           kWine,
           {{Step::kAlloc, 0, kPage, kPageRw, kCommit, 0x10000}}},
          {"decommit is idempotent, also of what was never committed; past the end 87",
           kWine,
           {{Step::kAlloc, kAt, kMiB, kNone, kReserve, kAt},
            {Step::kFree, kAt, kMiB, 0, kDecommit, kOk},
            {Step::kFree, kAt, kMiB, 0, kDecommit, kOk},
            {Step::kFree, 0xf8000ff000, 2 * kPage, 0, kDecommit, kOk, 87}}},
          {"decommit of size 0 means all, at the base only",
           kWine,
           {{Step::kAlloc, kAt, kMiB, kPageRw, kReserve | kCommit, kAt},
            {Step::kFree, 0xf800001000, 0, 0, kDecommit, kOk, 487},
            {Step::kFree, kAt, 0, 0, kDecommit, kOk}}},
          {"release takes the whole reservation at its base and nothing else",
           kWine,
           {{Step::kAlloc, kAt, kMiB, kNone, kReserve, kAt},
            {Step::kFree, kAt, kMiB, 0, kRelease, kOk, 87},
            {Step::kFree, 0xf800001000, 0, 0, kRelease, kOk, 487},
            {Step::kFree, kAt, 0, 0, kRelease | kDecommit, kOk, 87},
            {Step::kFree, 0xf800000fff, 0, 0, kRelease, kOk}}},
          {"freeing what is not reserved",
           "NtFreeVirtualMemory, ntoskrnl/mm/ARM3/virtual.c, ReactOS: STATUS_MEMORY_NOT_ALLOCATED",
           {{Step::kFree, kAt, 0, 0, kRelease, kOk, 487}, {Step::kFree, kAt, kPage, 0, kDecommit, kOk, 487}}},
          {"size 0, no type, no protection: 87",
           kWine,
           {{Step::kAlloc, 0, 0, kPageRw, kReserve, kOk, 87},
            {Step::kAlloc, 0, kPage, kPageRw, 0, kOk, 87},
            {Step::kAlloc, 0, kPage, 0, kReserve, kOk, 87},
            {Step::kAlloc, 0, kPage, kPageRw | kNone, kReserve, kOk, 87}}},
          {"reserving is not charged, committing is: refused beyond RAM + page files",
           "Microsoft, commit limit",
           {{Step::kAlloc, kAt, 17 * kGiB, kNone, kReserve, kAt},
            {Step::kAlloc, kAt, 17 * kGiB, kPageRw, kCommit, kOk, 1455},
            {Step::kAlloc, kAt, kGiB / 2, kPageRw, kCommit, kAt},
            {Step::kAlloc, kAt, kGiB / 2 + kPage, kPageRw, kCommit, kAt},
            {Step::kAlloc, kAt, kGiB, kPageRw, kCommit, kOk, 1455}},
           {},
           {},
           kGiB},
          {"there is no address limit",
           "no rlimits",
           {{Step::kAlloc, kAt, 17 * kGiB, kNone, kReserve, kAt}},
           kGiB},
      });
}

TEST(WindowsRulesTest, TypesAndProtections) {
  ExpectRules(
      "windows-amd64",
      {
          {"MEM_RESET stands alone, and wants a protection although it ignores it",
           "Microsoft, VirtualAlloc; NtAllocateVirtualMemory, ReactOS",
           {{Step::kAlloc, kAt, kMiB, kPageRw, kReserve | kCommit, kAt},
            {Step::kAlloc, kAt, kMiB, kNone, static_cast<int>(kMemReset), kAt},
            {Step::kRegionState, kAt, 0, 0, 0, State(kMemCommit, kPageRw, kPageRw)},
            {Step::kCommitted, 0, 0, 0, 0, kMiB},
            {Step::kAlloc, kAt, kMiB, 0, static_cast<int>(kMemReset), kOk, 87},
            {Step::kAlloc, kAt, kMiB, kPageRw, static_cast<int>(kMemReset) | kCommit, kOk, 87},
            {Step::kAlloc, kAt + kMiB, kPage, kPageRw, static_cast<int>(kMemReset), kOk, 487},
            {Step::kAlloc, kAt, kMiB, kPageRw, static_cast<int>(kMemResetUndo), kAt}}},
          {"a reset without an address reserves",
           kAllocate,
           {{Step::kAlloc, 0, kPage, kPageRw, static_cast<int>(kMemReset), 0x10000},
            {Step::kRegionState, 0x10000, 0, 0, 0, State(kMemReserve, 0, kPageRw)}}},
          {"large pages want MEM_RESERVE and MEM_COMMIT, then a privilege",
           "Microsoft, VirtualAlloc; NtAllocateVirtualMemory, ReactOS: STATUS_PRIVILEGE_NOT_HELD",
           {{Step::kAlloc, 0, 2 * kMiB, kPageRw, kReserve | static_cast<int>(kMemLargePages), kOk, 87},
            {Step::kAlloc, 0, 2 * kMiB, kPageRw, kReserve | kCommit | static_cast<int>(kMemLargePages), kOk,
             1314}}},
          {"MEM_WRITE_WATCH wants MEM_RESERVE",
           kAllocate,
           {{Step::kAlloc, kAt, kPage, kPageRw, kReserve | static_cast<int>(kMemWriteWatch), kAt},
            {Step::kAlloc, kAt, kPage, kPageRw, kCommit | static_cast<int>(kMemWriteWatch), kOk, 87}}},
          {"a window for physical pages: read and write only, never committed, released whole",
           kAllocate,
           {{Step::kAlloc, kAt, kMiB, kNone, kReserve | static_cast<int>(kMemPhysical), kOk, 87},
            {Step::kAlloc, kAt, kMiB, kPageRw, kReserve | kCommit | static_cast<int>(kMemPhysical), kOk, 87},
            {Step::kAlloc, kAt, kMiB, kPageRw, kReserve | static_cast<int>(kMemPhysical), kAt},
            {Step::kAlloc, kAt, kPage, kPageRw, kCommit, kOk, 487},
            {Step::kFree, kAt, kPage, 0, kDecommit, kOk, 487},
            {Step::kFree, kAt, 0, 0, kRelease, kOk}}},
          {"one kind of protection; guard, no-cache and write-combine exclude one another and PAGE_NOACCESS",
           "MiMakeProtectionMask, ntoskrnl/mm/ARM3/section.c, ReactOS",
           {{Step::kAlloc, kAt, kMiB, kNone, kReserve, kAt},
            {Step::kAlloc, kAt, kPage, 0x06, kCommit, kOk, 87},
            {Step::kAlloc, kAt, kPage, 0x14, kCommit, kOk, 87},
            {Step::kAlloc, kAt, kPage, 0x101, kCommit, kOk, 87},
            {Step::kAlloc, kAt, kPage, 0x304, kCommit, kOk, 87},
            {Step::kAlloc, kAt, kPage, 0x604, kCommit, kOk, 87},
            {Step::kAlloc, kAt, kPage, 0x804, kCommit, kOk, 87},
            {Step::kAlloc, kAt, kPage, 0x204, kCommit, kAt},
            {Step::kRegionState, kAt, 0, 0, 0, State(kMemCommit, 0x204, kNone)}}},
          {"private memory is never copied on write",
           kAllocate,
           {{Step::kAlloc, kAt, kMiB, 0x08, kReserve, kOk, 87},
            {Step::kAlloc, kAt, kMiB, kPageRw, kReserve | kCommit, kAt},
            {Step::kAlloc, kAt, kPage, 0x80, kCommit, kOk, 87},
            {Step::kProtectPages, kAt, kPage, 0x08, 0, 0, 87}}},
      });
}

TEST(WindowsRulesTest, ProtectAndQuery) {
  ExpectRules(
      "windows-amd64",
      {
          {"the old protection is the first page's; all pages must be committed",
           kProtecting,
           {{Step::kAlloc, kAt, 4 * kPage, kNone, kReserve, kAt},
            {Step::kAlloc, kAt, 2 * kPage, kPageRw, kCommit, kAt},
            {Step::kProtectPages, kAt + kPage, kPage, 0x02, 0, kPageRw},
            {Step::kProtectPages, kAt, 2 * kPage, 0x20, 0, kPageRw},
            {Step::kProtectPages, kAt + kPage, 2 * kPage, kPageRw, 0, 0, 487},
            {Step::kProtectPages, kAt + 3 * kPage, kPage, kPageRw, 0, 0, 487}}},
          {"one allocation only, and something of it",
           kProtecting,
           {{Step::kAlloc, kAt, 65536, kPageRw, kReserve | kCommit, kAt},
            {Step::kAlloc, kAt + 65536, 65536, kPageRw, kReserve | kCommit, kAt + 65536},
            {Step::kProtectPages, kAt + 65536 - kPage, 2 * kPage, kNone, 0, 0, 487},
            {Step::kProtectPages, kAt - kPage, kPage, kNone, 0, 0, 487},
            {Step::kProtectPages, kAt, 0, kNone, 0, 0, 87},
            {Step::kProtectPages, kAt, kPage, 0, 0, 0, 87}}},
          {"the pages that hold a byte of the range",
           "Microsoft, VirtualProtect",
           {{Step::kAlloc, kAt, 4 * kPage, kPageRw, kReserve | kCommit, kAt},
            {Step::kProtectPages, kAt + kPage - 1, 2, kNone, 0, kPageRw},
            {Step::kWrite, kAt, 0, 0, 0, 0},
            {Step::kWrite, kAt + kPage, 0, 0, 0, 0},
            {Step::kWrite, kAt + 2 * kPage, 0, 0, 0, 1}}},
          {"a region: pages of one allocation in one state with one protection, from the page asked about",
           "Microsoft, VirtualQuery",
           {{Step::kAlloc, kAt, 8 * kPage, 0x20, kReserve, kAt},
            {Step::kAlloc, kAt + 2 * kPage, 3 * kPage, kPageRw, kCommit, kAt + 2 * kPage},
            {Step::kRegionBytes, kAt + kPage + 5, 0, 0, 0, kPage},
            {Step::kRegionState, kAt + kPage, 0, 0, 0, State(kMemReserve, 0, 0x20)},
            {Step::kRegionBytes, kAt + 3 * kPage, 0, 0, 0, 2 * kPage},
            {Step::kRegionState, kAt + 3 * kPage, 0, 0, 0, State(kMemCommit, kPageRw, 0x20)},
            {Step::kRegionBytes, kAt + 5 * kPage, 0, 0, 0, 3 * kPage},
            {Step::kRegionState, kAt + 8 * kPage, 0, 0, 0, State(kMemFree, kNone, 0)},
            {Step::kFree, kAt, 0, 0, kDecommit, kOk},
            {Step::kRegionBytes, kAt, 0, 0, 0, 8 * kPage}}},
          {"the tail of a granule is free, and no place for a reservation",
           kWine,
           {{Step::kAlloc, kAt, kPage, kNone, kReserve, kAt},
            {Step::kRegionState, kAt + kPage, 0, 0, 0, State(kMemFree, kNone, 0)},
            {Step::kAlloc, kAt + kPage, kPage, kNone, kReserve, kOk, 487}}},
          {"an address beyond the user range",
           kWine,
           {{Step::kRegionBytes, 0x7fffffff0000, 0, 0, 0, 0, 87},
            {Step::kRegionBytes, 0, 0, 0, 0, 0x400000}}},
          {"a guard page faults once",
           "Microsoft, Creating Guard Pages; Wine 8.0, measured",
           {{Step::kAlloc, kAt, kPage, kPageRw | 0x100, kReserve | kCommit, kAt},
            {Step::kWrite, kAt, 0, 0, 0, 0},
            {Step::kRegionState, kAt, 0, 0, 0, State(kMemCommit, kPageRw, kPageRw | 0x100)},
            {Step::kWrite, kAt, 0, 0, 0, 1}}},
      });
}

TEST(WindowsRulesTest, WorkingSet) {
  ExpectRules("windows-amd64",
              {{"a committed page is in the working set from its first access on, a read too",
                "MiResolveDemandZeroFault, ntoskrnl/mm/ARM3/pagfault.c, ReactOS",
                {{Step::kAlloc, kAt, 4 * kPage, kPageRw, kReserve | kCommit, kAt},
                 {Step::kResident, 0, 0, 0, 0, 0},
                 {Step::kReadPage, kAt, 0, 0, 0, 1},
                 {Step::kWrite, kAt + kPage, 0, 0, 0, 1},
                 {Step::kResident, 0, 0, 0, 0, 2 * kPage},
                 {Step::kFree, kAt, kPage, 0, kDecommit, kOk},
                 {Step::kResident, 0, 0, 0, 0, kPage}}}});
}

// The lowest and the highest place of each address space.
TEST(WindowsRulesTest, Sizes) {
  const struct {
    const char* platform;
    uint64_t user_end;
  } sizes[] = {{"windows-386", 0x7fff0000},
               {"windows-386-3gib", 0xbfff0000},
               {"windows-386-4gib", 0xffff0000},
               {"windows-amd64-8tib", 0x7ffffff0000},
               {"windows-amd64", 0x7fffffff0000}};
  for (const auto& [platform, user_end] : sizes) {
    ExpectRules(platform, {{"the end of the user range",
                            "Microsoft, Memory Limits for Windows and Windows Server Releases",
                            {{Step::kAlloc, user_end, kPage, kNone, kReserve, kOk, 87},
                             {Step::kAlloc, user_end - 65536, 2 * 65536, kNone, kReserve, kOk, 87},
                             {Step::kAlloc, 0x1000, kPage, kNone, kReserve, kOk, 87}}}});
  }
  ExpectRules("windows-386-4gib", {{"a gigabyte above the third",
                                    "Microsoft, Memory Limits",
                                    {{Step::kAlloc, 0xc0000000, 0x3fff0000, kNone, kReserve, 0xc0000000}}}});
}

}  // namespace
}  // namespace reheap
