// Darwin, from xnu: a rule, where it was read, and what follows.
#include <gtest/gtest.h>

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
}  // namespace
}  // namespace reheap
