// One table per platform that has no kernel here to be compared with: a rule, where it was read, and what
// follows.
//
// Each case is a fresh process of the platform's own image; each step a call and the answer that the source
// implies.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "sim/os/platform_catalog.h"
#include "sim/os/virtual_os.h"

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;
constexpr int kRw = kProtRead | kProtWrite;
constexpr uint64_t kOk = 0;

struct Step {
  enum Kind { kMap, kUnmap, kProtect, kAlloc, kFree } kind;
  uint64_t addr;
  uint64_t bytes;
  int protection;  // kAlloc: page protection
  int flags;       // kAlloc, kFree: type
  uint64_t value;  // expected address; kOk for calls that answer none
  int error = 0;   // expected error number; 0 = success
};

struct Case {
  const char* rule;
  const char* source;
  std::vector<Step> steps;
  std::optional<uint64_t> address_room_bytes = {};  // limit = what the image has + this
  std::optional<uint64_t> data_room_bytes = {};
  uint64_t ram_bytes = 16 * kGiB;
};

void ExpectRules(const std::string& platform, const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(platform + ": " + c.rule + " (" + c.source + ")");
    VirtualProcess process;
    process.platform = Platforms().Find(platform);
    ASSERT_NE(process.platform, nullptr);
    process.limits.ram_bytes = c.ram_bytes;
    const uint64_t image_bytes = VirtualOs(process).Usage().vsize_bytes;
    if (c.address_room_bytes) process.limits.address_bytes = image_bytes + *c.address_room_bytes;
    if (c.data_room_bytes) process.limits.data_bytes = image_bytes + *c.data_room_bytes;
    VirtualOs os(process);
    int number = 0;
    for (const Step& s : c.steps) {
      SCOPED_TRACE("step " + std::to_string(++number));
      uint64_t value = kOk;
      int error = 0;
      const auto note = [&error](const auto& result) { error = result.ok() ? 0 : result.refusal().os_error; };
      const auto note_address = [&](const OsResult<Addr>& result) {
        if (result.ok()) value = result.value().value();
        note(result);
      };
      switch (s.kind) {
        case Step::kMap:
          note_address(os.Mmap(Addr(s.addr), s.bytes, s.protection, s.flags));
          break;
        case Step::kUnmap:
          note(os.Munmap(Addr(s.addr), s.bytes));
          break;
        case Step::kProtect:
          note(os.Mprotect(Addr(s.addr), s.bytes, s.protection));
          break;
        case Step::kAlloc:
          note_address(os.VirtualAlloc(Addr(s.addr), s.bytes, static_cast<uint32_t>(s.flags),
                                       static_cast<uint32_t>(s.protection)));
          break;
        case Step::kFree:
          note(os.VirtualFree(Addr(s.addr), s.bytes, static_cast<uint32_t>(s.flags)));
          break;
      }
      EXPECT_EQ(error, s.error);
      EXPECT_EQ(value, s.value) << std::hex << "0x" << value << " instead of 0x" << s.value;
      os.CheckInvariants();
    }
  }
}

// ---- FreeBSD 12.3, amd64 ----
// MAP_PRIVATE | MAP_ANON; MAP_FIXED 0x10; MAP_EXCL 0x4000. The image's data segment begins at 0x425000.
constexpr int kBsd = 0x1002;
constexpr uint64_t kBsdStart = 0x425000 + 32 * kGiB;

TEST(PlatformRulesTest, FreeBsd) {
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

// ---- Darwin, amd64 ----
constexpr int kMac = 0x1002;
constexpr uint64_t kMacFirst = 0x10002b000;  // the first page after the image's BSS

const std::vector<Case>& MacPlacement() {
  static const std::vector<Case> cases = {
      {"without hint: lowest fit", "vm_map.c:2215", {{Step::kMap, 0, kPage, kRw, kMac, kMacFirst}}},
      {"a hint is rounded up",
       "kern_mman.c:241",
       {{Step::kMap, 0xf800000001, kPage, kRw, kMac, 0xf800001000}}},
      {"a taken hint yields the next hole above it",
       "vm_map.c:2215",
       {{Step::kMap, 0xf800000000, 2 * kPage, kRw, kMac, 0xf800000000},
        {Step::kMap, 0xf800000000, kPage, kRw, kMac, 0xf800002000}}},
      {"nothing above the hint: once more from the bottom",
       "kern_mman.c:801",
       {{Step::kMap, 0x7fffffdff000, 2 * kPage, kRw, kMac, kMacFirst}}},
      {"the fixed mapping overwrites",
       "kern_mman.c:705",
       {{Step::kMap, 0xf800000000, 2 * kPage, 0, kMac, 0xf800000000},
        {Step::kMap, 0xf800000000, kPage, kRw, kMac | 0x10, 0xf800000000}}},
      {"munmap unaligned is EINVAL",
       "kern_mman.c:1146",
       {{Step::kUnmap, 0xf800000001, kPage, 0, 0, kOk, 22}}},
      {"mprotect over a hole is ENOMEM",
       "kern_mman.c:1300",
       {{Step::kMap, 0xf800000000, kPage, 0, kMac, 0xf800000000},
        {Step::kProtect, 0xf800000000, 2 * kPage, kRw, 0, kOk, 12}}},
      {"no commit charge",
       "osfmk/vm",
       {{Step::kMap, 0xf800000000, kTiB, kRw, kMac, 0xf800000000}},
       {},
       {},
       kGiB},
  };
  return cases;
}

TEST(PlatformRulesTest, Darwin11) {
  ExpectRules("darwin-amd64-11", MacPlacement());
  ExpectRules("darwin-amd64-11", {
                                     {"RLIMIT_AS is not enforced",
                                      "xnu-7195.141.2",
                                      {{Step::kMap, 0xf800000000, 17 * kGiB, 0, kMac, 0xf800000000}},
                                      kGiB},
                                     {"RLIMIT_DATA is not enforced",
                                      "xnu-7195.141.2",
                                      {{Step::kMap, 0xf800000000, kGiB, kRw, kMac, 0xf800000000}},
                                      {},
                                      0},
                                 });
}

TEST(PlatformRulesTest, Darwin12) {
  ExpectRules("darwin-amd64-12", MacPlacement());
  ExpectRules("darwin-amd64-12", {
                                     {"RLIMIT_AS counts the whole map, PROT_NONE too",
                                      "vm_map.c:3604, xnu-8019.41.5",
                                      {{Step::kMap, 0xf800000000, kGiB, 0, kMac, 0xf800000000},
                                       {Step::kMap, 0xfc00000000, kPage, 0, kMac, kOk, 12},
                                       {Step::kProtect, 0xf800000000, kGiB, kRw, 0, kOk}},
                                      kGiB},
                                     {"a fixed mapping over one's own is counted once",
                                      "vm_map.c:3604: tested after the insertion",
                                      {{Step::kMap, 0xf800000000, kGiB, 0, kMac, 0xf800000000},
                                       {Step::kMap, 0xf800000000, kGiB, kRw, kMac | 0x10, 0xf800000000}},
                                      kGiB},
                                     {"RLIMIT_DATA counts the whole map as well",
                                      "vm_map.c:3633, xnu-8019.41.5",
                                      {{Step::kMap, 0xf800000000, kGiB + kPage, 0, kMac, kOk, 12},
                                       {Step::kMap, 0xf800000000, kGiB, 0, kMac, 0xf800000000}},
                                      {},
                                      kGiB},
                                 });
}

// ---- Windows, amd64 ----
constexpr int kReserve = kMemReserve, kCommit = kMemCommit, kDecommit = kMemDecommit, kRelease = kMemRelease;
constexpr int kNone = kPageNoAccess, kPageRw = kPageReadWrite;

TEST(PlatformRulesTest, Windows) {
  const char* const wine = "Wine 8.0, measured";
  ExpectRules("windows-amd64",
              {
                  {"lowest granule that is free; the tail of a granule is lost",
                   wine,
                   {{Step::kAlloc, 0, kPage, kNone, kReserve, 0x10000},
                    {Step::kAlloc, 0, kPage, kNone, kReserve, 0x20000}}},
                  {"a freed hole is used at once",
                   wine,
                   {{Step::kAlloc, 0, kPage, kNone, kReserve, 0x10000},
                    {Step::kAlloc, 0, kPage, kNone, kReserve, 0x20000},
                    {Step::kFree, 0x10000, 0, 0, kRelease, kOk},
                    {Step::kAlloc, 0, kPage, kNone, kReserve, 0x10000}}},
                  {"a reservation begins on a granule below the address",
                   wine,
                   {{Step::kAlloc, 0x2000abcd, kPage, kNone, kReserve, 0x20000000}}},
                  {"and ends on the page above its end: 0x2000abcd + 4096 needs 0xc000 bytes",
                   wine,
                   {{Step::kAlloc, 0x2000abcd, kPage, kNone, kReserve, 0x20000000},
                    {Step::kAlloc, 0x2000b000, kPage, kPageRw, kCommit, 0x2000b000},
                    {Step::kAlloc, 0x2000c000, kPage, kPageRw, kCommit, kOk, 487}}},
                  {"a taken address fails and is never moved",
                   wine,
                   {{Step::kAlloc, 0xf800000000, kPage, kNone, kReserve, 0xf800000000},
                    {Step::kAlloc, 0xf800001000, kPage, kNone, kReserve, kOk, 487}}},
                  {"below the lowest and above the highest address",
                   wine,
                   {{Step::kAlloc, 0x1000, kPage, kNone, kReserve, kOk, 87},
                    {Step::kAlloc, 0x7fffffff0000, kPage, kNone, kReserve, kOk, 87}}},
                  {"commit lies in a reservation, is idempotent, and answers its page",
                   wine,
                   {{Step::kAlloc, 0xf800000000, kMiB, kPageRw, kCommit, kOk, 487},
                    {Step::kAlloc, 0xf800000000, kMiB, kNone, kReserve, 0xf800000000},
                    {Step::kAlloc, 0xf800001234, 1, kPageRw, kCommit, 0xf800001000},
                    {Step::kAlloc, 0xf800001000, kPage, kPageRw, kCommit, 0xf800001000},
                    {Step::kAlloc, 0xf8000ff000, 2 * kPage, kPageRw, kCommit, kOk, 487}}},
                  {"commit of two adjacent reservations at once fails",
                   wine,
                   {{Step::kAlloc, 0xf800000000, 65536, kNone, kReserve, 0xf800000000},
                    {Step::kAlloc, 0xf800010000, 65536, kNone, kReserve, 0xf800010000},
                    {Step::kAlloc, 0xf80000f000, 2 * kPage, kPageRw, kCommit, kOk, 487}}},
                  {"commit without an address reserves too",
                   wine,
                   {{Step::kAlloc, 0, kPage, kPageRw, kCommit, 0x10000}}},
                  {"decommit is idempotent, also of what was never committed; past the end 87",
                   wine,
                   {{Step::kAlloc, 0xf800000000, kMiB, kNone, kReserve, 0xf800000000},
                    {Step::kFree, 0xf800000000, kMiB, 0, kDecommit, kOk},
                    {Step::kFree, 0xf800000000, kMiB, 0, kDecommit, kOk},
                    {Step::kFree, 0xf8000ff000, 2 * kPage, 0, kDecommit, kOk, 87}}},
                  {"decommit of size 0 means all, at the base only",
                   wine,
                   {{Step::kAlloc, 0xf800000000, kMiB, kPageRw, kReserve | kCommit, 0xf800000000},
                    {Step::kFree, 0xf800001000, 0, 0, kDecommit, kOk, 487},
                    {Step::kFree, 0xf800000000, 0, 0, kDecommit, kOk}}},
                  {"release takes the whole reservation at its base and nothing else",
                   wine,
                   {{Step::kAlloc, 0xf800000000, kMiB, kNone, kReserve, 0xf800000000},
                    {Step::kFree, 0xf800000000, kMiB, 0, kRelease, kOk, 87},
                    {Step::kFree, 0xf800001000, 0, 0, kRelease, kOk, 487},
                    {Step::kFree, 0xf800000000, 0, 0, kRelease | kDecommit, kOk, 87},
                    {Step::kFree, 0xf800000fff, 0, 0, kRelease, kOk}}},
                  {"freeing what is not reserved",
                   "NtFreeVirtualMemory, ntoskrnl/mm/ARM3/virtual.c, ReactOS: STATUS_MEMORY_NOT_ALLOCATED",
                   {{Step::kFree, 0xf800000000, 0, 0, kRelease, kOk, 487},
                    {Step::kFree, 0xf800000000, kPage, 0, kDecommit, kOk, 487}}},
                  {"size 0, no type, no protection: 87",
                   wine,
                   {{Step::kAlloc, 0, 0, kPageRw, kReserve, kOk, 87},
                    {Step::kAlloc, 0, kPage, kPageRw, 0, kOk, 87},
                    {Step::kAlloc, 0, kPage, 0, kReserve, kOk, 87},
                    {Step::kAlloc, 0, kPage, kPageRw | kNone, kReserve, kOk, 87}}},
                  {"reserving is not charged, committing is: refused beyond RAM + page files",
                   "Microsoft, commit limit",
                   {{Step::kAlloc, 0xf800000000, 17 * kGiB, kNone, kReserve, 0xf800000000},
                    {Step::kAlloc, 0xf800000000, 17 * kGiB, kPageRw, kCommit, kOk, 1455},
                    {Step::kAlloc, 0xf800000000, kGiB / 2, kPageRw, kCommit, 0xf800000000},
                    {Step::kAlloc, 0xf800000000, kGiB / 2 + kPage, kPageRw, kCommit, 0xf800000000},
                    {Step::kAlloc, 0xf800000000, kGiB, kPageRw, kCommit, kOk, 1455}},
                   {},
                   {},
                   kGiB},
                  {"there is no address limit",
                   "no rlimits",
                   {{Step::kAlloc, 0xf800000000, 17 * kGiB, kNone, kReserve, 0xf800000000}},
                   kGiB},
              });
}

// ---- Linux, a 32-bit program ----
constexpr int kLinux = 0x22;

TEST(PlatformRulesTest, Linux386) {
  ExpectRules("linux-386", {
                               {"top-down from below the vdso",
                                "measured on 6.18",
                                {{Step::kMap, 0, 16 * kPage, kRw, kLinux, 0xf7fe8000}}},
                               {"no huge page alignment",
                                "thp_get_unmapped_area, mm/huge_memory.c, 6.12; measured on 6.18",
                                {{Step::kMap, 0, 2 * kMiB, kRw, kLinux, 0xf7df8000}}},
                               {"a low hint is raised to the floor",
                                "round_hint_to_min, mm/mmap.c, 6.12",
                                {{Step::kMap, 0x1000, kPage, kRw, kLinux, 0x10000}}},
                               {"beyond the address space",
                                "mm/mmap.c, 6.12",
                                {{Step::kMap, 0, 4 * kGiB, 0, kLinux, kOk, 12},
                                 {Step::kMap, 0xffffe000, kPage, 0, kLinux | 0x10, kOk, 12}}},
                               {"nothing fits top-down: bottom-up from a third of the address space",
                                "sys_x86_64.c, 6.12",
                                {{Step::kMap, 0x10000000, 0xe7ff8000, 0, kLinux, 0x10000000},
                                 {Step::kMap, 0x10000, 0x7ff0000, 0, kLinux, 0x10000},
                                 {Step::kMap, 0x8100000, 0x7f00000, 0, kLinux, 0x8100000},
                                 {Step::kMap, 0, kMiB, 0, kLinux, 0xf7ffe000}}},
                               {"mode 0 refuses one request beyond RAM and swap",
                                "__vm_enough_memory, mm/util.c, 6.12",
                                {{Step::kMap, 0, kGiB + kPage, kRw, kLinux, kOk, 12},
                                 {Step::kMap, 0, kGiB + kPage, 0, kLinux, 0xb7ff7000}},
                                {},
                                {},
                                kGiB},
                           });
}

}  // namespace
}  // namespace reheap
