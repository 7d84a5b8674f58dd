// Darwin, from xnu: a rule, where it was read, and what follows.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/golden/platforms/rule_table.h"

namespace reheap {
namespace {

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

TEST(DarwinRulesTest, Darwin11) {
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

TEST(DarwinRulesTest, Darwin12) {
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
TEST(DarwinRulesTest, ProtectLooksForHolesFirst) {
  ExpectRules("darwin-amd64-12", {{"mprotect over a hole changes nothing",
                                   "vm_map_protect, osfmk/vm/vm_map.c:5787, xnu-11417.101.15",
                                   {{Step::kMap, 0xf800000000, kPage, 0, kMac, 0xf800000000},
                                    {Step::kProtect, 0xf800000000, 2 * kPage, kRw, 0, kOk, 12},
                                    {Step::kWrite, 0xf800000000, 0, 0, 0, 0},
                                    {Step::kProtect, 0xf800000000, kPage, kRw | 8, 0, kOk},
                                    {Step::kWrite, 0xf800000000, 0, 0, 0, 1}}},
                                  {"madvise over a hole is EINVAL",
                                   "madvise, bsd/kern/kern_mman.c, xnu-11417.101.15: KERN_INVALID_ADDRESS",
                                   {{Step::kMap, 0xf800000000, kPage, kRw, kMac, 0xf800000000},
                                    {Step::kAdvise, 0xf800000000, 2 * kPage, 0, 5, kOk, 22}}}});
}

TEST(DarwinRulesTest, Advice) {
  constexpr uint64_t kAt = 0xf800000000;
  const Step map{Step::kMap, kAt, 4 * kPage, kRw, kMac, kAt}, write{Step::kWrite, kAt, 0, 0, 0, 1};
  const auto resident = [](uint64_t bytes) { return Step{Step::kResident, 0, 0, 0, 0, bytes}; };
  const auto footprint = [](uint64_t bytes) { return Step{Step::kFootprint, 0, 0, 0, 0, bytes}; };
  ExpectRules("darwin-amd64-12",
              {
                  {"a read makes a page resident",
                   "vm_fault_zero_page, osfmk/vm/vm_fault.c",
                   {map, {Step::kReadPage, kAt, 0, 0, 0, 1}, resident(kPage)}},
                  {"MADV_FREE_REUSABLE takes pages out of phys_footprint until MADV_FREE_REUSE, a write does not",
                   "vm_map_reusable_pages and vm_map_reuse_pages, osfmk/vm/vm_map.c",
                   {map, write, footprint(kPage), {Step::kAdvise, kAt, kPage, 0, 7, kOk}, footprint(0),
                    resident(kPage), {Step::kLazy, 0, 0, 0, 0, kPage}, write, footprint(0),
                    {Step::kAdvise, kAt, kPage, 0, 8, kOk}, footprint(kPage)}},
                  {"MADV_FREE and MADV_DONTNEED change no count",
                   "vm_map_behavior_set, osfmk/vm/vm_map.c",
                   {map, write, {Step::kAdvise, kAt + 1, 4, 0, 5, kOk}, footprint(kPage), resident(kPage),
                    {Step::kLazy, 0, 0, 0, 0, kPage}, write, {Step::kAdvise, kAt, kPage, 0, 4, kOk},
                    {Step::kLazy, 0, 0, 0, 0, 0}, resident(kPage)}},
                  {"MADV_PAGEOUT is ENOTSUP, an unknown word EINVAL",
                   "madvise, bsd/kern/kern_mman.c",
                   {map, {Step::kAdvise, kAt, kPage, 0, 10, kOk, 45}, {Step::kAdvise, kAt, kPage, 0, 99, kOk, 22}}},
                  {"unmapping what is reusable forgets it",
                   "vm_map_remove, osfmk/vm/vm_map.c",
                   {map, write, {Step::kAdvise, kAt, kPage, 0, 7, kOk}, {Step::kUnmap, kAt, 4 * kPage, 0, 0, kOk},
                    footprint(0), resident(0)}},
              });
}

TEST(DarwinRulesTest, ALimitBelowTheMapIsRefused) {
  const char* const source =
      "vm_map_set_size_limit, osfmk/vm/vm_map.c:21704, and bsd/kern/kern_resource.c:1421, xnu-11417.101.15";
  const Step map{Step::kMap, 0xf800000000, 8 * kGiB, 0, kMac, 0xf800000000};
  ExpectRules("darwin-amd64-12",
              {{"setrlimit below the map's size is EINVAL, at it is not", source,
                {map, {Step::kLimit, 0, 8 * kGiB, 0, 0, kOk, 22}, {Step::kLimit, 0, 16 * kGiB, 0, 0, kOk},
                 {Step::kMap, 0x20000000000, 16 * kGiB, 0, kMac, kOk, 12}}}});
  ExpectRules("darwin-arm64",
              {{"so no limit below 391 GiB can be set from inside: the reserved regions count",
                "vm_reserved_regions, osfmk/arm64/machine_routines.c:185, xnu-11417.101.15",
                {{Step::kLimit, 0, 391 * kGiB, 0, 0, kOk, 22}, {Step::kLimit, 0, 392 * kGiB, 0, 0, kOk}}}});
  ExpectRules("darwin-amd64-11", {{"before macOS 12 nobody looked", "xnu-7195.141.2",
                                   {map, {Step::kLimit, 0, 8 * kGiB, 0, 0, kOk}}}});
}

TEST(DarwinRulesTest, ArmPagesAndTheEndsOfIos) {
  constexpr uint64_t kBig = 16 * kKiB;
  ExpectRules("darwin-arm64", {{"16 KiB pages: hints and lengths are rounded up to them",
                                "mmap_sanitize, bsd/kern/kern_mman.c, xnu-11417.101.15",
                                {{Step::kMap, 0xf800001000, 1, kRw, kMac, 0xf800000000 + kBig},
                                 {Step::kVsize, 0, 0, 0, 0, kBig},
                                 {Step::kUnmap, 0xf800001000, kBig, 0, 0, kOk, 22}}}});
  const char* const source = "pmap_max_64bit_offset, osfmk/arm/pmap/pmap.c, xnu-11417.101.15";
  const struct {
    const char* platform;
    uint64_t end;  // address
  } caps[] = {{"ios-arm64", 0x458000000},
              {"ios-arm64-3gib", 0x358000000},
              {"ios-arm64-1gib", 0x320000000},
              {"ios-arm64-extended", 0xfc0000000}};
  for (const auto& cap : caps) {
    // Above the shared cache, or from the program to the stack, less what there is: too much by little.
    const uint64_t largest = std::max<uint64_t>(cap.end - 0x300000000, 0x70000000);
    ExpectRules(cap.platform, {{"the last page below the end is there, the first above is not", source,
                                {{Step::kMap, cap.end - kBig, kBig, kRw, kMac | 0x10, cap.end - kBig},
                                 {Step::kMap, cap.end, kBig, kRw, kMac | 0x10, kOk, 12},
                                 {Step::kMap, 0, largest, 0, kMac, kOk, 12}}}});
  }
}

}  // namespace
}  // namespace reheap
