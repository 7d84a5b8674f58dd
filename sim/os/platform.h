// Platform: every rule of one operating system's memory mapping, as plain data (row 9, "modelled kernel").
//
// Mirrored from proto/platform.proto, which says what each value means and carries the sources; made by
// sim/os/platform_catalog.h. The enums have the schema's numbers. No field and no branch of the model names a
// platform: a new system is a new file, unless it needs a policy that no other has.
//
// A value: no ownership, immutable once loaded, any thread.
#ifndef REHEAP_SIM_OS_PLATFORM_H_
#define REHEAP_SIM_OS_PLATFORM_H_

#include <cstdint>
#include <string>
#include <vector>

namespace reheap {

enum class Basis : uint8_t { kComparableWithRunningKernel = 1, kFromSourceNotMeasured = 2 };
enum class CallFamily : uint8_t { kMapAndProtect = 1, kReserveAndCommit = 2 };
enum class Direction : uint8_t { kTopDown = 1, kBottomUp = 2 };
enum class BaseRule : uint8_t { kBelowStackLimit = 1, kAboveData = 2, kFixedAddress = 3 };
enum class HintRule : uint8_t { kExactOrAnywhere = 1, kLowerBound = 2, kExactOrRefused = 3 };
enum class HintRounding : uint8_t { kDown = 1, kUp = 2 };
enum class AddressLimitRule : uint8_t {
  kNotEnforced = 1,
  kBeforeOverlapSubtracted = 2,
  kBeforeOverlapCounted = 3,
  kAfterWholeMap = 4,
};
enum class DataLimitRule : uint8_t { kNotEnforced = 1, kPrivateWritable = 2, kBreakOnly = 3, kWholeMap = 4 };
enum class CommitCharge : uint8_t { kNothing = 1, kWritablePrivate = 2, kCommittedPages = 3 };
enum class CommitRefusal : uint8_t { kNever = 1, kOvercommitMode = 2, kRamPlusSwap = 3 };
enum class MergeRule : uint8_t { kBothSidesSameWriter = 1, kPreviousOnly = 2, kWithinReservation = 3 };
enum class ReplaceOrder : uint8_t { kCheckThenReplace = 1, kRemoveThenCheck = 2 };
enum class HoleRule : uint8_t { kError = 1, kIgnored = 2 };
enum class UnalignedRule : uint8_t { kRefused = 1, kRoundedDown = 2 };
enum class DiscardRule : uint8_t { kDroppedAtOnce = 1, kKeptUntilPressure = 2 };

// What an advice word of madvise asks for; proto/platform.proto says what each does.
enum class AdviceMeaning : uint8_t {
  kNoEffect = 1,
  kReadNormally = 2,
  kReadRandomly = 3,
  kReadInSequence = 4,
  kWillNeed = 5,
  kDiscard = 6,
  kDiscardLocked = 7,
  kFreeLazily = 8,
  kDeactivate = 9,
  kPageOut = 10,
  kPopulateRead = 11,
  kPopulateWrite = 12,
  kInstallGuard = 13,
  kRemoveGuard = 14,
  kHugePages = 15,
  kNoHugePages = 16,
  kCollapse = 17,
  kDontDump = 18,
  kDump = 19,
  kDontFork = 20,
  kFork = 21,
  kWipeOnFork = 22,
  kKeepOnFork = 23,
  kMergeSame = 24,
  kUnmergeSame = 25,
  kRemove = 26,
  kPoison = 27,
  kFreeReusable = 28,
  kReuse = 29,
  kUnsupported = 30,
};

struct AdviceWord {
  int number = 0;
  AdviceMeaning meaning = AdviceMeaning::kNoEffect;
};

struct CallBits {
  int map_shared = 0;
  int map_private = 0;
  int map_fixed = 0;
  int map_anonymous = 0;
  int map_no_reserve = 0;  // 0 = accepted without effect
  int map_no_replace = 0;  // 0 = the platform has none
  int advice_discard = 0;
  int map_locked = 0;    // 0 = the platform has none
  int map_populate = 0;  // 0 = the platform has none
};

struct ErrorNumbers {
  int invalid_argument = 0;
  int out_of_memory = 0;
  int address_taken = 0;
  int commit_limit = 0;
  int out_of_range = 0;
  int try_again = 0;
  int not_permitted = 0;
  int no_access = 0;
  int bad_address = 0;
  int not_supported = 0;
};

struct Platform {
  std::string name;
  std::vector<std::string> aliases;
  std::string summary;
  Basis basis = Basis::kFromSourceNotMeasured;

  struct Machine {
    int word_bits = 0;
    uint64_t os_page_bytes = 0;
    uint64_t granularity_bytes = 0;
    uint64_t user_start = 0;  // address
    uint64_t user_end = 0;    // address, exclusive
    CallFamily calls = CallFamily::kMapAndProtect;
    CallBits bits;
    ErrorNumbers errors;
  } machine;

  struct Placement {
    Direction direction = Direction::kTopDown;
    BaseRule base = BaseRule::kFixedAddress;
    uint64_t base_bytes = 0;
    uint64_t fallback_base = 0;  // address; 0 = the base again
    HintRule hint = HintRule::kExactOrAnywhere;
    HintRounding hint_rounding = HintRounding::kDown;
    uint64_t hint_floor = 0;  // address
    bool hint_in_data_ignored = false;
    uint64_t huge_alignment_bytes = 0;  // 0 = none
    uint64_t stack_guard_bytes = 0;
  } placement;

  struct Limits {
    AddressLimitRule address = AddressLimitRule::kNotEnforced;
    DataLimitRule data = DataLimitRule::kNotEnforced;
    CommitCharge commit_charge = CommitCharge::kNothing;
    CommitRefusal commit_refusal = CommitRefusal::kNever;
    bool protect_uncharges_unwritten = false;
    uint64_t max_mappings = 0;  // 0 = no limit
    uint64_t default_stack_bytes = 0;
  } limits;

  struct Mappings {
    MergeRule merge = MergeRule::kBothSidesSameWriter;
    bool written_joins_unwritten = false;
    ReplaceOrder replace = ReplaceOrder::kCheckThenReplace;
    HoleRule hole = HoleRule::kError;
    UnalignedRule unaligned = UnalignedRule::kRefused;
    DiscardRule discard = DiscardRule::kDroppedAtOnce;
    bool stack_grows_on_access = false;
  } mappings;

  // What stands behind mappings. A platform that says nothing counts no page tables and has no huge pages.
  struct Pages {
    uint64_t table_levels = 0;         // of page tables that are counted
    uint64_t huge_page_bytes = 0;      // 0 = none
    uint64_t fault_around_bytes = 0;   // a read fault maps what is in memory of the block around it; 0 = only the page
    bool zero_page = true;             // reading untouched private memory makes nothing resident
    bool discard_frees_tables = false; // a discard of all of a table's range takes the table
    bool huge_zero_write_is_huge = false;  // a write into a huge page of zeros makes a huge page, not one OS page
  } pages;
  std::vector<AdviceWord> advice;  // empty = only bits.advice_discard, by mappings.discard

  std::string image;  // text as of /proc/PID/maps
  // "machine.word_bits: where it was learnt", one line each, in the file's order.
  std::vector<std::string> sources;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PLATFORM_H_
