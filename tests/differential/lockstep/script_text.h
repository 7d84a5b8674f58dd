// Script text: operations as lines in the words of `reheap os`, and back.
//
//   mmap 0 0x200000 3 0x22          touch 0x7ffff7a00000 4 4096 w          rlimit as -1
//
// A `#` begins a comment. `$3+0x1000` in the place of a number is the answer of the third operation plus that
// much: a script that is kept names places so, since where they are differs between kernels; a script that
// the fuzzer prints has numbers only. Values only; an error names the line.
#ifndef REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_SCRIPT_TEXT_H_
#define REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_SCRIPT_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/differential/lockstep/operation.h"

namespace reheap {

std::string FormatOperation(const Operation& operation);

struct ScriptLine {
  Operation operation;
  // For each argument: 0, or the operation (from 1) whose answer is to be added to it.
  uint32_t answers[kMaxArguments] = {};
};
absl::StatusOr<std::vector<ScriptLine>> ParseScript(std::string_view text, std::string_view source);

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_SCRIPT_TEXT_H_
