// ProcessKind: one way in which linux lays a process out, for the executor (personality, word size, stack
// limit) and for the model (platform).
//
// Values only. Limits: x86.
#ifndef REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_PROCESS_KIND_H_
#define REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_PROCESS_KIND_H_

#include <cstdint>
#include <span>
#include <string_view>

namespace reheap {

struct ProcessKind {
  const char* name;
  int word_bits;
  uint64_t personality;  // beside ADDR_NO_RANDOMIZE
  uint64_t stack_limit_bytes;  // at exec; all ones = unlimited
  bool huge_pages = false;     // by the system's setting; else they are turned off for the process
};

// Each of them is fuzzed.
std::span<const ProcessKind> ProcessKinds();
// Null when there is none of that name.
const ProcessKind* FindProcessKind(std::string_view name);

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_PROCESS_KIND_H_
