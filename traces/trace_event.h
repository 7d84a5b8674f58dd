// TraceEvent: one thing that a traced program did (rows 5 and 6 of the walk).
//
// What tools see; the wire form (packed columns) is traces/FORMAT.md and nobody else's business. Objects are
// slots: a number is reused once its object is freed, so a table of slots is as large as the most
// objects that were ever alive at once, not as the trace.
//
// Values only: no ownership, no threads.
#ifndef REHEAP_TRACES_TRACE_EVENT_H_
#define REHEAP_TRACES_TRACE_EVENT_H_

#include <cstdint>

namespace reheap {

enum class EventKind : uint8_t {
  kAllocate = 0,  // object, size, alignment
  kFree,          // object (kNoObject: free(NULL))
  kResize,        // object keeps its slot; size is the new one. realloc(NULL, n) is kAllocate, realloc(p, 0)
                  // that freed is kFree, both with call kRealloc
  kThreadStart,   // thread
  kThreadEnd,     // thread
  // Address-space calls of the program itself (not of its malloc): address, size, and `argument` below.
  kMap,  // mmap: argument = prot | flags << 32; result address in `address`
  kUnmap,
  kProtect,       // argument = prot
  kAdvise,        // argument = advice
  kRemap,         // address -> `argument` (new address), new size in `size`, old size in `alignment`
  kBreak,         // brk/sbrk: `address` = the new break, argument = by how many bytes it moved, modulo 2^64; 0 =
                  // not known (the program's own step: its malloc moves the break too, unseen)
  kMemorySample,  // size = VSIZE bytes, argument = RSS bytes
};
inline constexpr int kEventKindCount = 12;

// Which function the program called. 0 = unknown (an importer's source did not say).
enum class CallKind : uint8_t {
  kUnknown = 0,
  kMalloc,
  kCalloc,
  kRealloc,
  kReallocarray,
  kFree,
  kPosixMemalign,
  kAlignedAlloc,
  kMemalign,
  kValloc,
  kPvalloc,
  kNew,
  kNewNothrow,
  kNewAligned,
  kNewAlignedNothrow,
  kNewArray,
  kNewArrayNothrow,
  kNewArrayAligned,
  kNewArrayAlignedNothrow,
  kDelete,
  kDeleteSized,
  kDeleteAligned,
  kDeleteSizedAligned,
  kDeleteNothrow,
  kDeleteAlignedNothrow,
  kDeleteArray,
  kDeleteArraySized,
  kDeleteArrayAligned,
  kDeleteArraySizedAligned,
  kDeleteArrayNothrow,
  kDeleteArrayAlignedNothrow,
};
inline constexpr int kCallKindCount = 31;

inline constexpr uint32_t kNoObject = 0xffffffff;

struct TraceEvent {
  EventKind kind = EventKind::kAllocate;
  CallKind call = CallKind::kUnknown;
  bool failed = false;  // the call returned failure: no object came of it (kResize: the old one lives on)
  uint32_t thread = 0;  // index into the header's/trailer's thread table: one per (tid, generation)
  uint32_t object = kNoObject;  // slot
  uint64_t size = 0;            // bytes asked for (calloc: the product; saturated on overflow)
  uint64_t alignment = 0;       // bytes; 0 = the function's default
  uint64_t time_ns = 0;         // since the trace's start; coarse (see header time resolution)
  uint64_t address = 0;         // address-space events only; objects have no address in a trace
  uint64_t argument = 0;        // by kind, see EventKind

  friend bool operator==(const TraceEvent&, const TraceEvent&) = default;
};

const char* EventKindName(EventKind kind);  // "allocate", ...; never null
const char* CallKindName(CallKind call);    // "malloc", "operator new[]", ...; never null

}  // namespace reheap

#endif  // REHEAP_TRACES_TRACE_EVENT_H_
