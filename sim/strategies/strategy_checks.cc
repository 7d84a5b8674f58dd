#include "sim/strategies/strategy_checks.h"

#include <google/protobuf/descriptor.h>

#include <bit>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "alloc/addr.h"
#include "alloc/check.h"

namespace reheap {

namespace {

using google::protobuf::FieldDescriptor;

constexpr uint64_t kOsPageBytes = 4096;

bool IsFlat(proto::StrategyPageMap kind) { return kind == proto::FLAT || kind == proto::FLAT_INDEX; }

}  // namespace

std::vector<std::string> StrategyChecks::Run() {
  CheckIdentity();
  CheckPresence();
  CheckSizes();
  CheckFirmness();
  CheckHints();
  CheckGrowth();
  CheckPageMap();
  CheckBitmap();
  CheckRelease();
  CheckReleaseMethod();
  return std::move(violations_);
}

void StrategyChecks::Require(bool holds, absl::string_view path, absl::string_view message) {
  if (holds) return;
  violations_.push_back(absl::StrFormat("%s: %s: %s", source_.LineOf(path), path, message));
}

// A message may have been put there, or taken away, by a mode; a number may be computed.
bool StrategyChecks::IsPresent(absl::string_view path) const {
  const google::protobuf::Message* message = &strategy_;
  for (absl::string_view step : absl::StrSplit(path, '.')) {
    const auto* field = message->GetDescriptor()->FindFieldByName(std::string(step));
    REHEAP_CHECK(field != nullptr);
    const bool present = message->GetReflection()->HasField(*message, field);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return present || source_.Has(path);
    if (!present) return false;
    message = &message->GetReflection()->GetMessage(*message, field);
  }
  return true;
}

void StrategyChecks::CheckIdentity() {
  Require(!strategy_.name().empty(), "name", "is missing");
  Require(!strategy_.summary().empty(), "summary", "is missing");
  bool sourced = strategy_.source_size() > 0;
  for (const std::string& source : strategy_.source()) sourced = sourced && !source.empty();
  Require(sourced, "source",
          "is missing or empty: say where the numbers come from (commit, version, document)");
  Require(strategy_.word_bits() == 32 || strategy_.word_bits() == 64, "word_bits",
          absl::StrCat("is ", strategy_.word_bits(), ", expected 32 or 64"));
}

// Fields without a harmless default are said, not guessed.
void StrategyChecks::CheckPresence() {
  for (absl::string_view path :
       {"reservation", "reservation.firmness", "reservation.on_conflict", "reservation.on_refusal",
        "reservation.commit_method", "reservation.access", "growth", "growth.min_bytes", "growth.round_bytes",
        "growth.retry_exact", "growth.startup_heap_bytes", "tables", "tables.heap_page_bytes",
        "tables.page_map", "tables.page_map_place", "tables.metadata_chunk_bytes"}) {
    Require(IsPresent(path), path, "is missing");
  }
}

void StrategyChecks::CheckSizes() {
  const auto& reservation = strategy_.reservation();
  const auto& growth = strategy_.growth();
  const auto& tables = strategy_.tables();
  const std::pair<absl::string_view, uint64_t> sizes[] = {
      {"reservation.heap_bytes", reservation.heap_bytes()},
      {"reservation.reserve_chunk_bytes", reservation.reserve_chunk_bytes()},
      {"reservation.window_bytes", reservation.window_bytes()},
      {"reservation.extend_bytes", reservation.extend_bytes()},
      {"reservation.align_bytes", reservation.align_bytes()},
      {"reservation.probe_bytes", reservation.probe_bytes()},
      {"reservation.clobber_check_bytes", reservation.clobber_check_bytes()},
      {"reservation.chunk_align_bytes", reservation.chunk_align_bytes()},
      {"reservation.chunk_head_bytes", reservation.chunk_head_bytes()},
      {"reservation.hints.base", reservation.hints().base()},
      {"reservation.hints.stride_bytes", reservation.hints().stride_bytes()},
      {"reservation.hints.image_align_bytes", reservation.hints().image_align_bytes()},
      {"growth.min_bytes", growth.min_bytes()},
      {"growth.round_bytes", growth.round_bytes()},
      {"growth.startup_heap_bytes", growth.startup_heap_bytes()},
      {"growth.most_bytes", growth.most_bytes()},
      {"growth.map_min_bytes", growth.map_min_bytes()},
      {"growth.own_bytes", growth.own_bytes()},
      {"tables.bitmap_bytes", tables.bitmap_bytes()},
      {"tables.bitmap_chunk_bytes", tables.bitmap_chunk_bytes()},
      {"tables.metadata_chunk_bytes", tables.metadata_chunk_bytes()},
  };
  for (const auto& [path, bytes] : sizes) {
    Require(bytes % kOsPageBytes == 0, path,
            absl::StrFormat("%u is not a multiple of the OS page, %u", bytes, kOsPageBytes));
  }
  // One record must fit into a chunk and a span record is far below one OS page.
  Require(tables.metadata_chunk_bytes() > 0, "tables.metadata_chunk_bytes", "must not be 0");
  Require(std::has_single_bit(tables.heap_page_bytes()) && tables.heap_page_bytes() >= kOsPageBytes,
          "tables.heap_page_bytes",
          absl::StrCat("is ", tables.heap_page_bytes(), ", expected a power of two from 4096 up"));
  // PageHeap's and SizeClasses' limit.
  Require(tables.heap_page_bytes() <= 8192, "tables.heap_page_bytes",
          absl::StrCat("is ", tables.heap_page_bytes(), ": 4096 or 8192 can be carried out"));
}

void StrategyChecks::CheckFirmness() {
  const auto& r = strategy_.reservation();
  const bool per_chunk = r.firmness() == proto::PER_CHUNK;
  const bool whole = r.firmness() == proto::RESERVE || r.firmness() == proto::PRETEND;
  if (r.firmness() == proto::NOTHING) {
    Require(r.heap_bytes() == 0, "reservation.heap_bytes",
            "has no meaning with firmness NOTHING: nothing is bounded");
    Require(!IsPresent("reservation.hints"), "reservation.hints", "have no meaning with firmness NOTHING");
  } else {
    Require(
        r.heap_bytes() > 0, "reservation.heap_bytes",
        absl::StrCat("is missing, and firmness ", proto::StrategyFirmness_Name(r.firmness()), " needs it"));
  }
  if (r.firmness() == proto::PRETEND) {
    const bool asks = r.probe_bytes() != 0 && r.on_conflict() == proto::NEXT_HINT;
    Require(r.on_conflict() == proto::DIE || asks, "reservation.on_conflict",
            absl::StrCat(
                proto::StrategyOnConflict_Name(r.on_conflict()),
                " cannot be done with firmness PRETEND: what is in use already cannot move; expected DIE, or "
                "NEXT_HINT with probe_bytes"));
    Require(r.hints().count() == 1 || asks, "reservation.hints",
            absl::StrCat("count is ", r.hints().count(), ": firmness PRETEND assumes exactly one place"));
  }
  const std::pair<absl::string_view, bool> only_pretend[] = {
      {"reservation.probe_bytes", r.probe_bytes() != 0},
      {"reservation.clobbers", r.clobbers()},
      {"reservation.clobber_check_bytes", r.clobber_check_bytes() != 0}};
  for (const auto& [path, given] : only_pretend) {
    Require(!given || r.firmness() == proto::PRETEND, path, "has a meaning with firmness PRETEND only");
  }
  Require(r.align_bytes() == 0 || (r.firmness() == proto::RESERVE && std::has_single_bit(r.align_bytes())),
          "reservation.align_bytes", "must be a power of two, and has a meaning with firmness RESERVE only");
  Require(r.extend_bytes() == 0 || std::has_single_bit(r.extend_bytes()), "reservation.extend_bytes",
          absl::StrCat("is ", r.extend_bytes(), ", expected a power of two"));
  Require(r.extend_bytes() == 0 || r.window_bytes() != 0, "reservation.extend_bytes",
          "needs window_bytes, which says how far the heap can go");
  Require(r.smaller_bytes_size() == 0 || r.firmness() == proto::RESERVE || per_chunk,
          "reservation.smaller_bytes", "has a meaning with firmness RESERVE or PER_CHUNK only");
  const uint64_t whole_bytes = per_chunk ? r.reserve_chunk_bytes() : r.heap_bytes();
  for (uint64_t bytes : r.smaller_bytes()) {
    Require(bytes != 0 && bytes % kOsPageBytes == 0 && (!per_chunk || std::has_single_bit(bytes)),
            "reservation.smaller_bytes",
            absl::StrCat(bytes, " is not whole OS pages", per_chunk ? ", a power of two of them" : ""));
    Require(bytes < whole_bytes, "reservation.smaller_bytes",
            absl::StrCat(bytes, " is not smaller than ", whole_bytes, ", which was refused"));
  }
  Require(r.chunk_align_bytes() == 0 || std::has_single_bit(r.chunk_align_bytes()),
          "reservation.chunk_align_bytes",
          absl::StrCat("is ", r.chunk_align_bytes(), ", expected a power of two"));
  Require(!per_chunk || (r.chunk_head_bytes() < r.reserve_chunk_bytes() &&
                         (strategy_.tables().heap_page_bytes() == 0 ||
                          r.chunk_head_bytes() % strategy_.tables().heap_page_bytes() == 0)),
          "reservation.chunk_head_bytes", "must be whole heap pages, fewer than a chunk has");
  if (per_chunk) {
    Require(std::has_single_bit(r.reserve_chunk_bytes()), "reservation.reserve_chunk_bytes",
            absl::StrCat("is ", r.reserve_chunk_bytes(), ": firmness PER_CHUNK needs a power of two"));
    Require(r.reserve_chunk_bytes() == 0 || r.heap_bytes() % r.reserve_chunk_bytes() == 0,
            "reservation.heap_bytes", "is not a multiple of reserve_chunk_bytes");
  } else {
    Require(r.reserve_chunk_bytes() == 0, "reservation.reserve_chunk_bytes",
            "has a meaning with firmness PER_CHUNK only");
    Require(r.chunk_align_bytes() == 0, "reservation.chunk_align_bytes",
            "has a meaning with firmness PER_CHUNK only");
    Require(r.chunk_head_bytes() == 0, "reservation.chunk_head_bytes",
            "has a meaning with firmness PER_CHUNK only");
  }
  if (r.window_bytes() != 0) {
    Require(r.firmness() == proto::RESERVE, "reservation.window_bytes",
            "has a meaning with firmness RESERVE only");
    Require(r.window_bytes() >= r.heap_bytes() || r.heap_bytes() == 0, "reservation.window_bytes",
            "is smaller than heap_bytes");
  }
  const uint64_t span = r.heap_bytes() + strategy_.tables().bitmap_bytes();
  const uint64_t last = r.hints().base() + span - 1;
  Require(!whole || (last >= span - 1 && (strategy_.word_bits() != 32 || last <= 0xffffffff)),
          "reservation.heap_bytes",
          absl::StrFormat("0x%x + %u bytes leave a %u-bit address space", r.hints().base(), span,
                          strategy_.word_bits()));
}

void StrategyChecks::CheckHints() {
  const auto& r = strategy_.reservation();
  const auto& hints = r.hints();
  if (r.on_conflict() == proto::NEXT_HINT) {
    Require(hints.count() >= 2, "reservation.on_conflict",
            absl::StrCat("NEXT_HINT needs two hints or more, there are ", hints.count()));
  }
  if (r.on_conflict() == proto::DIE) {
    Require(hints.count() >= 1, "reservation.on_conflict",
            "DIE needs a hint: without one no place is the wrong one");
  }
  if (!IsPresent("reservation.hints")) return;
  Require(hints.count() > 0, "reservation.hints", "count is 0: leave hints out when there are none");
  Require(hints.count() <= 1 || hints.stride_bytes() > 0 || hints.random_mask() != 0, "reservation.hints",
          "stride_bytes is missing, and count is more than 1");
  if (hints.after_image()) {
    Require(hints.base() == 0, "reservation.hints.base", "contradicts after_image: give one of them");
    Require(std::has_single_bit(hints.image_align_bytes()), "reservation.hints.image_align_bytes",
            "must be a power of two with after_image");
  } else {
    Require(hints.base() > 0, "reservation.hints", "base is missing (or say after_image: true)");
    Require(hints.image_align_bytes() == 0, "reservation.hints.image_align_bytes",
            "has a meaning with after_image only");
  }
}

void StrategyChecks::CheckGrowth() {
  const auto& growth = strategy_.growth();
  Require(std::has_single_bit(growth.round_bytes()), "growth.round_bytes",
          absl::StrCat("is ", growth.round_bytes(), ", expected a power of two"));
  Require(growth.min_bytes() > 0, "growth.min_bytes", "must not be 0");
  if (growth.round_bytes() != 0) {
    Require(growth.min_bytes() % growth.round_bytes() == 0, "growth.min_bytes",
            "is not a multiple of round_bytes");
  }
  Require(growth.steps_per_doubling() <= 64, "growth.steps_per_doubling", "is more than 64");
  for (const auto& [path, bytes] :
       {std::pair<absl::string_view, uint64_t>{"growth.most_bytes", growth.most_bytes()},
        {"growth.map_min_bytes", growth.map_min_bytes()}}) {
    Require(growth.round_bytes() == 0 || bytes % growth.round_bytes() == 0, path,
            "is not a multiple of round_bytes");
  }
  Require(growth.most_bytes() == 0 || growth.most_bytes() >= growth.min_bytes(), "growth.most_bytes",
          "is less than min_bytes");
  Require(!growth.break_first() || strategy_.reservation().firmness() == proto::NOTHING, "growth.break_first",
          "has a meaning with firmness NOTHING only");
  const proto::StrategyFirmness firmness = strategy_.reservation().firmness();
  const bool in_range = firmness == proto::RESERVE || firmness == proto::PRETEND;
  Require(growth.own_bytes() == 0 || in_range, "growth.own_bytes",
          "has a meaning with firmness RESERVE or PRETEND only");
  Require(growth.own_bytes() == 0 || growth.own_bytes() < growth.min_bytes(), "growth.own_bytes",
          "leaves nothing of a growth of min_bytes");
  const uint64_t heap_page_bytes = strategy_.tables().heap_page_bytes();
  Require(heap_page_bytes == 0 || growth.own_bytes() % heap_page_bytes == 0, "growth.own_bytes",
          "is not a multiple of tables.heap_page_bytes");
  for (const auto& growing : strategy_.tables().growing()) {
    const bool whole_pages =
        growing.chunk_bytes() >= kOsPageBytes && std::has_single_bit(growing.chunk_bytes());
    Require(growing.heap_bytes_per_byte() != 0 && whole_pages, "tables.growing",
            "needs heap_bytes_per_byte, and chunk_bytes: a power of two of whole OS pages");
  }
  if (strategy_.tables().heap_page_bytes() != 0) {
    Require(growth.round_bytes() % strategy_.tables().heap_page_bytes() == 0, "growth.round_bytes",
            "is not a multiple of tables.heap_page_bytes");
  }
}

void StrategyChecks::CheckPageMap() {
  const proto::StrategyFirmness firmness = strategy_.reservation().firmness();
  const auto& tables = strategy_.tables();
  const std::string kind = proto::StrategyPageMap_Name(tables.page_map());
  if (IsFlat(tables.page_map())) {
    Require(firmness == proto::RESERVE || firmness == proto::PRETEND, "tables.page_map",
            absl::StrCat(kind, " needs a heap with a bound, one range: firmness RESERVE or PRETEND, not ",
                         proto::StrategyFirmness_Name(firmness)));
  }
  if (tables.page_map() == proto::SPARSE_ARENAS) {
    Require(firmness == proto::PER_CHUNK, "tables.page_map", "SPARSE_ARENAS needs firmness PER_CHUNK");
  }
  if (tables.page_map() == proto::RADIX2) {
    Require(strategy_.word_bits() == 32, "tables.page_map",
            "RADIX2 covers 32-bit addresses: word_bits must be 32");
  }
  if (tables.page_map() == proto::RADIX3) {
    Require(strategy_.word_bits() == 64, "tables.page_map",
            "RADIX3 covers 64-bit addresses: word_bits must be 64");
  }
  if (tables.page_map() == proto::NO_PAGE_MAP) {
    Require(strategy_.word_bits() == 64, "tables.page_map",
            "NO_PAGE_MAP keeps the heap's tables at 64-bit addresses: word_bits must be 64");
    Require(tables.bitmap_bits_per_word() == 0, "tables.bitmap_bits_per_word",
            "a bitmap in the process contradicts NO_PAGE_MAP");
  }
  Require(tables.page_map_place() != proto::IN_RESERVATION || IsFlat(tables.page_map()),
          "tables.page_map_place", absl::StrCat("IN_RESERVATION holds a flat page map only, not ", kind));
}

// Each number belongs to one or two policies, and some cannot do without.
void StrategyChecks::CheckRelease() {
  if (!strategy_.has_release()) return;
  const auto& release = strategy_.release();
  const proto::StrategyReleasePolicy policy = release.policy();
  const std::string word = proto::StrategyReleasePolicy_Name(policy);
  Require(policy != proto::RELEASE_POLICY_UNSPECIFIED, "release.policy", "is missing");
  struct Number {
    absl::string_view path;
    bool given, meant, needed;
  };
  const bool idle = policy == proto::IDLE, rate = policy == proto::RATE, decay = policy == proto::DECAY,
             goal = policy == proto::GOAL;
  const Number numbers[] = {
      {"release.age_ms", release.age_ms() != 0, idle, false},
      {"release.tick_ms", release.tick_ms() != 0, idle || goal, true},
      {"release.pages_freed_per_page", release.pages_freed_per_page() != 0, rate, true},
      {"release.dirty_ms", release.dirty_ms() != 0, decay, true},
      {"release.keep_percent", release.keep_percent() != 0, goal, false},
  };
  for (const Number& number : numbers) {
    Require(number.meant || !number.given, number.path, absl::StrCat("has no meaning with policy ", word));
    Require(!number.meant || !number.needed || number.given, number.path,
            absl::StrCat("is missing or 0, and policy ", word, " needs it"));
  }
  // Nanoseconds in 64 bits, ages added to them.
  constexpr uint64_t kMostMs = uint64_t{1} << 40;
  for (const auto& [path, ms] : {std::pair<absl::string_view, uint64_t>{"release.age_ms", release.age_ms()},
                                 {"release.tick_ms", release.tick_ms()},
                                 {"release.dirty_ms", release.dirty_ms()}}) {
    Require(ms <= kMostMs, path, absl::StrCat("is ", ms, " ms, more than 34 years"));
  }
  Require(release.muzzy_ms() == 0, "release.muzzy_ms",
          "cannot be carried out: between dirty and clean lies MADV_FREE, which takes pages when memory is short, and "
          "no shortage is modelled; expected 0");
  Require(release.pages_freed_per_page() <= 1 << 20, "release.pages_freed_per_page", "is more than 1048576");
}

void StrategyChecks::CheckReleaseMethod() {
  const auto& release = strategy_.release();
  const auto& r = strategy_.reservation();
  const char* why = nullptr;
  switch (release.method()) {
    case proto::FREE_LAZILY:
      why = "MADV_FREE takes pages when memory is short, and no shortage is modelled";
      break;
    case proto::FREE_REUSABLE:
      why = "MADV_FREE_REUSABLE is not among the calls that are modelled";
      break;
    case proto::UNMAP:
      why = "a heap keeps its addresses: what was unmapped could not be told from what somebody else maps there";
      break;
    case proto::RESET:
      why = "MEM_RESET takes pages when memory is short, and no shortage is modelled";
      break;
    default:
      break;
  }
  const std::string word = proto::StrategyReleaseMethod_Name(release.method());
  Require(why == nullptr, "release.method",
          absl::StrCat(word, " cannot be carried out: ", why == nullptr ? "" : why, "; expected DISCARD or DECOMMIT"));
  const bool gives = release.policy() != proto::NEVER && release.policy() != proto::RELEASE_POLICY_UNSPECIFIED;
  Require(gives || release.method() == proto::RELEASE_METHOD_UNSPECIFIED, "release.method",
          "has no meaning with policy NEVER");
  if (release.method() != proto::DECOMMIT) return;
  Require(!r.no_reserve(), "release.method",
          "DECOMMIT contradicts reservation.no_reserve: what is not charged cannot be given back, and would be charged "
          "when it is committed again");
  Require(!strategy_.growth().break_first(), "release.method",
          "DECOMMIT contradicts growth.break_first: a mapping over the data segment's end stops brk");
}

void StrategyChecks::CheckBitmap() {
  const auto& r = strategy_.reservation();
  const auto& tables = strategy_.tables();
  const uint64_t bits = tables.bitmap_bits_per_word();
  if (bits == 0) {
    Require(tables.bitmap_bytes() == 0, "tables.bitmap_bytes", "is given, but bitmap_bits_per_word is 0");
    Require(tables.bitmap_chunk_bytes() == 0, "tables.bitmap_chunk_bytes",
            "is given, but bitmap_bits_per_word is 0");
    return;
  }
  Require(std::has_single_bit(bits) && bits <= 8, "tables.bitmap_bits_per_word",
          absl::StrCat("is ", bits, ", expected 1, 2, 4 or 8"));
  Require(r.heap_bytes() > 0 && (r.firmness() == proto::RESERVE || r.firmness() == proto::PRETEND),
          "tables.bitmap_bits_per_word",
          "a bitmap lies below one contiguous heap: it needs reservation.heap_bytes and firmness RESERVE or "
          "PRETEND");
  Require(tables.bitmap_chunk_bytes() > 0, "tables.bitmap_chunk_bytes", "is missing, and there is a bitmap");
  if (strategy_.word_bits() == 0) return;
  const uint64_t covered = r.window_bytes() > r.heap_bytes() ? r.window_bytes() : r.heap_bytes();
  const uint64_t needed = covered / strategy_.word_bits() * bits;
  Require(tables.bitmap_bytes() >= needed, "tables.bitmap_bytes",
          absl::StrFormat("is %u, but %u bytes of heap at %u bits per %u-bit word need %u",
                          tables.bitmap_bytes(), covered, bits, strategy_.word_bits(), needed));
}

}  // namespace reheap
