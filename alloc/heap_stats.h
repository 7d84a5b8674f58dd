// HeapStats: where the bytes of a heap are, at one moment (row 10 of the walk).
//
//   heap_bytes = free + discarded + small spans + large objects' pages
//   small span bytes = live + cached + central + tails too short for an object
//
// Heap::stats() adds up running counters, which cost the hot path nothing: an object is live when it left its
// central list and lies in no cache. Heap::RecountSlow() counts the same from the spans' bits, the lists and the
// caches; tests compare them. What the program asked for is known of large objects only (a small one's request would
// cost two bytes per object): whoever drives the heap knows the rest.
//
// Values only. Bytes unless the name says otherwise.
#ifndef REHEAP_ALLOC_HEAP_STATS_H_
#define REHEAP_ALLOC_HEAP_STATS_H_

#include <cstdint>

#include "alloc/page_map.h"

namespace reheap {

struct HeapStats {
  uint64_t heap_bytes = 0;       // usable, got from the OS for objects
  uint64_t held_bytes = 0;       // address space held for heap, bitmap and table, usable or not
  uint64_t lost_bytes = 0;       // of it, never to be used (Arena::lost_bytes)
  uint64_t free_bytes = 0;       // in free spans
  uint64_t discarded_bytes = 0;  // in free spans whose contents were given back
  uint64_t small_span_bytes = 0;
  uint64_t large_span_bytes = 0;

  uint64_t live_objects = 0;  // small and large
  uint64_t live_bytes = 0;    // their size classes' and pages' bytes
  uint64_t large_objects = 0;
  uint64_t large_requested_bytes = 0;
  uint64_t cached_objects = 0;  // free, in thread caches
  uint64_t cached_bytes = 0;
  uint64_t central_bytes = 0;   // free objects in central lists

  uint64_t small_spans = 0;
  uint64_t span_records = 0;       // spans of all states
  uint64_t caches = 0;
  uint64_t metadata_bytes = 0;     // chunks mapped for records
  uint64_t metadata_used_bytes = 0;  // records in use: spans, their bits, caches
  uint64_t bitmap_bytes = 0;       // heap bitmap made usable
  PageMapCost page_map;

  // All that the OS was asked for, but what a BSS or a pretended range gave for nothing.
  uint64_t own_bytes() const { return metadata_bytes + bitmap_bytes + page_map.reserved_bytes; }
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_HEAP_STATS_H_
