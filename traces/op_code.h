// OpCode: what one byte of an event block's `ops` column stands for: kind, call kind, and which columns to
// read.
//
// Shared by the encoder and the decoder (rows 3 and 5 of the walk), and by nobody else. On the wire an op
// is kind | call << 8 | flags << 16, in EventColumns.op_table. Objects are the costly column, so
// most events name theirs without a number or with a small one:
//
//   kNoObjectMode   no object
//   kReuse          the slot freed most recently in this block and not yet reused (allocators and slot
//                   tables reuse the last freed first), no number
//   kByAllocation   the n-th allocation of this block; step from the last one so named
//   kBySlot         the slot itself; step from the slot expected: behind the last one for allocations,
//                   the last one so named for others
//
// Steps are kept apart for allocations, frees and the rest, because each walks its own path through the
// slots.
#ifndef REHEAP_TRACES_OP_CODE_H_
#define REHEAP_TRACES_OP_CODE_H_

#include <cstddef>
#include <cstdint>

#include "traces/trace_event.h"

namespace reheap {

inline constexpr size_t kMaxOps = 256;  // an op is one byte

inline constexpr uint32_t kOpFailed = 1u << 0;
inline constexpr uint32_t kOpSize = 1u << 1;
inline constexpr uint32_t kOpAlignment = 1u << 2;
inline constexpr uint32_t kOpThread = 1u << 3;  // the thread changes
inline constexpr uint32_t kOpTime = 1u << 4;    // the time changes
inline constexpr uint32_t kOpAddress = 1u << 5;
inline constexpr uint32_t kOpArgument = 1u << 6;
inline constexpr uint32_t kOpObjectShift = 7;
inline constexpr uint32_t kOpFlagBits = 9;

enum ObjectMode : uint32_t { kNoObjectMode = 0, kReuse = 1, kByAllocation = 2, kBySlot = 3 };

// The rare columns, asked about together.
inline constexpr uint32_t kOpRare = kOpAlignment | kOpThread | kOpTime | kOpAddress | kOpArgument;

constexpr uint32_t MakeOp(EventKind kind, CallKind call, uint32_t flags) {
  return static_cast<uint32_t>(kind) | static_cast<uint32_t>(call) << 8 | flags << 16;
}

// Which of the three paths through the slots an event continues.
constexpr size_t PathOf(EventKind kind) {
  return kind == EventKind::kAllocate ? 0 : kind == EventKind::kFree ? 1 : 2;
}
inline constexpr size_t kPaths = 3;

// Signed steps as unsigned numbers, small ones small: 0, -1, 1, -2, ...
constexpr uint64_t ZigZag(int64_t step) {
  return (static_cast<uint64_t>(step) << 1) ^ static_cast<uint64_t>(step >> 63);
}
constexpr int64_t UnZigZag(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

}  // namespace reheap

#endif  // REHEAP_TRACES_OP_CODE_H_
