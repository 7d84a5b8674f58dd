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
  const google::protobuf::RepeatedPtrField<proto::TraceThread>& new_threads() const {
    return columns_.new_threads();
  }

  // The next events, at most `capacity`; 0 = no more. InvalidArgument with the reason.
  absl::StatusOr<size_t> Next(TraceEvent* events, size_t capacity);

 private:
  // A run of varints and how far it is read.
  struct Column {
    const uint8_t* next = nullptr;
    const uint8_t* end = nullptr;
  };

  // An op taken apart once per block, so that joining an event takes masks and additions instead of branches:
  // which op comes next is what no processor can predict.
  struct Op {
    EventKind kind;
    CallKind call;
    bool failed;
    uint8_t mode;          // ObjectMode
    uint8_t uses_objects;  // 1 = takes a value from that column, 0 = does not
    uint8_t uses_sizes;
    uint8_t predictor;  // index into Joint::predictors
    uint8_t predictor_step;
    uint8_t allocates;  // 1 = gives a slot a new object, 0 = does not
    uint8_t frees;
    bool has_rare;
    uint16_t flags;
  };

  // The state that every event changes; a copy in registers while a batch is joined.
  struct Joint {
    Column objects;
    Column sizes;
    // Expected slots, then last allocation numbers, one per path; then one that stays 0.
    std::array<uint64_t, 2 * kPaths + 1> predictors{};
    size_t allocations = 0;
    size_t freed = 0;
  };

  // The state that only ops with kOpRare change.
  struct Rare {
    Column alignments;
    Column threads;
    Column times;
    Column addresses;
    Column arguments;
    uint64_t time_ns = 0;
    uint32_t thread = 0;
    uint64_t address = 0;
  };

  static bool ReadVarint(Column* column, uint64_t* value);
  static bool ReadColumn(Column* column, uint8_t uses, uint64_t* value);
  static Op TakeApart(EventKind kind, CallKind call, uint32_t flags);
  absl::Status ReadOpTable();
  bool DecodeOne(const Op& op, Joint* joint, TraceEvent* event);
  bool DecodeObject(const Op& op, Joint* joint, uint32_t* object);
  bool DecodeRare(uint32_t flags, TraceEvent* event);
  absl::Status Explain() const;
  absl::Status CheckColumnsAreUsedUp() const;

  proto::EventColumnBytes columns_;
  std::vector<Op> ops_;
  uint32_t next_ = 0;
  Joint joint_;
  Rare rare_;
  // One entry per event, and one more that may be written and never counts.
  std::vector<uint32_t> allocations_;  // slots, by the number of the allocation in this block
  std::vector<uint32_t> freed_;        // in this block and not reused, last one on top
};

}  // namespace reheap

#endif  // REHEAP_TRACES_BLOCK_DECODER_H_
