// What happens around each call that the program makes to its allocator: rule by rule, with the real function
// passed in (row 1 of the walk). preload.cc holds the exported symbols and finds the real functions.
//
//   an allocation is recorded after the real call returned     so that whoever gave the address back is before it
//   a free        is recorded before the real call             so that whoever gets the address next is behind it
//   a realloc     is recorded on both sides
//
// Ownership: none. Threads: any. errno is what the real function left.
#ifndef REHEAP_TRACES_RECORDER_HOOKS_H_
#define REHEAP_TRACES_RECORDER_HOOKS_H_

#include <stddef.h>
#include <stdint.h>

#include "traces/recorder/lane.h"
#include "traces/trace_event.h"

namespace reheap::recorder {

inline uint8_t CallOp(CallKind call) { return static_cast<uint8_t>(Op::kCall) + static_cast<uint8_t>(call); }

// Flags for an alignment; kOddAlignment: it needs an extra record.
REHEAP_HOT uint8_t AlignmentFlags(uint64_t alignment) {
  if (REHEAP_LIKELY(alignment == 0)) return 0;
  if ((alignment & (alignment - 1)) != 0) return spool::kOddAlignment;
  return static_cast<uint8_t>(__builtin_ctzll(alignment) + 1);
}

REHEAP_HOT void AppendCall(CallKind call, uint8_t flags, const void* pointer, uint64_t size, uint64_t alignment) {
  flags = static_cast<uint8_t>(flags | AlignmentFlags(alignment));
  const uint64_t address = reinterpret_cast<uint64_t>(pointer);
  if (REHEAP_UNLIKELY((flags & spool::kAlignmentMask) == spool::kOddAlignment)) {
    AppendExtended(CallOp(call), flags, address, size, alignment, 0);
  } else {
    Append(CallOp(call), flags, address, size);
  }
}

// Null is failure whatever the size: glibc and its rivals never answer malloc(0) with null.
REHEAP_HOT void RecordAllocation(CallKind call, const void* pointer, uint64_t size, uint64_t alignment) {
  AppendCall(call, pointer == nullptr ? spool::kFailed : 0, pointer, size, alignment);
}

// size, alignment: what a sized or aligned delete was told; else 0.
REHEAP_HOT void RecordFree(CallKind call, const void* pointer, uint64_t size, uint64_t alignment) {
  AppendCall(call, 0, pointer, size, alignment);
}

// realloc(NULL, n) allocates, realloc(p, 0) that answers null has freed, anything else resizes or fails.
template <typename Real>
inline void* RecordResize(CallKind call, void* old_pointer, uint64_t size, Real real) {
  if (old_pointer != nullptr) {
    Append(static_cast<uint8_t>(Op::kResizeBegin), 0, reinterpret_cast<uint64_t>(old_pointer), size);
  }
  void* pointer = real();
  if (pointer == nullptr && size != 0 && old_pointer != nullptr) {
    // The old block stays where it was: an event at that address, like the one before the call.
    Append(CallOp(call), spool::kFailed | spool::kResizes, reinterpret_cast<uint64_t>(old_pointer), size);
  } else {
    const uint8_t failed = pointer == nullptr ? spool::kFailed : 0;
    const uint8_t resizes = old_pointer == nullptr ? 0 : spool::kResizes;
    Append(CallOp(call), static_cast<uint8_t>(failed | resizes), reinterpret_cast<uint64_t>(pointer), size);
  }
  return pointer;
}

// calloc's and reallocarray's product; saturated, as TraceEvent::size says.
inline uint64_t Product(uint64_t count, uint64_t size) {
  uint64_t bytes;
  return __builtin_mul_overflow(count, size, &bytes) ? ~uint64_t{0} : bytes;
}

// What the standard says operator new does when the allocator has nothing: ask the handler and try again, or
// give up. `allocate` is the real allocator; `handler()` returns the program's new_handler or null.
// Null: no handler is installed.
template <typename Allocate, typename FindHandler>
inline void* AllocateWithHandler(Allocate allocate, FindHandler find_handler) {
  while (true) {
    if (void* pointer = allocate()) return pointer;
    void (*handler)() = find_handler();
    if (handler == nullptr) return nullptr;
    handler();
  }
}

}  // namespace reheap::recorder

#endif  // REHEAP_TRACES_RECORDER_HOOKS_H_
