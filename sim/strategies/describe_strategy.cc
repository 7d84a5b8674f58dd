#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "sim/report/human_units.h"
#include "sim/strategies/strategy_catalog.h"

namespace reheap {

namespace {

absl::string_view Meaning(Firmness firmness) {
  switch (firmness) {
    case Firmness::kNothing:
      return "NOTHING: no range is held; each growth is mapped where the OS likes";
    case Firmness::kReserve:
      return "RESERVE: the whole range is really reserved at startup";
    case Firmness::kPretend:
      return "PRETEND: the range is assumed to be free without asking";
    case Firmness::kPerChunk:
      return "PER_CHUNK: really reserved, one chunk at a time";
  }
  return "";
}

absl::string_view Meaning(OnConflict on_conflict) {
  switch (on_conflict) {
    case OnConflict::kRelocate:
      return "RELOCATE: take the address that the OS offers";
    case OnConflict::kNextHint:
      return "NEXT_HINT: give it back and try the next hint";
    case OnConflict::kDie:
      return "DIE: give up, naming both addresses";
  }
  return "";
}

absl::string_view Meaning(OnRefusal on_refusal) {
  return on_refusal == OnRefusal::kDie ? "ABORT: the program ends"
                                       : "RETURN_NULL: the request that needed it fails";
}

absl::string_view Meaning(CommitMethod method) {
  return method == CommitMethod::kMapFixed ? "MAP_FIXED: mmap over the reservation" : "PROTECT: mprotect";
}

absl::string_view Meaning(Access access) {
  return access == Access::kReadWrite ? "READ_WRITE" : "READ_WRITE_EXECUTE";
}

absl::string_view Meaning(TablePlace place) {
  switch (place) {
    case TablePlace::kImageBss:
      return "in the image's BSS (mapped at startup where the image has none)";
    case TablePlace::kMapped:
      return "mapped whole at startup";
    case TablePlace::kInReservation:
      return "inside the heap's reservation, committed as needed";
  }
  return "";
}

// "17.0 GiB (18253611008 bytes)"
std::string Exactly(uint64_t bytes) { return absl::StrFormat("%s (%u bytes)", FormatBytes(bytes), bytes); }

std::string DescribeHints(const ReservationStrategy& s) {
  if (s.hints.count == 0) return "none: the OS chooses";
  if (s.hints.after_image) {
    return absl::StrCat("behind the image, rounded up to ", FormatBytes(s.hints.image_align_bytes));
  }
  if (s.hints.count == 1) return absl::StrFormat("0x%x", s.hints.base.value());
  const Addr last = s.hints.base + s.hints.stride_bytes * (s.hints.count - 1);
  return absl::StrFormat("%u of them: 0x%x, 0x%x, ... 0x%x", s.hints.count, s.hints.base.value(),
                         (s.hints.base + s.hints.stride_bytes).value(), last.value());
}

class Sheet {
 public:
  void Head(absl::string_view title) { absl::StrAppend(&text_, "\n", title, "\n"); }
  void Line(absl::string_view name, absl::string_view value) {
    absl::StrAppendFormat(&text_, "  %-22s %s\n", name, value);
  }
  void Plain(absl::string_view line) { absl::StrAppend(&text_, line, "\n"); }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

void DescribeRange(const ReservationStrategy& s, Sheet& sheet) {
  sheet.Head("the heap's range");
  sheet.Line("firmness", Meaning(s.firmness));
  if (s.heap_bytes != 0) sheet.Line("heap", Exactly(s.heap_bytes));
  if (s.bitmap_bytes != 0) {
    sheet.Line("bitmap below it", Exactly(s.bitmap_bytes));
    sheet.Line("together", Exactly(s.heap_bytes + s.bitmap_bytes));
  }
  if (s.reserve_chunk_bytes != 0) sheet.Line("one chunk", Exactly(s.reserve_chunk_bytes));
  if (s.firmness != Firmness::kNothing) {
    sheet.Line("hint", DescribeHints(s));
    if (s.hints.count == 1 && !s.hints.after_image && s.bitmap_bytes != 0) {
      sheet.Line("heap starts at", absl::StrFormat("0x%x", (s.hints.base + s.bitmap_bytes).value()));
    }
    sheet.Line("on conflict", Meaning(s.on_conflict));
  }
  sheet.Line("on refusal", Meaning(s.on_refusal));
  if (s.firmness == Firmness::kPretend)
    sheet.Line("becomes usable by", "mmap at that place, not over anything");
  if (s.firmness == Firmness::kReserve || s.firmness == Firmness::kPerChunk) {
    sheet.Line("becomes usable by", Meaning(s.commit_method));
  }
  sheet.Line("access", Meaning(s.access));
  if (s.window_bytes != 0) {
    sheet.Line("when used up", absl::StrCat("mapped where the OS likes, if within ",
                                            FormatBytes(s.window_bytes), " above the heap's start"));
  }
}

void DescribeGrowth(const ReservationStrategy& s, Sheet& sheet) {
  sheet.Head("growth");
  sheet.Line("at least", FormatBytes(s.grow_min_bytes));
  sheet.Line("in multiples of", FormatBytes(s.grow_round_bytes));
  sheet.Line("refused", s.grow_retry_exact ? "asks once more for just what the request needs" : "is final");
  sheet.Line("before main", FormatBytes(s.startup_heap_bytes));
}

void DescribeTables(const ReservationStrategy& s, Sheet& sheet) {
  sheet.Head("the allocator's own tables");
  sheet.Line("heap page", FormatBytes(uint64_t{1} << s.heap_page_shift));
  sheet.Line("page map", absl::StrCat(PageMapKindName(s.page_map), ", ", Meaning(s.page_map_place)));
  sheet.Line("heap bitmap",
             s.bitmap_bits_per_word == 0
                 ? "none"
                 : absl::StrFormat("%u bits per %d-bit word, grows downward by %s", s.bitmap_bits_per_word,
                                   s.word_bits, FormatBytes(s.bitmap_chunk_bytes)));
  sheet.Line("records come in", FormatBytes(s.metadata_chunk_bytes));
}

}  // namespace

std::string DescribeStrategy(const CatalogStrategy& strategy) {
  const ReservationStrategy& s = strategy.strategy;
  Sheet sheet;
  sheet.Plain(absl::StrFormat("%s: %s", s.name, strategy.text.summary()));
  sheet.Plain(absl::StrFormat("%d-bit; file %s (each number with its reason)", s.word_bits, strategy.file));
  DescribeRange(s, sheet);
  DescribeGrowth(s, sheet);
  DescribeTables(s, sheet);
  sheet.Head("sources");
  for (const std::string& source : strategy.text.source()) sheet.Plain(absl::StrCat("  ", source));
  return sheet.Take();
}

}  // namespace reheap
