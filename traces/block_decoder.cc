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
  // ReadColumn looks at two bytes, wherever it stands.
  const auto open_padded = [](std::string* bytes) {
    const size_t size = bytes->size();
    bytes->append(2, '\0');
    const auto* begin = reinterpret_cast<const uint8_t*>(bytes->data());
    return Column{begin, begin + size};
  };
  joint_ = {.objects = open_padded(columns_.mutable_objects()),
            .sizes = open_padded(columns_.mutable_sizes())};
  rare_ = {.alignments = open(columns_.alignments()),
           .threads = open(columns_.threads()),
           .times = open(columns_.times()),
           .addresses = open(columns_.addresses()),
           .arguments = open(columns_.arguments()),
           .time_ns = columns_.first_time_ns()};
  next_ = 0;
  allocations_.resize(size_t{columns_.events()} + 1);
  freed_.resize(size_t{columns_.events()} + 1);
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
    ops_.push_back(TakeApart(static_cast<EventKind>(kind), static_cast<CallKind>(call), flags));
  }
  for (const char op : columns_.ops()) {
    if (static_cast<uint8_t>(op) >= ops_.size()) {
      return absl::InvalidArgumentError(
          absl::StrFormat("op number %d, expected one below %d", static_cast<uint8_t>(op), ops_.size()));
    }
  }
  return absl::OkStatus();
}

BlockDecoder::Op BlockDecoder::TakeApart(EventKind kind, CallKind call, uint32_t flags) {
  const uint32_t mode = flags >> kOpObjectShift;
  const bool by_slot = mode == kBySlot;
  const bool by_allocation = mode == kByAllocation;
  const size_t path = PathOf(kind);
  Op op{};
  op.kind = kind;
  op.call = call;
  op.failed = (flags & kOpFailed) != 0;
  op.mode = static_cast<uint8_t>(mode);
  op.uses_objects = by_slot || by_allocation ? 1 : 0;
  op.uses_sizes = (flags & kOpSize) != 0 ? 1 : 0;
  op.predictor = static_cast<uint8_t>(by_slot ? path : by_allocation ? kPaths + path : 2 * kPaths);
  op.predictor_step = by_slot && kind == EventKind::kAllocate ? 1 : 0;
  op.allocates = mode != kNoObjectMode && kind == EventKind::kAllocate ? 1 : 0;
  op.frees = mode != kNoObjectMode && kind == EventKind::kFree ? 1 : 0;
  op.has_rare = (flags & kOpRare) != 0;
  op.flags = static_cast<uint16_t>(flags);
  return op;
}

bool BlockDecoder::ReadVarint(Column* column, uint64_t* value) {
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

// The column's next value if uses is 1; 0, and no step, if uses is 0. Values below 2^14 take no branch:
// whether one has one byte or two is as hard to predict as the program that was traced.
inline bool BlockDecoder::ReadColumn(Column* column, uint8_t uses, uint64_t* value) {
  const uint64_t used = uint64_t{0} - uses;
  const uint64_t first = column->next[0] & used;
  const uint64_t second = column->next[1] & (uint64_t{0} - (first >> 7));
  const uint8_t* next = column->next + uses + (first >> 7);
  if (second < 0x80 && next <= column->end) [[likely]] {
    column->next = next;
    *value = (first & 0x7f) | second << 7;
    return true;
  }
  Column copy = *column;  // keeps the one behind the pointer in registers
  uint64_t read = 0;
  const bool ok = ReadVarint(&copy, &read);
  *column = copy;
  *value = read;
  return ok;
}

inline bool BlockDecoder::DecodeObject(const Op& op, Joint* joint, uint32_t* object) {
  uint64_t value;
  if (!ReadColumn(&joint->objects, op.uses_objects, &value)) return false;
  // Unsigned, so that an absurd step wraps to a number that is out of range, too. Without a value it is 0.
  const uint64_t found = joint->predictors[op.predictor] + static_cast<uint64_t>(UnZigZag(value));
  const uint64_t limits[] = {1, joint->freed, joint->allocations, kNoObject};  // by ObjectMode
  if (found >= limits[op.mode]) [[unlikely]]
    return false;
  joint->predictors[op.predictor] = found + op.predictor_step;

  const uint32_t top = freed_[joint->freed - (joint->freed != 0 ? 1 : 0)];
  const uint32_t allocated = allocations_[op.mode == kByAllocation ? found : 0];
  const uint32_t objects[] = {kNoObject, top, allocated, static_cast<uint32_t>(found)};  // by ObjectMode
  *object = objects[op.mode];

  // Both are written and count only if the index moves.
  allocations_[joint->allocations] = *object;
  joint->allocations += op.allocates;
  joint->freed -= op.allocates & (joint->freed != 0 ? 1 : 0);
  freed_[joint->freed] = op.frees != 0 ? *object : freed_[joint->freed];
  joint->freed += op.frees;
  return true;
}

bool BlockDecoder::DecodeRare(uint32_t flags, TraceEvent* event) {
  uint64_t value;
  if ((flags & kOpAlignment) && !ReadVarint(&rare_.alignments, &event->alignment)) return false;
  if (flags & kOpThread) {
    if (!ReadVarint(&rare_.threads, &value) || value > UINT32_MAX) return false;
    rare_.thread = static_cast<uint32_t>(value);
  }
  if (flags & kOpTime) {
    if (!ReadVarint(&rare_.times, &value)) return false;
    rare_.time_ns += static_cast<uint64_t>(UnZigZag(value));
  }
  if (flags & kOpAddress) {
    if (!ReadVarint(&rare_.addresses, &value)) return false;
    rare_.address += static_cast<uint64_t>(UnZigZag(value));
    event->address = rare_.address;
  }
  return (flags & kOpArgument) == 0 || ReadVarint(&rare_.arguments, &event->argument);
}

inline bool BlockDecoder::DecodeOne(const Op& op, Joint* joint, TraceEvent* event) {
  uint32_t object;
  uint64_t size;
  if (!DecodeObject(op, joint, &object) || !ReadColumn(&joint->sizes, op.uses_sizes, &size)) return false;
  event->kind = op.kind;
  event->call = op.call;
  event->failed = op.failed;
  event->object = object;
  event->size = size;
  event->alignment = 0;
  event->address = 0;
  event->argument = 0;
  if (op.has_rare && !DecodeRare(op.flags, event)) return false;
  event->thread = rare_.thread;
  event->time_ns = rare_.time_ns;
  return true;
}

absl::StatusOr<size_t> BlockDecoder::Next(TraceEvent* events, size_t capacity) {
  const size_t count = std::min<size_t>(capacity, this->events() - next_);
  const auto* op_numbers = reinterpret_cast<const uint8_t*>(columns_.ops().data()) + next_;
  Joint joint = joint_;
  for (size_t i = 0; i < count; ++i) {
    if (!DecodeOne(ops_[op_numbers[i]], &joint, &events[i])) {
      next_ += static_cast<uint32_t>(i);
      return Explain();
    }
  }
  joint_ = joint;
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
      {"objects", &joint_.objects},    {"sizes", &joint_.sizes}, {"alignments", &rare_.alignments},
      {"threads", &rare_.threads},     {"times", &rare_.times},  {"addresses", &rare_.addresses},
      {"arguments", &rare_.arguments},
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
