// Windows, measured on Wine: a rule, and what follows.
#include <gtest/gtest.h>

#include "tests/golden/platforms/rule_table.h"

namespace reheap {
namespace {

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
                    {Step::kFree, 0xf800000000, 0, 0, kRelease, kOk},
                    {Step::kFree, 0xf800000000, 0, 0, kRelease, kOk, 87}}},
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

}  // namespace
}  // namespace reheap
