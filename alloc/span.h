// Span: the record of one run of heap pages, outside those pages (row 7 of the walk).
//
// A record is 64 bytes in metadata memory, named by its address (SpanRef), reached through Memory. All-zero
// is "no span". A span is on exactly one list:
//
//   state       what its pages hold            list
//   kFree       nothing; Ready                 page heap, by length
//   kDiscarded  nothing; contents given back   page heap, by length, of its own
//   kSmall      objects of one size class      that class's central list, by how full it is
//   kLarge      one object                     page heap, large objects
//
// Two bits per small object lie in 32-bit words at `allocated_bits` and, as many words, behind them:
//
//   taken      the object left the central list (it is in a thread cache or with the program)
//   allocated  the program has it
//
// Up to 32 objects have both words inside the record.
//
// Ownership: RecordPool holds the memory. Threads: as the heap. Limits: 65,535 objects, 2^32 - 1 pages.
#ifndef REHEAP_ALLOC_SPAN_H_
#define REHEAP_ALLOC_SPAN_H_

#include <cstddef>
#include <cstdint>

#include "alloc/addr.h"
#include "alloc/check.h"
#include "alloc/memory.h"
#include "alloc/page_map.h"

namespace reheap {

enum class SpanState : uint8_t { kNone = 0, kFree, kDiscarded, kSmall, kLarge };

struct Span {
  SpanRef next;  // first: a free record's link has the same place (RecordPool)
  SpanRef prev;
  Addr start;
  Addr allocated_bits;   // kSmall
  uint32_t small_bytes;  // kSmall: objects x object_bytes; else 0: one comparison rejects what is not small
  uint32_t object_bytes;
  uint32_t reciprocal;  // ceil(2^32 / object_bytes)
  uint16_t objects;
  uint16_t taken_objects;
  uint32_t pages;
  SpanState state;
  uint8_t size_class;  // 0 unless kSmall
  uint8_t list;        // kSmall: which of the central list's lists
  uint8_t unused;
  union {
    uint32_t inline_bits[2];  // kSmall with up to 32 objects: allocated, taken
    uint64_t large_bytes;     // kLarge: as the program asked
    uint64_t free_since_ns;   // kFree: when its youngest page became free, as far as the heap is told the time
  };

  Addr end(uint32_t page_shift) const { return start + (uint64_t{pages} << page_shift); }
  bool in_use() const { return state == SpanState::kSmall || state == SpanState::kLarge; }
  // Exact for the starts of objects: k * object_bytes * reciprocal = k * 2^32 + k * e with e < object_bytes,
  // and k * e < small_bytes < 2^32. Any other offset gives an index that does not multiply back.
  uint32_t IndexOf(uint64_t offset) const { return static_cast<uint32_t>((offset * reciprocal) >> 32); }
};
static_assert(sizeof(Span) == 64, "one cache line, and a power of two for Memory");
static_assert(offsetof(Span, next) == 0);

inline constexpr uint32_t kBitsPerWord = 32;
inline constexpr uint32_t kInlineObjects = 32;

inline constexpr uint32_t BitWords(uint32_t objects) { return (objects + kBitsPerWord - 1) / kBitsPerWord; }
inline Addr AllocatedWord(const Span& span, uint32_t word) {
  return span.allocated_bits + word * sizeof(uint32_t);
}
inline Addr TakenWord(const Span& span, uint32_t word) {
  return span.allocated_bits + (BitWords(span.objects) + word) * sizeof(uint32_t);
}

// What SpanOf tells about an address. state kNone: in no span in use, all else zero.
struct SpanInfo {
  SpanState state = SpanState::kNone;
  AddrRange pages;
  uint8_t size_class = 0;
  uint32_t object_bytes = 0;  // kSmall
  uint32_t objects = 0;       // kSmall: that fit; kLarge: 1
  uint32_t live_objects = 0;  // allocated by the program
};

// A doubly linked list of spans; the links are in the records.
struct SpanList {
  SpanRef first;
  uint64_t spans = 0;

  template <Memory M>
  void Push(M& memory, SpanRef ref) {
    Span& span = memory.template Write<Span>(ref);
    span.prev = SpanRef();
    span.next = first;
    if (first) memory.template Write<Span>(first).prev = ref;
    first = ref;
    ++spans;
  }

  // Preconditions: `ref` is on this list.
  template <Memory M>
  void Remove(M& memory, SpanRef ref) {
    Span& span = memory.template Write<Span>(ref);
    const SpanRef next = span.next, prev = span.prev;
    span.next = span.prev = SpanRef();
    if (next) memory.template Write<Span>(next).prev = prev;
    if (prev) {
      memory.template Write<Span>(prev).next = next;
    } else {
      REHEAP_CHECK_EQ(first.value(), ref.value());
      first = next;
    }
    --spans;
  }

  // Calls visit(ref, span) for each; checks the links.
  template <Memory M, class Visit>
  void ForEach(M& memory, Visit visit) const {
    uint64_t seen = 0;
    SpanRef prev;
    for (SpanRef ref = first; ref; ++seen) {
      const Span& span = memory.template Read<Span>(ref);
      REHEAP_CHECK_EQ(span.prev.value(), prev.value());
      REHEAP_CHECK_LT(seen, spans);
      visit(ref, span);
      prev = ref;
      ref = memory.template Read<Span>(ref).next;
    }
    REHEAP_CHECK_EQ(seen, spans);
  }
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_SPAN_H_
