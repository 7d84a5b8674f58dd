#include "sim/strategies/strategy_diff.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "sim/report/human_units.h"

namespace reheap {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

struct Explained {
  absl::string_view name;
  absl::string_view text;
};

// What a field decides, by the last step of its path.
constexpr Explained kFields[] = {
    {"firmness", "how the heap's range is held before it is used"},
    {"heap_bytes", "most heap that the plan can hold"},
    {"reserve_chunk_bytes", "size of each reservation"},
    {"hints", "where it asks to be"},
    {"base", "the first place that it asks for"},
    {"stride_bytes", "distance between the places that it asks for"},
    {"count", "how many places it asks for"},
    {"on_conflict", "what if somebody is there, or the OS offers another place"},
    {"on_refusal", "what if the OS refuses"},
    {"commit_method", "how reserved memory becomes usable"},
    {"access", "what the program may do with it"},
    {"window_bytes", "how far from its start the heap may go on where the OS likes"},
    {"extend_bytes", "how much is reserved behind the range when it is used up"},
    {"align_bytes", "what the range begins at a multiple of"},
    {"smaller_bytes", "what is asked for when that is refused"},
    {"reserved_ready", "whether the reservation is usable from the start"},
    {"no_reserve", "whether it is charged only when written"},
    {"probe_bytes", "how much is asked for, and given back, to see whether the place is free"},
    {"clobbers", "whether somebody found in the range is mapped over"},
    {"clobber_check_bytes", "how much must be in use to be noticed"},
    {"min_bytes", "the least that the heap grows by"},
    {"round_bytes", "what it grows by a multiple of"},
    {"retry_exact", "whether a refused growth is asked for again in just the size needed"},
    {"startup_heap_bytes", "heap before main"},
    {"steps_per_doubling", "how fast growths become larger"},
    {"own_bytes", "how much of each growth is the allocator's own"},
    {"break_first", "whether the end of the data segment comes first (brk)"},
    {"heap_page_bytes", "heap page"},
    {"page_map", "how a page's span is found"},
    {"page_map_place", "where that table lies"},
    {"bitmap_bits_per_word", "collector's bits for each word of heap"},
    {"bitmap_bytes", "address space for them"},
    {"bitmap_chunk_bytes", "how much of that becomes usable at a time"},
    {"metadata_chunk_bytes", "how records are mapped"},
    {"release", "when free memory goes back to the OS"},
    {"policy", "when free memory goes back to the OS"},
    {"method", "how it goes back"},
    {"age_ms", "how long a span is free before it goes back"},
    {"tick_ms", "how often that is looked at"},
    {"pages_freed_per_page", "heap pages that become free for each that goes back"},
    {"dirty_ms", "how long until nothing that became free is left"},
    {"keep_percent", "free memory that is kept, of the heap in use"},
    {"word_bits", "the program's word"},
    {"startup", "mapped beside the heap, before it"},
    {"started", "mapped beside the heap, after its first growth"},
    {"per_chunk", "mapped for each chunk"},
    {"per_thread", "mapped for each thread"},
    {"values", "a formula"},
    {"computed", "a number that is not the same everywhere"},
    {"modes", "another plan of the same program"},
};

constexpr Explained kWords[] = {
    {"NOTHING", "no range is held; each growth is mapped where the OS likes"},
    {"RESERVE", "the whole range is really reserved at startup"},
    {"PRETEND", "the range is assumed to be free without asking"},
    {"PER_CHUNK", "really reserved, one chunk at a time"},
    {"RELOCATE", "take the address that the OS offers"},
    {"NEXT_HINT", "give it back and try the next hint"},
    {"DIE", "give up, naming both addresses"},
    {"ABORT", "the program ends"},
    {"BELIEVE_RESERVED", "a refused reservation is not noticed until its first use"},
    {"RETURN_NULL", "the request that needed it fails"},
    {"MAP_FIXED", "mmap over the reservation"},
    {"PROTECT", "mprotect"},
    {"IMAGE_BSS", "in the image's BSS (mapped at startup where the image has none)"},
    {"MAPPED", "mapped whole at startup"},
    {"IN_RESERVATION", "inside the heap's reservation, committed as needed"},
    {"FLAT", "one array of 8-byte entries"},
    {"FLAT_INDEX", "one array of 4-byte entries"},
    {"RADIX2", "a tree of two levels"},
    {"RADIX3", "a tree of three levels"},
    {"SPARSE_ARENAS", "a table of arenas, an array in each"},
    {"NO_PAGE_MAP", "headers or masks, no table"},
    {"NEVER", "the heap keeps it"},
    {"IDLE", "at each tick, what was free for the age"},
    {"RATE", "a page for each so many that become free"},
    {"DECAY", "little by little, along jemalloc's curve"},
    {"GOAL", "at each tick, what is more than a part of the heap in use"},
    {"DISCARD", "contents and RSS go, addresses and commit charge stay (MADV_DONTNEED; windows: MEM_DECOMMIT)"},
    {"DECOMMIT", "the commit charge goes back too (PROT_NONE over it)"},
};

template <size_t kCount>
absl::string_view Find(const Explained (&list)[kCount], absl::string_view name) {
  for (const Explained& each : list) {
    if (each.name == name) return each.text;
  }
  return "";
}

// The text of a field's value; `index` -1 = not repeated.
std::string ValueOf(const Message& message, const FieldDescriptor* field, int index) {
  std::string text;
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    const Message& value = index < 0 ? message.GetReflection()->GetMessage(message, field)
                                     : message.GetReflection()->GetRepeatedMessage(message, field, index);
    google::protobuf::TextFormat::Printer printer;
    printer.SetSingleLineMode(true);
    printer.PrintToString(value, &text);
    while (!text.empty() && text.back() == ' ') text.pop_back();
    return text;
  }
  google::protobuf::TextFormat::PrintFieldValueToString(message, field, index, &text);
  return text;
}

class Comparison {
 public:
  void Compare(const std::string& path, const Message& a, const Message& b) {
    const auto* descriptor = a.GetDescriptor();
    for (int n = 0; n < descriptor->field_count(); ++n) {
      const FieldDescriptor* field = descriptor->field(n);
      if (path.empty() && IsOfTheFile(field->name())) continue;
      const std::string here = path.empty() ? field->name() : absl::StrCat(path, ".", field->name());
      if (field->is_repeated()) {
        CompareRepeated(here, field, a, b);
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && Has(a, field) && Has(b, field)) {
        Compare(here, a.GetReflection()->GetMessage(a, field), b.GetReflection()->GetMessage(b, field));
      } else {
        Note(here, field, Has(a, field) ? ValueOf(a, field, -1) : "",
             Has(b, field) ? ValueOf(b, field, -1) : "");
      }
    }
  }
  std::vector<StrategyDifference> Take() { return std::move(differences_); }

 private:
  static bool IsOfTheFile(absl::string_view name) {
    return name == "name" || name == "source" || name == "summary" || name == "not_modelled" ||
           name == "says";
  }
  static bool Has(const Message& message, const FieldDescriptor* field) {
    return message.GetReflection()->HasField(message, field);
  }
  // Element by element: an inserted one shows as differences from there on.
  void CompareRepeated(const std::string& path, const FieldDescriptor* field, const Message& a,
                       const Message& b) {
    const int count_a = a.GetReflection()->FieldSize(a, field),
              count_b = b.GetReflection()->FieldSize(b, field);
    for (int n = 0; n < std::max(count_a, count_b); ++n) {
      Note(absl::StrCat(path, "[", n, "]"), field, n < count_a ? ValueOf(a, field, n) : "",
           n < count_b ? ValueOf(b, field, n) : "");
    }
  }
  void Note(const std::string& path, const FieldDescriptor* field, std::string a, std::string b) {
    if (a == b) return;
    std::string meaning(Find(kFields, field->name()));
    differences_.push_back(
        {path, Readable(*field, std::move(a)), Readable(*field, std::move(b)), std::move(meaning)});
  }
  static std::string Readable(const FieldDescriptor& field, std::string value) {
    if (value.empty()) return value;
    uint64_t number = 0;
    if (!absl::SimpleAtoi(value, &number)) return value;
    if (field.name() == "base" || field.name() == "random_mask") return absl::StrFormat("0x%x", number);
    if (!absl::EndsWith(field.name(), "_bytes") || number < 1024) return value;
    return absl::StrCat(value, " (", FormatBytes(number), ")");
  }

  std::vector<StrategyDifference> differences_;
};

}  // namespace

std::string MeaningOfWord(absl::string_view word) {
  const absl::string_view text = Find(kWords, word);
  return text.empty() ? std::string(word) : absl::StrCat(word, ": ", text);
}

std::vector<StrategyDifference> DiffStrategies(const CatalogStrategy& a, const CatalogStrategy& b) {
  Comparison comparison;
  comparison.Compare("", a.text, b.text);
  return comparison.Take();
}

std::string DescribeDifference(const CatalogStrategy& a, const CatalogStrategy& b) {
  const std::vector<StrategyDifference> differences = DiffStrategies(a, b);
  std::string text = absl::StrFormat("a  %s: %s\nb  %s: %s\n", a.text.name(), a.text.summary(), b.text.name(),
                                     b.text.summary());
  if (differences.empty()) return absl::StrCat(text, "\nthe same plan\n");
  absl::StrAppend(&text, "\n", differences.size(),
                  differences.size() == 1 ? " difference\n" : " differences\n");
  const auto shown = [](const std::string& value) {
    return value.empty() ? std::string("not said") : MeaningOfWord(value);
  };
  for (const StrategyDifference& each : differences) {
    absl::StrAppend(&text, "\n", each.field,
                    each.meaning.empty() ? "" : absl::StrCat(" (", each.meaning, ")"), "\n  a  ",
                    shown(each.a), "\n  b  ", shown(each.b), "\n");
  }
  return text;
}

}  // namespace reheap
