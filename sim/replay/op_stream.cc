#include "sim/replay/op_stream.h"

#include <algorithm>
#include <bit>

#include "absl/strings/str_format.h"

namespace reheap {
namespace {

// Slots and threads are dense by construction; a file that claims more than this is not a trace of ours, and a
// table for it would be gigabytes.
constexpr uint32_t kMaxSlots = 1u << 30;
constexpr uint32_t kMaxThreads = 1u << 24;
constexpr uint32_t kMaxLanes = 1u << 16;

}  // namespace

absl::StatusOr<std::unique_ptr<OpStream>> OpStream::Open(const std::string& path, bool allow_cut_off) {
  absl::StatusOr<std::unique_ptr<TraceCursor>> cursor = TraceCursor::Open(path);
  if (!cursor.ok()) return cursor.status();
  if ((*cursor)->trailer() == nullptr && !allow_cut_off) {
    return CutOffError(path, (*cursor)->reader().file_bytes());
  }
  return std::unique_ptr<OpStream>(new OpStream(path, *std::move(cursor)));
}

absl::StatusOr<OpStream::Facts> OpStream::ReadFacts(const std::string& path, bool allow_cut_off) {
  absl::StatusOr<std::unique_ptr<OpStream>> stream = Open(path, allow_cut_off);
  if (!stream.ok()) return stream.status();
  Facts facts;
  if (const proto::TraceTrailer* trailer = (*stream)->cursor_->trailer(); trailer != nullptr) {
    facts.slot_count = trailer->slot_count();
    for (uint64_t n : trailer->events_by_kind()) facts.event_count += n;
    if (facts.slot_count > kMaxSlots) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s: trailer says %d object slots; at most %d are possible", path, facts.slot_count, kMaxSlots));
    }
    return facts;
  }
  std::vector<ReplayOp> ops(kOpsPerBatch);
  for (;;) {
    absl::StatusOr<size_t> n = (*stream)->Next(ops.data(), ops.size());
    if (!n.ok()) return n.status();
    if (*n == 0) break;
    facts.event_count += *n;
  }
  facts.slot_count = static_cast<uint32_t>((*stream)->live_.size());
  return facts;
}

absl::StatusOr<size_t> OpStream::Next(ReplayOp* ops, size_t capacity) {
  events_.resize(capacity);
  absl::StatusOr<size_t> n = cursor_->NextBatch(events_.data(), capacity);
  if (!n.ok()) return n.status();
  for (size_t i = 0; i < *n; ++i) {
    ops[i] = ReplayOp();
    if (absl::Status status = Translate(events_[i], &ops[i]); !status.ok()) return status;
    ++event_number_;
  }
  return *n;
}

absl::Status OpStream::Translate(const TraceEvent& event, ReplayOp* op) {
  switch (event.kind) {
    case EventKind::kAllocate:
    case EventKind::kResize:
    case EventKind::kFree:
      break;
    case EventKind::kThreadEnd:
      if (event.thread < lane_of_thread_.size() && lane_of_thread_[event.thread] >= 0) {
        op->kind = ReplayOpKind::kEndLane;
        op->lane = static_cast<uint16_t>(lane_of_thread_[event.thread]);
        free_lanes_.push_back(op->lane);
        lane_of_thread_[event.thread] = -1;
      }
      return absl::OkStatus();
    default:
      return absl::OkStatus();  // kNothing: the address-space calls of the program itself
  }
  if (event.failed || event.object == kNoObject) return absl::OkStatus();
  if (event.object >= kMaxSlots) return Broken(event, "object slot out of range");
  absl::StatusOr<uint16_t> lane = LaneOf(event.thread);
  if (!lane.ok()) return lane.status();
  op->lane = *lane;
  op->slot = event.object;
  op->size = event.size;
  if (event.kind == EventKind::kAllocate) {
    if (IsLive(event.object)) return Broken(event, "allocation into a slot whose object is alive");
    if (event.alignment != 0 && !std::has_single_bit(event.alignment)) {
      return Broken(event, "alignment that is not a power of two");
    }
    SetLive(event.object, true);
    op->kind = ReplayOpKind::kAllocate;
    op->alignment_log2 = event.alignment == 0 ? 0 : static_cast<uint8_t>(std::countr_zero(event.alignment));
    return absl::OkStatus();
  }
  if (!IsLive(event.object)) return Broken(event, "free or resize of a slot without an object");
  op->kind = event.kind == EventKind::kFree ? ReplayOpKind::kFree : ReplayOpKind::kResize;
  if (event.kind == EventKind::kFree) SetLive(event.object, false);
  return absl::OkStatus();
}

absl::StatusOr<uint16_t> OpStream::LaneOf(uint32_t thread) {
  if (thread >= lane_of_thread_.size()) {
    if (thread >= kMaxThreads) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s: event %d: thread %d; at most %d are possible", path_, event_number_, thread, kMaxThreads));
    }
    lane_of_thread_.resize(thread + 1, -1);
  }
  if (lane_of_thread_[thread] < 0) {
    if (!free_lanes_.empty()) {
      lane_of_thread_[thread] = free_lanes_.back();
      free_lanes_.pop_back();
    } else if (lanes_ever_ < kMaxLanes) {
      lane_of_thread_[thread] = static_cast<int32_t>(lanes_ever_++);
    } else {
      return absl::ResourceExhaustedError(
          absl::StrFormat("%s: event %d: more than %d threads alive at once", path_, event_number_, kMaxLanes));
    }
  }
  return static_cast<uint16_t>(lane_of_thread_[thread]);
}

absl::Status OpStream::Broken(const TraceEvent& event, const char* rule) const {
  return absl::InvalidArgumentError(
      absl::StrFormat("%s: event %d (%s, object %d, thread %d): %s; `reheap trace check` lists every such event", path_,
                      event_number_, EventKindName(event.kind), event.object, event.thread, rule));
}

bool OpStream::IsLive(uint32_t slot) const { return slot < live_.size() && live_[slot]; }

void OpStream::SetLive(uint32_t slot, bool live) {
  if (slot >= live_.size()) live_.resize(std::max<size_t>(slot + size_t{1}, live_.size()), false);
  live_[slot] = live;
}

}  // namespace reheap
