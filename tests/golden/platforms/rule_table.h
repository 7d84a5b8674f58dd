// RuleTable: rules of a platform that no kernel here can confirm, each with the calls that show it.
//
// A case is a fresh process of the platform's own image; each step a call, and the answer that the source
// implies. Used by the *_rules_test.cc beside it; rule_mutants.h proves that they can fail. Plain data: no ownership,
// one thread.
#ifndef REHEAP_TESTS_GOLDEN_PLATFORMS_RULE_TABLE_H_
#define REHEAP_TESTS_GOLDEN_PLATFORMS_RULE_TABLE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/os/virtual_os.h"

namespace reheap {

inline constexpr uint64_t kPage = 4096;
inline constexpr int kRead = kProtRead;
inline constexpr int kRw = kProtRead | kProtWrite;
inline constexpr int kRwx = kRw | kProtExecute;
inline constexpr uint64_t kOk = 0;

struct Step {
  enum Kind {
    kMap,      // mmap: value = address
    kMapFile,  // the same with descriptor 3, which is not open
    kUnmap,    // munmap
    kProtect,  // mprotect
    kAdvise,   // madvise: flags = the advice
    kRemap,    // mremap of `bytes` to as many: to = the place, value = the new address
    kBreak,    // brk to addr: value = the new break
    kWrite,    // a write to addr: value = 1 where it is possible
    kReadPage,   // a read likewise
    kResident,   // value = anonymous RSS less what the image has
    kFootprint,  // value = phys_footprint less what the image has
    kLazy,       // value = bytes that may go any time
    kTables,     // value = bytes of page tables
    kLock,       // mlock
    kUnlock,     // munlock
    kVsize,    // value = VSIZE less what the image has
    kCount,    // value = mappings less what the image has
    kFork,     // fork: value = what it charges
    kLimit,    // setrlimit(RLIMIT_AS) to bytes
    kAlloc,    // VirtualAlloc: protection = page protection, flags = type, value = address
    kFree,     // VirtualFree: flags = type
    kProtectPages,  // VirtualProtect: protection = page protection, value = the old one
    kRegionBytes,   // VirtualQuery: value = RegionSize
    kRegionState,   // VirtualQuery: value = State | Protect << 32 | AllocationProtect << 48
    kCommitted,     // value = charged bytes less what the image has
  } kind;
  uint64_t addr = 0;
  uint64_t bytes = 0;
  int protection = 0;
  int flags = 0;
  uint64_t value = kOk;  // what is expected
  int error = 0;         // expected error number; 0 = success
  uint64_t to = 0;       // of kRemap
};

struct Case {
  const char* rule;
  const char* source;
  std::vector<Step> steps;
  std::optional<uint64_t> address_room_bytes = {};  // limit = what the image has + this
  std::optional<uint64_t> data_room_bytes = {};     // likewise, of what the platform's data limit counts
  uint64_t ram_bytes = 16 * kGiB;
  void (*arrange)(VirtualProcess*) = nullptr;  // whatever else the process needs before it begins
};

// Checks each case on `platform`, a name of the catalogue.
void ExpectRules(const std::string& platform, const std::vector<Case>& cases);
// What is otherwise on `platform` than the case says, one line for each step; empty = nothing.
std::vector<std::string> Differences(const Platform& platform, const Case& c);

struct AskedRules {
  std::string platform;
  std::vector<Case> cases;
};
// What ExpectRules was asked in this program.
const std::vector<AskedRules>& AllAskedRules();

}  // namespace reheap

#endif  // REHEAP_TESTS_GOLDEN_PLATFORMS_RULE_TABLE_H_
