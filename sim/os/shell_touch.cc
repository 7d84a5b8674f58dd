#include "sim/os/shell_touch.h"

#include <algorithm>
#include <bit>

#include "absl/strings/str_cat.h"

namespace reheap {
namespace {

// After so many steps the addresses come round to the first one: 2^word_bits over the power of two in the
// stride. 0 = 2^64, more than any count.
uint64_t StepsToComeRound(uint64_t stride_bytes, int word_bits) {
  const int steps_bits = word_bits - std::min(std::countr_zero(stride_bytes), word_bits);
  return steps_bits == 64 ? 0 : uint64_t{1} << steps_bits;
}

int ErrorOf(TouchOutcome outcome) {
  switch (outcome) {
    case TouchOutcome::kOutOfMemoryKill:
      return kKilledAtAccess;
    case TouchOutcome::kBusError:
      return kNothingBehind;
    default:
      return kForbiddenAccess;
  }
}

}  // namespace

ShellResult TouchInSteps(VirtualOs& os, TouchedBytes touched, bool write) {
  const int word_bits = os.platform().machine.word_bits;
  const uint64_t word_mask = word_bits == 32 ? 0xffffffff : ~uint64_t{0};
  const uint64_t page_bytes = os.os_page_bytes();
  // The second access to the same byte changes nothing.
  if (const uint64_t round = StepsToComeRound(touched.stride_bytes, word_bits); round != 0) {
    touched.count = std::min(touched.count, round);
  }
  uint64_t at = touched.first;
  for (uint64_t pages = 0; touched.count != 0; ++pages) {
    if (pages == kMostTouchedPages) {
      return {.fault = absl::StrCat("expected a touch of at most ", kMostTouchedPages,
                                    " OS pages, and have touched these; go on from 0x", absl::Hex(at))};
    }
    const TouchOutcome outcome = os.Access(Addr(at), write);
    if (outcome != TouchOutcome::kDone) return {.failed = true, .error = ErrorOf(outcome)};
    // The steps that stay in this page, and the one that leaves it.
    const uint64_t left_in_page = page_bytes - 1 - at % page_bytes;
    const uint64_t steps = touched.stride_bytes == 0 ? touched.count : left_in_page / touched.stride_bytes + 1;
    if (steps >= touched.count) break;
    touched.count -= steps;
    at = (at + steps * touched.stride_bytes) & word_mask;
  }
  return {};
}

}  // namespace reheap
