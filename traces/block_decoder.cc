#include "traces/block_decoder.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"

namespace reheap {

absl::Status BlockDecoder::Start(std::string_view payload) {
  if (!columns_.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return absl::InvalidArgumentError("payload is not an EventColumns message");
  }
  if (columns_.ops().size() != columns_.events()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("block says %u events and has %d ops", columns_.events(), columns_.ops().size()));
  }
  if (columns_.events() > UINT64_MAX - columns_.first_event()) {
    return absl::InvalidArgumentError("event numbers do not fit 64 bits");
  }
  const auto open = [](const std::string& bytes) {
    const auto* begin = reinterpret_cast<const uint8_t*>(bytes.data());
    return Column{begin, begin + bytes.size()};
  };
  objects_ = open(columns_.objects());
  sizes_ = open(columns_.sizes());
  alignments_ = open(columns_.alignments());
  threads_ = open(columns_.threads());
  times_ = open(columns_.times());
  addresses_ = open(columns_.addresses());
  arguments_ = open(columns_.arguments());
  next_ = 0;
  time_ns_ = columns_.first_time_ns();
  thread_ = 0;
  address_ = 0;
  expected_slot_.fill(0);
  last_allocation_.fill(0);
  allocations_.clear();
  freed_.clear();
  return ReadOpTable();
}

absl::Status BlockDecoder::ReadOpTable() {
  if (columns_.op_table_size() > static_cast<int>(kMaxOps)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%d distinct ops, expected at most %d", columns_.op_table_size(), kMaxOps));
  }
  ops_.clear();
  for (const uint32_t op : columns_.op_table()) {
    const uint32_t kind = op & 0xff;
    const uint32_t call = (op >> 8) & 0xff;
    const uint32_t flags = op >> 16;
    if (kind >= kEventKindCount || call >= kCallKindCount || flags >> kOpFlagBits != 0) {
      return absl::InvalidArgumentError(
          absl::StrFormat("op %#x, expected kind < %d, call kind < %d and %u flag bits", op, kEventKindCount,
                          kCallKindCount, kOpFlagBits));
    }
    ops_.push_back({static_cast<EventKind>(kind), static_cast<CallKind>(call),
                    static_cast<ObjectMode>(flags >> kOpObjectShift), flags});
  }
  for (const char op : columns_.ops()) {
    if (static_cast<uint8_t>(op) >= ops_.size()) {
      return absl::InvalidArgumentError(
          absl::StrFormat("op number %d, expected one below %d", static_cast<uint8_t>(op), ops_.size()));
    }
  }
  return absl::OkStatus();
}

inline bool BlockDecoder::ReadVarint(Column* column, uint64_t* value) {
  if (column->next != column->end && *column->next < 0x80) [[likely]] {
    *value = *column->next++;
    return true;
  }
  return ReadLongVarint(column, value);
}

bool BlockDecoder::ReadLongVarint(Column* column, uint64_t* value) {
  uint64_t result = 0;
  // 64 bits in groups of 7: ten bytes, the last of which may only hold bit 63.
  for (int shift = 0; shift < 70; shift += 7) {
    if (column->next == column->end) return false;
    const uint64_t byte = *column->next++;
    if (shift == 63 && byte > 1) return false;
    result |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      *value = result;
      return true;
    }
  }
  return false;
}

inline bool BlockDecoder::DecodeObject(const Op& op, uint32_t* object) {
  const size_t path = PathOf(op.kind);
  uint64_t value;
  if (op.mode == kReuse) {
    if (freed_.empty()) return false;
    *object = freed_.back();
  } else if (op.mode == kByAllocation) {
    if (!ReadVarint(&objects_, &value)) return false;
    // Unsigned, so that an absurd step wraps to a number that is out of range, too.
    const uint64_t allocation = static_cast<uint64_t>(last_allocation_[path]) + UnZigZag(value);
    if (allocation >= allocations_.size()) return false;
    last_allocation_[path] = static_cast<int64_t>(allocation);
    *object = allocations_[allocation];
  } else {
    if (!ReadVarint(&objects_, &value)) return false;
    const uint64_t slot = static_cast<uint64_t>(expected_slot_[path]) + UnZigZag(value);
    if (slot >= kNoObject) return false;
    expected_slot_[path] = static_cast<int64_t>(slot) + (op.kind == EventKind::kAllocate ? 1 : 0);
    *object = static_cast<uint32_t>(slot);
  }
  if (op.kind == EventKind::kAllocate) {
    if (!freed_.empty()) freed_.pop_back();
    allocations_.push_back(*object);
  } else if (op.kind == EventKind::kFree) {
    freed_.push_back(*object);
  }
  return true;
}

bool BlockDecoder::DecodeRare(uint32_t flags, TraceEvent* event) {
  uint64_t value;
  if ((flags & kOpAlignment) && !ReadVarint(&alignments_, &event->alignment)) return false;
  if (flags & kOpThread) {
    if (!ReadVarint(&threads_, &value) || value > UINT32_MAX) return false;
    thread_ = static_cast<uint32_t>(value);
  }
  if (flags & kOpTime) {
    if (!ReadVarint(&times_, &value)) return false;
    time_ns_ += static_cast<uint64_t>(UnZigZag(value));
  }
  if (flags & kOpAddress) {
    if (!ReadVarint(&addresses_, &value)) return false;
    address_ += static_cast<uint64_t>(UnZigZag(value));
    event->address = address_;
  }
  return (flags & kOpArgument) == 0 || ReadVarint(&arguments_, &event->argument);
}

inline bool BlockDecoder::DecodeOne(const Op& op, TraceEvent* event) {
  TraceEvent decoded;
  decoded.kind = op.kind;
  decoded.call = op.call;
  decoded.failed = (op.flags & kOpFailed) != 0;
  if (op.mode != kNoObjectMode && !DecodeObject(op, &decoded.object)) return false;
  if ((op.flags & kOpSize) && !ReadVarint(&sizes_, &decoded.size)) return false;
  if ((op.flags & kOpRare) && !DecodeRare(op.flags, &decoded)) return false;
  decoded.thread = thread_;
  decoded.time_ns = time_ns_;
  *event = decoded;
  return true;
}

absl::StatusOr<size_t> BlockDecoder::Next(TraceEvent* events, size_t capacity) {
  const size_t count = std::min<size_t>(capacity, this->events() - next_);
  const auto* op_numbers = reinterpret_cast<const uint8_t*>(columns_.ops().data()) + next_;
  for (size_t i = 0; i < count; ++i) {
    if (!DecodeOne(ops_[op_numbers[i]], &events[i])) {
      next_ += static_cast<uint32_t>(i);
      return Explain();
    }
  }
  next_ += static_cast<uint32_t>(count);
  if (count != 0 && next_ == this->events()) {
    absl::Status status = CheckColumnsAreUsedUp();
    if (!status.ok()) return status;
  }
  return count;
}

absl::Status BlockDecoder::Explain() const {
  return absl::InvalidArgumentError(
      absl::StrFormat("event %u of the block takes a value that its columns do not have (a column too short, "
                      "or an object out of "
                      "range)",
                      next_));
}

absl::Status BlockDecoder::CheckColumnsAreUsedUp() const {
  const std::pair<const char*, const Column*> columns[] = {
      {"objects", &objects_},     {"sizes", &sizes_}, {"alignments", &alignments_},
      {"threads", &threads_},     {"times", &times_}, {"addresses", &addresses_},
      {"arguments", &arguments_},
  };
  for (const auto& [name, column] : columns) {
    if (column->next != column->end) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%d bytes too many in the column of %s", column->end - column->next, name));
    }
  }
  return absl::OkStatus();
}

}  // namespace reheap
