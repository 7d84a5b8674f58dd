#include "traces/block_encoder.h"

#include <utility>

namespace reheap {

namespace {

constexpr uint32_t kKindBits = 4;
constexpr uint32_t kCallBits = 5;
static_assert(kEventKindCount <= 1 << kKindBits && kCallKindCount <= 1 << kCallBits);

constexpr uint32_t OpIndex(uint32_t kind, uint32_t call, uint32_t flags) {
  return kind | call << kKindBits | flags << (kKindBits + kCallBits);
}

}  // namespace

BlockEncoder::BlockEncoder() : op_numbers_(size_t{1} << (kKindBits + kCallBits + kOpFlagBits)) {
  StartBlock();
}

inline int BlockEncoder::OpNumber(EventKind kind, CallKind call, uint32_t flags) {
  uint16_t& number = op_numbers_[OpIndex(static_cast<uint32_t>(kind), static_cast<uint32_t>(call), flags)];
  if (number == 0) [[unlikely]] {
    if (op_table_.size() == kMaxOps) return -1;
    op_table_.push_back(MakeOp(kind, call, flags));
    number = static_cast<uint16_t>(op_table_.size());
  }
  return number - 1;
}

void BlockEncoder::StartBlock() {
  for (const uint32_t op : op_table_) op_numbers_[OpIndex(op & 0xff, (op >> 8) & 0xff, op >> 16)] = 0;
  ops_.clear();
  for (Bytes& column : columns_) column.clear();
  op_table_.clear();
  first_time_ns_ = 0;
  time_ns_ = 0;
  thread_ = 0;
  address_ = 0;
  allocations_ = 0;
  expected_slot_.fill(0);
  last_allocation_.fill(0);
  freed_.clear();
  ++block_;
}

size_t BlockEncoder::raw_bytes() const {
  size_t bytes = ops_.size();
  for (const Bytes& column : columns_) bytes += column.size();
  return bytes;
}

inline void BlockEncoder::PutVarint(Column column, uint64_t value) {
  Bytes& out = columns_[column];
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

inline ObjectMode BlockEncoder::ChooseMode(const TraceEvent& event) const {
  if (event.object == kNoObject) return kNoObjectMode;
  if (event.kind == EventKind::kAllocate) {
    return !freed_.empty() && freed_.back() == event.object ? kReuse : kBySlot;
  }
  return slots_[event.object].block == block_ ? kByAllocation : kBySlot;
}

inline void BlockEncoder::PutObject(const TraceEvent& event, ObjectMode mode) {
  const size_t path = PathOf(event.kind);
  const int64_t slot = event.object;
  if (mode == kByAllocation) {
    const int64_t allocation = slots_[event.object].allocation;
    PutVarint(kObjects, ZigZag(allocation - last_allocation_[path]));
    last_allocation_[path] = allocation;
  } else if (mode == kBySlot) {
    PutVarint(kObjects, ZigZag(slot - expected_slot_[path]));
    expected_slot_[path] = event.kind == EventKind::kAllocate ? slot + 1 : slot;
  }
}

// Keeps the list of freed slots and the numbers of allocations as the decoder does.
inline void BlockEncoder::FollowSlot(const TraceEvent& event) {
  if (event.object == kNoObject) return;
  if (event.kind == EventKind::kAllocate) {
    // Whether or not the guess was right, the top is used up: a wrong one must not stay for ever.
    if (!freed_.empty()) freed_.pop_back();
    slots_[event.object] = {block_, allocations_++};
  } else if (event.kind == EventKind::kFree) {
    freed_.push_back(event.object);
  }
}

void BlockEncoder::PutRareColumns(const TraceEvent& event, uint32_t flags) {
  if (flags & kOpAlignment) PutVarint(kAlignments, event.alignment);
  if (flags & kOpThread) PutVarint(kThreads, thread_ = event.thread);
  if (flags & kOpTime) {
    PutVarint(kTimes, ZigZag(static_cast<int64_t>(event.time_ns - time_ns_)));
    time_ns_ = event.time_ns;
  }
  if (flags & kOpAddress) {
    PutVarint(kAddresses, ZigZag(static_cast<int64_t>(event.address - address_)));
    address_ = event.address;
  }
  if (flags & kOpArgument) PutVarint(kArguments, event.argument);
}

bool BlockEncoder::Add(const TraceEvent& event) {
  if (ops_.empty()) first_time_ns_ = time_ns_ = event.time_ns;
  const ObjectMode mode = ChooseMode(event);
  const uint32_t flags = (event.failed ? kOpFailed : 0) | (event.size != 0 ? kOpSize : 0) |
                         (event.alignment != 0 ? kOpAlignment : 0) |
                         (event.thread != thread_ ? kOpThread : 0) |
                         (event.time_ns != time_ns_ ? kOpTime : 0) | (event.address != 0 ? kOpAddress : 0) |
                         (event.argument != 0 ? kOpArgument : 0) | mode << kOpObjectShift;
  const int number = OpNumber(event.kind, event.call, flags);
  if (number < 0) return false;
  ops_.push_back(static_cast<char>(number));
  PutObject(event, mode);
  FollowSlot(event);
  if (flags & kOpSize) PutVarint(kSizes, event.size);
  if (flags & kOpRare) PutRareColumns(event, flags);
  return true;
}

std::vector<std::string> BlockEncoder::EndBlock(uint64_t first_event,
                                                const std::vector<proto::TraceThread>& new_threads) {
  std::vector<std::string> pieces;
  // Fields of one message, serialised apart and joined, are that message: protobuf merges them.
  proto::EventColumnBytes piece;
  const auto end_piece = [&] {
    std::string bytes = piece.SerializeAsString();
    if (!bytes.empty()) pieces.push_back(std::move(bytes));
    piece.Clear();
  };
  piece.set_first_event(first_event);
  piece.set_events(events());
  piece.set_first_time_ns(first_time_ns_);
  for (const uint32_t op : op_table_) piece.add_op_table(op);
  end_piece();
  piece.set_ops(ops_.data(), ops_.size());
  end_piece();
  piece.set_objects(columns_[kObjects].data(), columns_[kObjects].size());
  end_piece();
  piece.set_sizes(columns_[kSizes].data(), columns_[kSizes].size());
  end_piece();
  piece.set_alignments(columns_[kAlignments].data(), columns_[kAlignments].size());
  piece.set_threads(columns_[kThreads].data(), columns_[kThreads].size());
  end_piece();
  piece.set_times(columns_[kTimes].data(), columns_[kTimes].size());
  piece.set_addresses(columns_[kAddresses].data(), columns_[kAddresses].size());
  piece.set_arguments(columns_[kArguments].data(), columns_[kArguments].size());
  for (const proto::TraceThread& thread : new_threads) *piece.add_new_threads() = thread;
  end_piece();
  StartBlock();
  return pieces;
}

}  // namespace reheap
