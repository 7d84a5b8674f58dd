// Human units: sizes, counts, times and shares as people write and read them.
//
// Shared by the tables of sim/report and the options of tools. Binary units only: 1 KiB = 1,024 B; a bare K,
// M, G or T means the same, because `ulimit -v` and every allocator count that way.
//
// Pure functions: no ownership, any thread, independent of the locale.
#ifndef REHEAP_SIM_REPORT_HUMAN_UNITS_H_
#define REHEAP_SIM_REPORT_HUMAN_UNITS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace reheap {

// "0 B", "512 B", "4.0 KiB", "17.0 GiB": one decimal, the largest unit that leaves 1 or more.
std::string FormatBytes(uint64_t bytes);

// `bytes` in the unit that FormatBytes chooses for `reference`, with two decimals below a tenth of that unit:
// 34 MiB beside 4 GiB is "0.03 GiB".
std::string FormatBytesBeside(uint64_t bytes, uint64_t reference);

// "unlimited" when absent, else FormatBytes.
std::string FormatLimit(const std::optional<uint64_t>& bytes);

// "1,234,567"
std::string FormatCount(uint64_t count);

// "0 ns", "812 ns", "1.5 us", "20.0 ms", "3.2 s", "12 min 05 s"
std::string FormatNanoseconds(uint64_t ns);

// "4GiB", "512 MiB", "1.5GiB", "64k", "4096", "4096B": bytes. Case does not matter; a fraction of a unit is
// rounded down to the byte. kInvalidArgument for anything else, for "1.5" bytes and for 2^64 and above.
absl::StatusOr<uint64_t> ParseBytes(absl::string_view text);

// As ParseBytes; nullopt for "unlimited".
absl::StatusOr<std::optional<uint64_t>> ParseLimit(absl::string_view text);

}  // namespace reheap

#endif  // REHEAP_SIM_REPORT_HUMAN_UNITS_H_
