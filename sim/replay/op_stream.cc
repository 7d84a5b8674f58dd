#include "sim/replay/op_stream.h"

#include <algorithm>
#include <bit>

#include "absl/strings/str_format.h"
#include "alloc/addr.h"
#include "alloc/check.h"

namespace reheap {
namespace {

// Slots and threads are dense by construction; a file that claims more than this is not a trace of ours, and a
// table for it would be gigabytes.
constexpr uint32_t kMaxSlots = 1u << 30;
constexpr uint32_t kMaxThreads = 1u << 24;
constexpr uint32_t kMaxLanes = 1u << 16;
// Slots that a trace may leave out; more, and its trailer asks for tables that its events do not explain.
constexpr uint64_t kMaxUnusedSlots = 1u << 16;
// Address-space calls: a table for more would be tens of gigabytes.
constexpr uint64_t kMaxForeign = 1u << 26;

// Address-space calls and thread events, by the trailer's figures; kMaxForeign + 1 when there are more.
uint64_t ForeignCalls(const proto::TraceTrailer& trailer) {
  uint64_t calls = 0;
  for (int kind = static_cast<int>(EventKind::kThreadStart); kind < trailer.events_by_kind_size(); ++kind) {
    if (kind == static_cast<int>(EventKind::kMemorySample)) continue;
    calls = std::min(calls + std::min<uint64_t>(trailer.events_by_kind(kind), kMaxForeign + 1), kMaxForeign + 1);
  }
  return calls;
}

}  // namespace

OpStream::OpStream(std::string path, std::unique_ptr<TraceCursor> cursor)
    : path_(std::move(path)), cursor_(std::move(cursor)), slot_limit_(kMaxSlots) {
  const uint64_t page_bytes = header().host().os_page_bytes();
  if (std::has_single_bit(page_bytes)) recorded_page_bytes_ = page_bytes;
  const proto::TraceTrailer* trailer = cursor_->trailer();
  if (trailer != nullptr) slot_limit_ = static_cast<uint32_t>(std::min<uint64_t>(trailer->slot_count(), kMaxSlots));
  foreign_left_ = trailer == nullptr ? kMaxForeign : ForeignCalls(*trailer);
}

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
    const uint64_t most = std::min<uint64_t>(trailer->events(), kMaxSlots - kMaxUnusedSlots) + kMaxUnusedSlots;
    if (trailer->slot_count() > most) {
      return absl::InvalidArgumentError(absl::StrFormat("%s: trailer says %d object slots; with %d events at most %d are possible",
                                                        path, trailer->slot_count(), trailer->events(), most));
    }
    facts.slot_count = static_cast<uint32_t>(trailer->slot_count());
    facts.event_count = trailer->events();
    facts.has_times = trailer->end_time_ns() != 0;
    facts.foreign_count = ForeignCalls(*trailer);
    if (facts.foreign_count > kMaxForeign) {
      return absl::InvalidArgumentError(absl::StrFormat("%s: trailer says more than %d address-space calls; at most so many are replayed",
                                                        path, kMaxForeign));
    }
    return facts;
  }
  std::vector<ReplayOp> ops(kOpsPerBatch);
  std::vector<ForeignOp> foreign(kOpsPerBatch);
  for (;;) {
    absl::StatusOr<size_t> n = (*stream)->Next(ops.data(), ops.size(), foreign.data());
    if (!n.ok()) return n.status();
    if (*n == 0) break;
    facts.event_count += *n;
    facts.foreign_count += (*stream)->foreign_count_;
    facts.has_times |= (*stream)->events_[*n - 1].time_ns != 0;
  }
  facts.slot_count = (*stream)->slot_count_;
  return facts;
}

absl::StatusOr<size_t> OpStream::Next(ReplayOp* ops, size_t capacity, ForeignOp* foreign, BatchTimes* times) {
  events_.resize(capacity);
  foreign_ = foreign;
  foreign_count_ = 0;
  absl::StatusOr<size_t> n = cursor_->NextBatch(events_.data(), capacity);
  if (!n.ok()) return n.status();
  for (size_t i = 0; i < *n; ++i) {
    if (!Translate(events_[i], &ops[i])) [[unlikely]] return Explain(events_[i]);
    ++event_number_;
  }
  if (times != nullptr) {
    REHEAP_CHECK_LE(capacity, BatchTimes::kMostOps);
    MarkTimes(*n, times);
  }
  return *n;
}

// No look at each event: in strides that double while the step lasts, then by halves. Where times run backwards (an
// importer's) a mark may come later than it could; it is the same one whenever the batches are.
void OpStream::MarkTimes(size_t count, BatchTimes* times) {
  times->count = 0;
  for (size_t at = 0; at < count; ++at) {
    const auto is_before = [&](const TraceEvent& event) { return event.time_ns < next_mark_ns_; };
    size_t stride = 1;
    while (at + stride < count && is_before(events_[at + stride - 1])) stride *= 2;
    const auto begin = events_.begin() + static_cast<ptrdiff_t>(at + stride / 2);
    const auto end = events_.begin() + static_cast<ptrdiff_t>(std::min(at + stride, count));
    at = static_cast<size_t>(std::partition_point(begin, end, is_before) - events_.begin());
    if (at == count) return;
    if (is_before(events_[at])) continue;
    const uint64_t time_ns = events_[at].time_ns;
    times->marks[times->count++] = {time_ns, static_cast<uint32_t>(at)};
    next_mark_ns_ = (time_ns / BatchTimes::kTimeStepNs + 1) * BatchTimes::kTimeStepNs;
  }
}

bool OpStream::Translate(const TraceEvent& event, ReplayOp* op) {
  *op = ReplayOp();
  if (event.kind <= EventKind::kResize) [[likely]] {
    static_assert(static_cast<int>(EventKind::kAllocate) == 0 && static_cast<int>(EventKind::kFree) == 1 &&
                  static_cast<int>(EventKind::kResize) == 2);
    return TranslateObject(event, op);
  }
  if (event.kind == EventKind::kThreadEnd) EndThread(event.thread, op);
  if (foreign_ == nullptr || event.failed || event.kind == EventKind::kMemorySample) return true;
  // A table as large as the trailer's figures takes them all.
  if (foreign_left_ == 0) return false;
  --foreign_left_;
  TranslateForeign(event, op);
  return true;
}

void OpStream::TranslateForeign(const TraceEvent& event, ReplayOp* op) {
  ForeignOp foreign;
  foreign.address = event.address;
  foreign.bytes = RoundUp(event.size, recorded_page_bytes_);
  foreign.thread = event.thread;
  switch (event.kind) {
    case EventKind::kMap:
      foreign.kind = ForeignKind::kMap;
      foreign.protection = event.argument & 7;
      foreign.flags = DecodeLinuxMapFlags(static_cast<uint32_t>(event.argument >> 32));
      break;
    case EventKind::kUnmap:
      foreign.kind = ForeignKind::kUnmap;
      break;
    case EventKind::kProtect:
      foreign.kind = ForeignKind::kProtect;
      foreign.protection = event.argument & 7;
      break;
    case EventKind::kAdvise:
      if (event.argument != kLinuxAdviceDiscard) return;
      foreign.kind = ForeignKind::kDiscard;
      break;
    case EventKind::kRemap:
      foreign.kind = ForeignKind::kRemap;
      foreign.old_bytes = RoundUp(event.alignment, recorded_page_bytes_);
      foreign.new_address = event.argument;
      break;
    case EventKind::kBreak:
      foreign.kind = ForeignKind::kBreak;
      foreign.step = static_cast<int64_t>(event.argument);
      break;
    case EventKind::kThreadStart:
      foreign.kind = ForeignKind::kThreadStart;
      break;
    case EventKind::kThreadEnd:
      foreign.kind = ForeignKind::kThreadEnd;
      break;
    default:
      return;
  }
  if (op->kind == ReplayOpKind::kNothing) op->kind = ReplayOpKind::kForeign;
  op->slot = foreign_count_;
  foreign_[foreign_count_++] = foreign;
}

bool OpStream::TranslateObject(const TraceEvent& event, ReplayOp* op) {
  constexpr ReplayOpKind kOps[] = {ReplayOpKind::kAllocate, ReplayOpKind::kFree, ReplayOpKind::kResize};
  if (event.failed || event.object == kNoObject) return true;
  if (event.thread != last_thread_ && !FindLane(event.thread)) [[unlikely]] return false;
  const uint32_t slot = event.object;
  if (slot >= slot_count_) [[unlikely]] {
    if (slot >= slot_limit_) return false;
    slot_count_ = slot + 1;
    live_.resize(slot / 64 + 1);
  }
  // An allocation needs a dead slot, the others a live one; an allocation and a free turn it over.
  const uint64_t allocates = event.kind == EventKind::kAllocate ? 1 : 0;
  const uint64_t turns = event.kind == EventKind::kResize ? 0 : 1;
  uint64_t& word = live_[slot / 64];
  if ((word >> slot % 64 & 1) == allocates) [[unlikely]] return false;
  if (event.alignment != 0) [[unlikely]] {
    if (allocates != 0 && !std::has_single_bit(event.alignment)) return false;
    if (allocates != 0) op->alignment_log2 = static_cast<uint8_t>(std::countr_zero(event.alignment));
  }
  word ^= turns << slot % 64;
  op->size = event.size;
  op->slot = slot;
  op->lane = last_lane_;
  op->kind = kOps[static_cast<size_t>(event.kind)];
  return true;
}

void OpStream::EndThread(uint32_t thread, ReplayOp* op) {
  if (thread >= lane_of_thread_.size() || lane_of_thread_[thread] < 0) return;
  op->kind = ReplayOpKind::kEndLane;
  op->lane = static_cast<uint16_t>(lane_of_thread_[thread]);
  free_lanes_.push_back(op->lane);
  lane_of_thread_[thread] = -1;
  if (thread == last_thread_) last_thread_ = kNoThread;
}

// Makes `thread` the last one. False: there is no lane for it.
bool OpStream::FindLane(uint32_t thread) {
  if (thread >= lane_of_thread_.size()) {
    if (thread >= kMaxThreads) return false;
    lane_of_thread_.resize(thread + 1, -1);
  }
  int32_t& lane = lane_of_thread_[thread];
  if (lane < 0) {
    if (!free_lanes_.empty()) {
      lane = free_lanes_.back();
      free_lanes_.pop_back();
    } else if (lanes_ever_ < kMaxLanes) {
      lane = static_cast<int32_t>(lanes_ever_++);
    } else {
      return false;
    }
  }
  last_thread_ = thread;
  last_lane_ = static_cast<uint16_t>(lane);
  return true;
}

absl::Status OpStream::Explain(const TraceEvent& event) const {
  if (event.thread >= kMaxThreads) {
    return absl::InvalidArgumentError(absl::StrFormat("%s: event %d: thread %d; at most %d are possible", path_,
                                                      event_number_, event.thread, kMaxThreads));
  }
  if (event.kind > EventKind::kResize) return Broken(event, "more address-space calls than the trailer counts");
  if (event.thread != last_thread_) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("%s: event %d: more than %d threads alive at once", path_, event_number_, kMaxLanes));
  }
  if (event.object >= slot_limit_) return Broken(event, "object slot that the trailer's slot_count leaves no room for");
  if (event.kind != EventKind::kAllocate) return Broken(event, "free or resize of a slot without an object");
  if (IsLive(event.object)) return Broken(event, "allocation into a slot whose object is alive");
  return Broken(event, "alignment that is not a power of two");
}

absl::Status OpStream::Broken(const TraceEvent& event, const char* rule) const {
  return absl::InvalidArgumentError(
      absl::StrFormat("%s: event %d (%s, object %d, thread %d): %s; `reheap trace check` lists every such event", path_,
                      event_number_, EventKindName(event.kind), event.object, event.thread, rule));
}

}  // namespace reheap
