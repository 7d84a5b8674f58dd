// ObjectTable: where each live object of a replay is (row 6 of the walk).
//
// The replayer's bookkeeping, kept apart from what it measures: one mapping of its own, every page written at
// construction, so that it is complete before the baseline is taken and never changes RSS or VSIZE afterwards.
//
// Owns the mapping. Threads: one. Limits: slots fixed at construction.
#ifndef REHEAP_SIM_REPLAY_OBJECT_TABLE_H_
#define REHEAP_SIM_REPLAY_OBJECT_TABLE_H_

#include <cstdint>

#include "alloc/addr.h"

namespace reheap {

class ObjectTable {
 public:
  struct Entry {
    Addr address;        // zero = no object: free, or its allocation was answered NULL
    uint64_t bytes = 0;  // asked for
  };
  static_assert(sizeof(Entry) == 16);

  explicit ObjectTable(uint32_t slots);
  ~ObjectTable();
  ObjectTable(const ObjectTable&) = delete;
  ObjectTable& operator=(const ObjectTable&) = delete;

  Entry& operator[](uint32_t slot) { return entries_[slot]; }
  uint32_t size() const { return slots_; }
  uint64_t bytes() const { return bytes_; }

 private:
  uint32_t slots_;
  uint64_t bytes_;
  Entry* entries_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_OBJECT_TABLE_H_
