// BlockEncoder: events become the columns of one block (row 3 of the walk; proto EventColumns).
//
// Keeps nothing from one block to the next but the table that says in which block a slot was last allocated.
// Ownership: owns its buffers. Threads: one at a time. Limits: 8 bytes per slot, plus one block, plus 512
// KiB.
#ifndef REHEAP_TRACES_BLOCK_ENCODER_H_
#define REHEAP_TRACES_BLOCK_ENCODER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "proto/trace.pb.h"
#include "traces/op_code.h"
#include "traces/slot_table.h"
#include "traces/trace_event.h"

namespace reheap {

class BlockEncoder {
 public:
  BlockEncoder();

  // False when the event would be the block's 257th distinct op: end the block and add it again.
  bool Add(const TraceEvent& event);

  uint32_t events() const { return static_cast<uint32_t>(ops_.size()); }
  size_t raw_bytes() const;
  uint64_t first_time_ns() const { return first_time_ns_; }

  // The block as serialised pieces, one per column, that joined are one EventColumns message; then starts the
  // next block.
  std::vector<std::string> EndBlock(uint64_t first_event, const std::vector<proto::TraceThread>& new_threads);

 private:
  // A column and where its encoded values go.
  enum Column { kObjects, kSizes, kAlignments, kThreads, kTimes, kAddresses, kArguments, kColumns };

  // Not std::string: its push_back is a call into the library, for every byte.
  using Bytes = std::vector<char>;

  struct SlotUse {
    uint32_t block = 0;       // the last block that allocated into the slot; 0 = none
    uint32_t allocation = 0;  // its number there
  };

  void StartBlock();
  // The op's byte; -1 = the block has 256 others.
  int OpNumber(EventKind kind, CallKind call, uint32_t flags);
  ObjectMode ChooseMode(const TraceEvent& event) const;
  void PutObject(const TraceEvent& event, ObjectMode mode);
  void FollowSlot(const TraceEvent& event);
  void PutRareColumns(const TraceEvent& event, uint32_t flags);
  void PutVarint(Column column, uint64_t value);

  // This block's columns.
  Bytes ops_;
  std::array<Bytes, kColumns> columns_;
  std::vector<uint32_t> op_table_;
  // By the 18 bits of an op that can differ: its index in op_table_ + 1, or 0. A table looked into directly:
  // an op is looked up for every event, and only the few cache lines of ops in use are ever touched.
  std::vector<uint16_t> op_numbers_;

  // What the decoder will know at this point of the block.
  uint64_t first_time_ns_ = 0;
  uint64_t time_ns_ = 0;
  uint32_t thread_ = 0;
  uint64_t address_ = 0;
  uint32_t allocations_ = 0;
  std::array<int64_t, kPaths> expected_slot_{};
  std::array<int64_t, kPaths> last_allocation_{};
  std::vector<uint32_t> freed_;  // in this block and not reused, last one on top

  uint32_t block_ = 0;  // from 1; stamps slots_
  mutable SlotTable<SlotUse> slots_;
};

}  // namespace reheap

#endif  // REHEAP_TRACES_BLOCK_ENCODER_H_
