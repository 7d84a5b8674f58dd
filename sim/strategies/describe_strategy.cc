#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "sim/report/human_units.h"
#include "sim/strategies/strategy_catalog.h"
#include "sim/strategies/strategy_diff.h"

namespace reheap {

namespace {

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

void DescribeRange(const CatalogStrategy& strategy, Sheet& sheet) {
  const ReservationStrategy& s = strategy.strategy;
  const auto& text = strategy.text.reservation();
  const std::string commit = MeaningOfWord(proto::StrategyCommitMethod_Name(text.commit_method()));
  sheet.Head("the heap's range");
  sheet.Line("firmness", MeaningOfWord(proto::StrategyFirmness_Name(text.firmness())));
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
    sheet.Line("on conflict", MeaningOfWord(proto::StrategyOnConflict_Name(text.on_conflict())));
  }
  sheet.Line("on refusal", MeaningOfWord(proto::StrategyOnRefusal_Name(text.on_refusal())));
  if (s.firmness == Firmness::kPretend)
    sheet.Line("becomes usable by", "mmap at that place, not over anything");
  if (s.firmness == Firmness::kReserve || s.firmness == Firmness::kPerChunk) {
    sheet.Line("becomes usable by", s.reserved_ready ? "nothing: it is usable from the start" : commit);
  }
  sheet.Line("access", proto::StrategyAccess_Name(text.access()));
  if (s.no_reserve) sheet.Line("charged", "when written, where the OS allows that (MAP_NORESERVE)");
  if (s.probe_bytes != 0) {
    sheet.Line("asked before", absl::StrCat(FormatBytes(s.probe_bytes), " at the hint, given back at once"));
  }
  if (s.clobbers) {
    sheet.Line("somebody in the range", absl::StrCat("is mapped over, unless whole pieces of ",
                                                     FormatBytes(s.clobber_check_bytes), " are in use"));
  }
  for (uint64_t bytes : s.smaller_bytes) sheet.Line("refused, asks for", Exactly(bytes));
  if (s.extend_bytes != 0) {
    sheet.Line("when used up", absl::StrCat("reserves ", FormatBytes(s.extend_bytes), " more behind it"));
  }
  if (s.window_bytes != 0) {
    sheet.Line("when used up", absl::StrCat("mapped where the OS likes, if within ",
                                            FormatBytes(s.window_bytes), " above the heap's start"));
  }
}

void DescribeGrowth(const ReservationStrategy& s, Sheet& sheet) {
  sheet.Head("growth");
  if (s.break_first) sheet.Line("from", "the end of the data segment (brk), else mapped");
  sheet.Line("at least", FormatBytes(s.grow_min_bytes));
  if (s.grow_steps_per_doubling != 0) {
    sheet.Line("then more", absl::StrFormat("doubled in %u growths", s.grow_steps_per_doubling));
  }
  sheet.Line("in multiples of", FormatBytes(s.grow_round_bytes));
  if (s.grow_own_bytes != 0) sheet.Line("its own records", absl::StrCat(FormatBytes(s.grow_own_bytes), " of each"));
  sheet.Line("refused", s.grow_retry_exact ? "asks once more for just what the request needs" : "is final");
  sheet.Line("before main", FormatBytes(s.startup_heap_bytes));
}

// "5 min", "10 s", "50 ms"
std::string Time(uint64_t ns) {
  const uint64_t ms = ns / 1'000'000;
  if (ms >= 60'000 && ms % 1000 == 0 && ms % 60'000 == 0) return absl::StrFormat("%u min", ms / 60'000);
  if (ms >= 1000 && ms % 1000 == 0) return absl::StrFormat("%u s", ms / 1000);
  return absl::StrFormat("%u ms", ms);
}

std::string DescribePolicy(const ReleasePlan& plan) {
  switch (plan.policy) {
    case ReleasePolicy::kNever:
      return "never";
    case ReleasePolicy::kIdle:
      return absl::StrFormat("what was free for %s, looked at every %s", Time(plan.age_ns), Time(plan.tick_ns));
    case ReleasePolicy::kRate:
      return absl::StrFormat("a heap page for each %u that become free", plan.pages_freed_per_page);
    case ReleasePolicy::kDecay:
      return absl::StrFormat("little by little, all of it %s after it became free (200 steps of smoothstep)",
                             Time(plan.decay_ns));
    case ReleasePolicy::kGoal:
      return absl::StrFormat("what is more than %u%% of the heap in use, looked at every %s", plan.keep_percent,
                             Time(plan.tick_ns));
  }
  return "";
}

void DescribeRelease(const CatalogStrategy& strategy, Sheet& sheet) {
  sheet.Head("free memory goes back");
  sheet.Line("when", DescribePolicy(strategy.strategy.release));
  if (strategy.strategy.release.policy == ReleasePolicy::kNever) return;
  const bool decommits = strategy.strategy.release.method == ReleaseMethod::kDecommit;
  sheet.Line("by", MeaningOfWord(decommits ? "DECOMMIT" : "DISCARD"));
}

std::string PlaceOfPageMap(const CatalogStrategy& strategy) {
  if (strategy.strategy.page_map == PageMapKind::kNone) {
    return "none in the process: headers or masks tell; the heap's own tables lie outside it";
  }
  const std::string place =
      MeaningOfWord(proto::StrategyTablePlace_Name(strategy.text.tables().page_map_place()));
  return absl::StrCat(PageMapKindName(strategy.strategy.page_map), ", ", place.substr(place.find(": ") + 2));
}

void DescribeTables(const CatalogStrategy& strategy, Sheet& sheet) {
  const ReservationStrategy& s = strategy.strategy;
  sheet.Head("the allocator's own tables");
  sheet.Line("heap page", FormatBytes(uint64_t{1} << s.heap_page_shift));
  sheet.Line("page map", PlaceOfPageMap(strategy));
  sheet.Line("heap bitmap",
             s.bitmap_bits_per_word == 0
                 ? "none"
                 : absl::StrFormat("%u bits per %d-bit word, grows downward by %s", s.bitmap_bits_per_word,
                                   s.word_bits, FormatBytes(s.bitmap_chunk_bytes)));
  sheet.Line("records come in", FormatBytes(s.metadata_chunk_bytes));
  for (const auto& table : s.growth_tables) {
    sheet.Line(table.purpose, absl::StrFormat("a byte for each %u of heap, mapped by %s",
                                              table.heap_bytes_per_byte, FormatBytes(table.chunk_bytes)));
  }
}

void DescribeList(const std::vector<MapRequest>& requests, absl::string_view when, Sheet& sheet) {
  for (const MapRequest& request : requests) {
    const char* usable = request.protection == Protection::kNone ? "inaccessible" : "usable";
    std::string line = absl::StrFormat("%s: %s, %s", when, Exactly(request.bytes), usable);
    if (request.count != 1) absl::StrAppend(&line, ", ", request.count, " times");
    if (request.alignment_bytes != 0) {
      absl::StrAppend(&line, ", at a multiple of ", FormatBytes(request.alignment_bytes),
                      " (trimmed out of more)");
    }
    if (request.no_reserve) absl::StrAppend(&line, ", MAP_NORESERVE");
    for (uint64_t bytes : request.smaller_bytes) absl::StrAppend(&line, "; refused: ", FormatBytes(bytes));
    if (request.if_refused == IfRefused::kSkip) absl::StrAppend(&line, "; refused: goes on without");
    if (request.if_refused == IfRefused::kBelieve) absl::StrAppend(&line, "; refused: does not notice");
    sheet.Line(request.purpose, line);
  }
}

void DescribeRequests(const ReservationStrategy& s, Sheet& sheet) {
  if (s.startup_requests.size() + s.started_requests.size() + s.chunk_requests.size() +
          s.thread_requests.size() ==
      0) {
    return;
  }
  sheet.Head("mapped beside the heap");
  DescribeList(s.startup_requests, "at the start", sheet);
  DescribeList(s.started_requests, "after the first growth", sheet);
  DescribeList(s.chunk_requests, "with each chunk", sheet);
  const std::string threads = s.thread_requests_most == 0
                                  ? absl::StrFormat("each thread from the %u. on", s.thread_requests_from)
                                  : absl::StrFormat("threads %u to %u", s.thread_requests_from,
                                                    s.thread_requests_from + s.thread_requests_most - 1);
  DescribeList(s.thread_requests, threads, sheet);
}

void DescribeFormulas(const proto::Strategy& text, Sheet& sheet) {
  if (text.values_size() + text.computed_size() + text.modes_size() == 0) return;
  sheet.Head("by the machine and its limits (the numbers above: 16 GiB of RAM, 2 processors, no limits)");
  for (const auto& value : text.values()) sheet.Line(value.name(), value.is());
  for (const auto& computed : text.computed()) sheet.Line(computed.field(), computed.is());
  for (const auto& mode : text.modes()) {
    std::string when = mode.when().empty() ? "" : absl::StrCat("when ", mode.when());
    if (mode.after_refusal()) absl::StrAppend(&when, when.empty() ? "" : "; ", "when the start is refused");
    sheet.Line(absl::StrCat("mode '", mode.name(), "'"), when);
    for (const auto& computed : mode.computed())
      sheet.Line(absl::StrCat("  ", computed.field()), computed.is());
  }
}

}  // namespace

std::string DescribeStrategy(const CatalogStrategy& strategy) {
  const ReservationStrategy& s = strategy.strategy;
  Sheet sheet;
  sheet.Plain(absl::StrFormat("%s: %s", s.name, strategy.text.summary()));
  sheet.Plain(absl::StrFormat("%d-bit; file %s (each number with its reason)", s.word_bits, strategy.file));
  DescribeRange(strategy, sheet);
  DescribeGrowth(s, sheet);
  DescribeTables(strategy, sheet);
  DescribeRelease(strategy, sheet);
  DescribeRequests(s, sheet);
  DescribeFormulas(strategy.text, sheet);
  if (strategy.text.not_modelled_size() > 0) sheet.Head("not modelled");
  for (const std::string& part : strategy.text.not_modelled()) sheet.Plain(absl::StrCat("  ", part));
  if (strategy.text.says_size() > 0) sheet.Head("what the original says when it dies");
  for (const std::string& said : strategy.text.says()) sheet.Plain(absl::StrCat("  ", said));
  sheet.Head("sources");
  for (const std::string& source : strategy.text.source()) sheet.Plain(absl::StrCat("  ", source));
  return sheet.Take();
}

}  // namespace reheap
