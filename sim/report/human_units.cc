#include "sim/report/human_units.h"

#include <algorithm>
#include <cctype>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace reheap {

namespace {

struct Unit {
  uint64_t bytes;
  const char* name;
};
// Largest first.
constexpr Unit kUnits[] = {
    {uint64_t{1} << 60, "EiB"},
    {uint64_t{1} << 50, "PiB"},
    {uint64_t{1} << 40, "TiB"},
    {uint64_t{1} << 30, "GiB"},
    {uint64_t{1} << 20, "MiB"},
    {uint64_t{1} << 10, "KiB"},
    {1, "B"},
};

const Unit& UnitFor(uint64_t bytes) {
  for (const Unit& unit : kUnits) {
    if (bytes >= unit.bytes) return unit;
  }
  return kUnits[std::size(kUnits) - 1];
}

std::string InUnit(uint64_t bytes, const Unit& unit) {
  if (unit.bytes == 1) return absl::StrFormat("%u B", bytes);
  const double value = static_cast<double>(bytes) / static_cast<double>(unit.bytes);
  return bytes != 0 && value < 0.1 ? absl::StrFormat("%.2f %s", value, unit.name)
                                   : absl::StrFormat("%.1f %s", value, unit.name);
}

// "", "b", "k", "kb", "kib" and so on for each unit; nullptr for anything else.
const Unit* UnitNamed(absl::string_view suffix) {
  for (const Unit& unit : kUnits) {
    const std::string full = absl::AsciiStrToLower(unit.name);
    if (unit.bytes == 1 && (suffix.empty() || suffix == "b")) return &unit;
    if (unit.bytes == 1) continue;
    if (suffix == full || suffix == full.substr(0, 1) || suffix == absl::StrCat(full.substr(0, 1), "b"))
      return &unit;
  }
  return nullptr;
}

absl::Status NotASize(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrFormat(
      "'%s' is not a size: %s; expected for example 4GiB, 512MiB, 1.5GiB or 4096", text, why));
}

// Digits of a decimal number as (mantissa, number of decimals): "1.50" = (150, 2).
struct Decimal {
  uint64_t mantissa = 0;
  uint64_t scale = 1;
  size_t length = 0;  // characters of the text used; 0 = no number
  bool too_large = false;
};

Decimal ReadDecimal(absl::string_view text) {
  Decimal number;
  bool fraction = false;
  bool digit_seen = false;
  size_t i = 0;
  for (; i < text.size(); ++i) {
    if (text[i] == '.' && !fraction && digit_seen) {
      fraction = true;
      continue;
    }
    if (!absl::ascii_isdigit(static_cast<unsigned char>(text[i]))) break;
    digit_seen = true;
    const uint64_t digit = static_cast<uint64_t>(text[i] - '0');
    if (number.mantissa > (UINT64_MAX - digit) / 10) {
      number.too_large = true;
      return number;
    }
    number.mantissa = number.mantissa * 10 + digit;
    if (fraction) number.scale *= 10;
  }
  number.length = digit_seen && text[i - 1] != '.' ? i : 0;
  return number;
}

}  // namespace

std::string FormatBytes(uint64_t bytes) { return InUnit(bytes, UnitFor(bytes)); }

std::string FormatBytesBeside(uint64_t bytes, uint64_t reference) {
  return InUnit(bytes, UnitFor(std::max(bytes, reference)));
}

std::string FormatLimit(const std::optional<uint64_t>& bytes) {
  return bytes.has_value() ? FormatBytes(*bytes) : "unlimited";
}

std::string FormatCount(uint64_t count) {
  std::string digits = absl::StrCat(count);
  for (size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

std::string FormatNanoseconds(uint64_t ns) {
  constexpr uint64_t kSecond = 1000000000;
  if (ns < 1000) return absl::StrFormat("%u ns", ns);
  if (ns < 1000000) return absl::StrFormat("%.1f us", static_cast<double>(ns) / 1e3);
  if (ns < kSecond) return absl::StrFormat("%.1f ms", static_cast<double>(ns) / 1e6);
  if (ns < 60 * kSecond) return absl::StrFormat("%.1f s", static_cast<double>(ns) / 1e9);
  const uint64_t seconds = ns / kSecond;
  return absl::StrFormat("%u min %02u s", seconds / 60, seconds % 60);
}

absl::StatusOr<uint64_t> ParseBytes(absl::string_view text) {
  const std::string lower = absl::AsciiStrToLower(absl::StripAsciiWhitespace(text));
  const Decimal number = ReadDecimal(lower);
  if (number.too_large) return NotASize(text, "it is beyond 2^64");
  if (number.length == 0) return NotASize(text, "it does not start with a number");
  const Unit* unit =
      UnitNamed(absl::StripLeadingAsciiWhitespace(absl::string_view(lower).substr(number.length)));
  if (unit == nullptr) return NotASize(text, "its unit is not one of B, KiB, MiB, GiB, TiB, PiB, EiB");
  const unsigned __int128 scaled = static_cast<unsigned __int128>(number.mantissa) * unit->bytes;
  if (unit->bytes == 1 && number.scale != 1) return NotASize(text, "it has a fraction of a byte");
  const unsigned __int128 bytes = scaled / number.scale;
  if (bytes > UINT64_MAX) return NotASize(text, "it is beyond 2^64");
  return static_cast<uint64_t>(bytes);
}

absl::StatusOr<std::optional<uint64_t>> ParseLimit(absl::string_view text) {
  if (absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(text), "unlimited")) return std::optional<uint64_t>();
  absl::StatusOr<uint64_t> bytes = ParseBytes(text);
  if (!bytes.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(bytes.status().message(), ", or unlimited"));
  }
  return std::optional<uint64_t>(*bytes);
}

}  // namespace reheap
