// BlockDecoder: the columns of one block become events again (row 5 of the walk; proto EventColumns).
//
// Joins the columns event by event, so decoded events exist only in the caller's batch. Trusts
// nothing: every column has an end, every slot a range, every op an entry.
// Ownership: owns the parsed block. Threads: one at a time. Limits: one block, plus 8 bytes per event of it.
#ifndef REHEAP_TRACES_BLOCK_DECODER_H_
#define REHEAP_TRACES_BLOCK_DECODER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/trace.pb.h"
#include "traces/op_code.h"
#include "traces/trace_event.h"

namespace reheap {

class BlockDecoder {
 public:
  // Begins a block. InvalidArgument with the reason when it is not one.
  absl::Status Start(std::string_view payload);

  uint64_t first_event() const { return columns_.first_event(); }
  uint32_t events() const { return columns_.events(); }
  uint32_t decoded() const { return next_; }
  const proto::EventColumnBytes& columns() const { return columns_; }

  // The next events, at most `capacity`; 0 = no more. InvalidArgument with the reason.
  absl::StatusOr<size_t> Next(TraceEvent* events, size_t capacity);

 private:
  // A run of varints and how far it is read.
  struct Column {
    const uint8_t* next = nullptr;
    const uint8_t* end = nullptr;
  };

  struct Op {
    EventKind kind;
    CallKind call;
    ObjectMode mode;
    uint32_t flags;
  };

  static bool ReadVarint(Column* column, uint64_t* value);
  static bool ReadLongVarint(Column* column, uint64_t* value);
  absl::Status ReadOpTable();
  bool DecodeOne(const Op& op, TraceEvent* event);
  bool DecodeObject(const Op& op, uint32_t* object);
  bool DecodeRare(uint32_t flags, TraceEvent* event);
  absl::Status Explain() const;
  absl::Status CheckColumnsAreUsedUp() const;

  proto::EventColumnBytes columns_;
  std::vector<Op> ops_;
  uint32_t next_ = 0;

  Column objects_;
  Column sizes_;
  Column alignments_;
  Column threads_;
  Column times_;
  Column addresses_;
  Column arguments_;

  uint64_t time_ns_ = 0;
  uint32_t thread_ = 0;
  uint64_t address_ = 0;
  std::array<int64_t, kPaths> expected_slot_{};
  std::array<int64_t, kPaths> last_allocation_{};
  std::vector<uint32_t> allocations_;  // slots, by the number of the allocation in this block
  std::vector<uint32_t> freed_;        // in this block and not reused, last one on top
};

}  // namespace reheap

#endif  // REHEAP_TRACES_BLOCK_DECODER_H_
