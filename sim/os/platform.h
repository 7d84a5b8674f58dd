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
#include <optional>
#include <string>
#include <vector>

namespace reheap {

enum class Basis : uint8_t { kComparableWithRunningKernel = 1, kFromSourceNotMeasured = 2 };
enum class CallFamily : uint8_t { kMapAndProtect = 1, kReserveAndCommit = 2, kGrowOnly = 60 };
enum class Direction : uint8_t { kTopDown = 1, kBottomUp = 2 };
enum class BaseRule : uint8_t { kBelowStackLimit = 1, kAboveData = 2, kFixedAddress = 3 };
enum class HintRule : uint8_t {
  kExactOrAnywhere = 1,
  kLowerBound = 2,
  kExactOrRefused = 3,
  kUpperBound = 50,
};
enum class HintRounding : uint8_t { kDown = 1, kUp = 2 };
enum class AddressLimitRule : uint8_t {
  kNotEnforced = 1,
  kBeforeOverlapSubtracted = 2,
  kBeforeOverlapCounted = 3,
  kAfterWholeMap = 4,
};
enum class DataLimitRule : uint8_t {
  kNotEnforced = 1,
  kPrivateWritable = 2,
  kBreakOnly = 3,
  kWholeMap = 4,
  kAccessibleAnonymous = 50,
};
enum class CommitCharge : uint8_t { kNothing = 1, kWritablePrivate = 2, kCommittedPages = 3 };
enum class CommitRefusal : uint8_t {
  kNever = 1,
  kOvercommitMode = 2,
  kRamPlusSwap = 3,
  kSwapReservation = 40,
};
enum class MergeRule : uint8_t {
  kBothSidesSameWriter = 1,
  kPreviousOnly = 2,
  kWithinReservation = 3,
  kNever = 50,
  kSameObject = 51,
  kOnlyWhenNew = 52,
};
enum class ReplaceOrder : uint8_t { kCheckThenReplace = 1, kRemoveThenCheck = 2, kRemoveFirst = 50 };
enum class HoleRule : uint8_t { kError = 1, kIgnored = 2, kErrorBeforeChanges = 50 };
enum class UnalignedRule : uint8_t { kRefused = 1, kRoundedDown = 2 };
enum class LotteryRule : uint8_t { kNone = 0, kPagesIntoTheGap = 1, kFromARandomStart = 2 };
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

enum class RemapOrder : uint8_t { kLooksFirst = 1, kChecksFirst = 2 };
enum class BesideSource : uint8_t { kJoinsSource = 1, kJoinsOthers = 2, kJoinsNothing = 3 };

struct CallBits {
  int map_shared = 0;
  int map_private = 0;
  int map_fixed = 0;
  int map_anonymous = 0;
  int map_no_reserve = 0;  // 0 = accepted without effect
  int map_no_replace = 0;  // 0 = the platform has none
  int advice_discard = 0;
};

struct ErrorNumbers {
  int invalid_argument = 0;
  int out_of_memory = 0;
  int address_taken = 0;
  int commit_limit = 0;
  int out_of_range = 0;
  int bad_descriptor = 0;
  int offset_overflow = 0;
  int not_mapped = 0;
  int not_supported = 0;
  int try_again = 0;
  int no_access = 0;
  int bad_address = 0;
  int privilege = 0;
  int commit_limit_later = 0;  // 0 = commit_limit
  int lock_limit = 0;          // 0 = out_of_memory
};

// 0 = the platform has none such.
struct MapExtras {
  int type_mask = 0;
  int shared_validate = 0;
  int droppable = 0;
  int grows_down = 0;
  int low_window = 0;
  int stack = 0;
  int sync = 0;
  int validated = 0;
  int locked = 0;
  int populate = 0;
  int non_block = 0;
  int huge_tlb = 0;
  int huge_size_shift = 0;
  int huge_size_mask = 0;
  int protect_grows_down = 0;
  int protect_grows_up = 0;
  int above_4g = 0;
  uint32_t huge_sizes = 0;
};

struct RemapCall {
  int may_move = 0;
  int fixed = 0;
  int dont_unmap = 0;
  RemapOrder order = RemapOrder::kChecksFirst;
  bool unlocks_whole_mapping = false;  // and counts it as locked for good, where its pages move away
  BesideSource beside_source = BesideSource::kJoinsSource;
  bool emptied_source_is_new = false;
};

// Flags that a platform lacks are 0.
struct MapFlagRules {
  int known = 0;
  int guard = 0;
  int beside_guard = 0;
  int gap_stack = 0;
  int beside_stack = 0;
  int stack_needs = 0;
  int low = 0;
  uint64_t low_end = 0;  // address
  int alignment_mask = 0;
  int alignment_shift = 0;
  int alignment_huge = 0;
  uint64_t huge_page_bytes = 0;
  int try_fixed = 0;
  bool no_replace_needs_fixed = false;
  bool no_kind_is_private = false;
  bool anonymous_has_no_file = false;
  int protection_known = 0;
};

struct LegacyLayout {
  uint64_t divisor = 0;
  bool when_stack_unlimited = false;
};

struct Randomisation {
  uint64_t base_bits = 0;
  uint64_t base_bits_most = 0;
  uint64_t stack_bytes = 0;
  uint64_t break_bytes = 0;
  bool moves_fallback = false;
};

struct PersonalityBits {
  uint64_t no_randomize = 0;
  uint64_t compat_layout = 0;
  uint64_t limit = 0;             // 0 = the platform has none
  uint64_t limited_user_end = 0;  // address
};

struct Platform {
  std::string name;  // of a release: "linux-amd64@6.1"
  std::vector<std::string> aliases;
  std::string summary;
  std::string release;  // of the system, "6.18"; empty = unnamed
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
    MapExtras map_extras;
    std::optional<RemapCall> remap;  // absent = the system has no such call
    MapFlagRules map_flag_rules;
    int protection_known = 0xf;  // read, write, execute and PROT_SEM (do_mprotect_pkey, mm/mprotect.c, linux 6.12)
    bool protection_dropped = false;  // others are dropped, not refused
    int protection_wrap_error = 0;    // 0 = errors.out_of_memory
    bool seals = false;               // mseal
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
    bool huge_alignment_for_files_only = false;
    bool huge_aligned_at_gap_start = false;
    uint64_t stack_guard_bytes = 0;
    bool stack_guard_wraps = false;  // at address 0, to beyond all processes
    uint64_t low_window_start = 0;  // address
    uint64_t low_window_end = 0;    // address, exclusive; 0 = none
    uint64_t stack_made_at = 0;     // address; 0 = where it stays
    LotteryRule lottery = LotteryRule::kNone;
    uint64_t lottery_pages = 0;
    uint64_t window_end = 0;  // address; 0 = user_end
    std::optional<LegacyLayout> legacy;
    std::optional<Randomisation> randomisation;
    std::optional<PersonalityBits> personality;
  } placement;

  struct Limits {
    AddressLimitRule address = AddressLimitRule::kNotEnforced;
    DataLimitRule data = DataLimitRule::kNotEnforced;
    CommitCharge commit_charge = CommitCharge::kNothing;
    CommitRefusal commit_refusal = CommitRefusal::kNever;
    bool protect_uncharges_unwritten = false;
    uint64_t max_mappings = 0;  // 0 = no limit
    bool locked_counts_again = false;
    uint64_t default_stack_bytes = 0;
  } limits;

  struct Mappings {
    MergeRule merge = MergeRule::kBothSidesSameWriter;
    bool written_joins_unwritten = false;
    bool new_joins_next_first = false;
    bool heap_name_at_edges = false;
    ReplaceOrder replace = ReplaceOrder::kCheckThenReplace;
    HoleRule hole = HoleRule::kError;
    UnalignedRule unaligned = UnalignedRule::kRefused;
    DiscardRule discard = DiscardRule::kDroppedAtOnce;
    bool stack_grows_on_access = false;
    // Error numbers; 0 = none.
    int unmap_hole_error = 0;
    bool unmap_nothing_succeeds = false;  // of length 0
    int protect_hole_error = 0;
    int advise_hole_error = 0;
    int write_execute_map_error = 0;
    int write_execute_protect_error = 0;
    uint64_t stack_step_bytes = 0;  // 0 = stacks have no gap
    uint64_t stack_gap_guard_bytes = 0;
  } mappings;

  struct Reservations {
    uint64_t bytes_per_charged_byte = 0;  // 0 = nothing
    bool reset_undo = false;
    uint64_t random_granules = 0;
  } reservations;
  // What stands behind mappings. A platform that says nothing counts no page tables and has no huge pages.
  struct Pages {
    uint64_t table_levels = 0;         // of page tables that are counted
    uint64_t huge_page_bytes = 0;      // 0 = none
    uint64_t fault_around_bytes = 0;   // a read fault maps what is in memory of the block around it; 0 = only the page
    bool zero_page = true;             // reading untouched private memory makes nothing resident
    bool discard_frees_tables = false; // a discard of all of a table's range takes the table
    bool huge_zero_write_is_huge = false;  // a write into a huge page of zeros makes a huge page, not one OS page
    bool remap_takes_first_table = false;  // of a move that begins within its range
    bool split_leaves_zero_page = false;   // where the program never wrote; else what was split stays resident
  } pages;
  std::vector<AdviceWord> advice;  // empty = only bits.advice_discard, by mappings.discard
  bool unfit_advice_passed_over = false;  // else refused
  int unfit_advice_error = 0;             // 0 = errors.invalid_argument
  bool holes_seen_when_given_back = false;
  bool populates_behind_holes = false;
  bool unaligned_advice_rounded_down = false;

  std::string image;  // text as of /proc/PID/maps
  // "machine.word_bits: where it was learnt", one line each, in the file's order.
  std::vector<std::string> sources;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PLATFORM_H_
