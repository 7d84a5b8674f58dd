#include "sim/os/refusal_text.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "sim/report/human_units.h"

namespace reheap {
namespace {

constexpr const char* kMeasureNames[] = {
    "", "mapped bytes", "data bytes", "committed bytes", "one request", "mappings", "free bytes",
    "resident bytes", "locked bytes", "place",
};

// In the unit of `reference`, or its own where that would show nothing of it.
std::string Beside(uint64_t bytes, uint64_t reference) {
  const std::string text = FormatBytesBeside(bytes, reference);
  return bytes != 0 && text.rfind("0.00 ", 0) == 0 ? FormatBytes(bytes) : text;
}

// "0.03" of "0.03 GiB".
std::string WithoutUnit(const std::string& size) { return size.substr(0, size.find(' ')); }

std::string InUseText(const RefusalFacts& facts) {
  if (facts.allowed == 0) return "";
  switch (facts.shares.measure) {
    case ShareMeasure::kMappings:
      return absl::StrCat(FormatCount(facts.in_use), " of ", FormatCount(facts.allowed), " mappings in use");
    case ShareMeasure::kOneRequest:
      return absl::StrCat("at most ", FormatBytes(facts.allowed), " at once");
    default:
      break;
  }
  const std::string in_use = Beside(facts.in_use, facts.allowed);
  const std::string allowed = FormatBytes(facts.allowed);
  const bool one_unit = in_use.substr(in_use.find(' ')) == allowed.substr(allowed.find(' '));
  return absl::StrCat(one_unit ? WithoutUnit(in_use) : in_use, " of ", allowed, " in use");
}

std::string HoldersText(const RefusalFacts& facts) {
  const ShareReport& shares = facts.shares;
  if (shares.holders.empty()) return "";
  const Holder& largest = shares.holders.front();
  switch (shares.measure) {
    case ShareMeasure::kPlace:
      return absl::StrFormat("; held by %s: %s from 0x%x", largest.name, FormatBytes(largest.bytes),
                             largest.start.value());
    case ShareMeasure::kMappings:
      return absl::StrCat("; largest: ", largest.name, " ", FormatCount(largest.mappings));
    default:
      return absl::StrCat("; largest: ", largest.name, " ",
                          facts.allowed == 0 ? FormatBytes(largest.bytes)
                                             : Beside(largest.bytes, facts.allowed));
  }
}

}  // namespace

const char* ShareMeasureName(ShareMeasure measure) { return kMeasureNames[static_cast<size_t>(measure)]; }

ShareMeasure ShareMeasureNamed(std::string_view name) {
  const auto found = std::find(std::begin(kMeasureNames), std::end(kMeasureNames), name);
  return found == std::end(kMeasureNames) ? ShareMeasure::kNothing
                                          : static_cast<ShareMeasure>(found - std::begin(kMeasureNames));
}

std::string RefusalText(const RefusalFacts& facts) {
  std::string text = absl::StrCat(facts.rule, ": ");
  if (facts.shares.measure == ShareMeasure::kMappings) {
    absl::StrAppend(&text, InUseText(facts));
  } else {
    const std::string in_use = InUseText(facts);
    absl::StrAppend(&text, "asked ", FormatBytes(facts.asked_bytes), in_use.empty() ? "" : ", ", in_use);
  }
  if (facts.shares.measure == ShareMeasure::kFreeBytes) {
    absl::StrAppend(&text, ", largest gap ", FormatBytes(facts.shares.largest_gap_bytes), " of ",
                    FormatBytes(facts.shares.free_bytes), " free");
  }
  return absl::StrCat(text, HoldersText(facts));
}

}  // namespace reheap
