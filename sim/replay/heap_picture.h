// HeapPicture: what lies in a heap at one moment, by size class (row 10 of the walk).
//
// Taken once in a replay, at the moment of most live bytes. Which event that is the trace alone decides
// (trace_demand.h), so nothing is looked for while the replay runs: the target stops between two events and
// counts.
//
// Plain data of fixed size (it may stand in shared memory). Threads: one.
#ifndef REHEAP_SIM_REPLAY_HEAP_PICTURE_H_
#define REHEAP_SIM_REPLAY_HEAP_PICTURE_H_

#include <cstdint>

#include "alloc/heap.h"
#include "sim/replay/object_table.h"

namespace reheap {

struct HeapPicture {
  struct Class {
    uint32_t object_bytes = 0;  // 0 = large objects
    uint64_t live_objects = 0;
    uint64_t requested_bytes = 0;
    uint64_t span_bytes = 0;  // of the class's spans, free objects included
  };

  bool is_taken = false;
  uint64_t events = 0;      // carried out before it
  uint64_t live_bytes = 0;  // as asked for
  HeapStats heap;
  uint32_t heap_page_shift = 0;
  int class_count = 0;
  Class classes[kMostClasses];  // [0]: large objects
};

// O(slots + caches x classes). Makes nothing resident.
template <class HeapT>
requires requires(const HeapT& heap) { heap.stats(); }
void TakeHeapPicture(const HeapT& heap, ObjectTable& slots, HeapPicture* picture) {
  const SizeClasses& classes = heap.size_classes();
  picture->heap = heap.stats();
  picture->heap_page_shift = heap.strategy().heap_page_shift;
  picture->class_count = classes.count();
  picture->live_bytes = 0;
  picture->classes[0] = {0, 0, 0, picture->heap.large_span_bytes};
  for (int c = 1; c < classes.count(); ++c) {
    const uint64_t pages = heap.class_totals(c).pages;
    picture->classes[c] = {classes[c].object_bytes, 0, 0, pages << picture->heap_page_shift};
  }
  for (uint32_t slot = 0; slot < slots.size(); ++slot) {
    const ObjectTable::Entry& entry = slots[slot];
    if (!entry.address) continue;
    HeapPicture::Class& size_class = picture->classes[heap.SizeClassOf(entry.address)];
    ++size_class.live_objects;
    size_class.requested_bytes += entry.bytes;
    picture->live_bytes += entry.bytes;
  }
  picture->is_taken = true;
}

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_HEAP_PICTURE_H_
