#include "traces/event_builder.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace reheap {
namespace {

using spool::Op;

constexpr size_t kBatchEvents = 256;

uint64_t AddressOf(const spool::Record& record) { return record.head & spool::kAddressMask; }
uint8_t OpOf(const spool::Record& record) { return static_cast<uint8_t>(record.head >> spool::kOpShift); }
uint8_t FlagsOf(const spool::Record& record) { return static_cast<uint8_t>(record.head >> spool::kFlagsShift); }

bool IsFree(CallKind call) { return call == CallKind::kFree || call >= CallKind::kDelete; }
bool IsRealloc(CallKind call) { return call == CallKind::kRealloc || call == CallKind::kReallocarray; }

bool IsSizedDelete(CallKind call) {
  return call == CallKind::kDeleteSized || call == CallKind::kDeleteSizedAligned ||
         call == CallKind::kDeleteArraySized || call == CallKind::kDeleteArraySizedAligned;
}

// memalign rounds an alignment that is no power of two up (memalign(3), glibc); the others refuse it, and
// a refused call has no alignment worth keeping.
uint64_t AlignmentOf(const OrderedRecord& record) {
  const uint8_t bits = FlagsOf(*record.record) & spool::kAlignmentMask;
  if (bits == 0) return 0;
  if (bits != spool::kOddAlignment) return uint64_t{1} << (bits - 1);
  const bool failed = (FlagsOf(*record.record) & spool::kFailed) != 0;
  if (failed || record.extra == nullptr || record.extra->value > uint64_t{1} << 62) return 0;
  return std::bit_ceil(record.extra->value);
}

}  // namespace

EventBuilder::EventBuilder(EventBuilderOptions options, EventSink* sink) : options_(std::move(options)), sink_(sink) {
  batch_.reserve(kBatchEvents);
}

void EventBuilder::Take(const OrderedRecord& record) {
  // Time stands still where merging had to go back a little (lane_merger.h).
  now_ns_ = std::max(now_ns_, options_.time_ns(record));
  const uint8_t op = OpOf(*record.record);
  if (op == static_cast<uint8_t>(Op::kNone)) return;
  Thread& thread = ThreadOf(record);
  if (op >= static_cast<uint8_t>(Op::kCall)) {
    const int call = op - static_cast<uint8_t>(Op::kCall);
    if (call < kCallKindCount) TakeCall(record, static_cast<CallKind>(call), thread);
    return;
  }
  switch (static_cast<Op>(op)) {
    case Op::kThreadStart:
      break;  // ThreadOf saw it: a lane's first record
    case Op::kThreadEnd:
      ending_lanes_[record.lane] = record.tid;
      break;
    case Op::kFork:
      if (options_.on_fork) options_.on_fork(static_cast<uint32_t>(record.record->value), Snapshot());
      break;
    case Op::kResizeBegin:
      TakeResizeBegin(record, thread);
      break;
    default:
      TakeSpace(record, static_cast<Op>(op), NewEvent(EventKind::kMap, thread));
  }
}

void EventBuilder::EndThread(uint32_t lane) {
  const auto it = threads_.find(lane);
  if (it == threads_.end()) return;
  Push(NewEvent(EventKind::kThreadEnd, it->second));
  threads_.erase(it);
  ending_lanes_.erase(lane);
}

EventBuilder::Thread& EventBuilder::ThreadOf(const OrderedRecord& record) {
  const auto [it, is_new] = threads_.try_emplace(record.lane);
  Thread& thread = it->second;
  if (!is_new) return thread;
  proto::TraceThread description;
  description.set_tid(record.tid);
  description.set_generation(generations_[record.tid]++);
  if (options_.thread_name) description.set_name(options_.thread_name(record.tid));
  thread.number = sink_->AddThread(description);
  Push(NewEvent(EventKind::kThreadStart, thread));
  if (thread.number == 0) AddInherited(thread.number);
  if (early_sample_.has_value()) {
    early_sample_->time_ns = now_ns_;
    early_sample_->thread = thread.number;
    Push(*early_sample_);
    early_sample_.reset();
  }
  return thread;
}

void EventBuilder::AddInherited(uint32_t thread) {
  if (options_.inherited == nullptr) return;
  for (const LiveObject& object : *options_.inherited) {
    TraceEvent event;
    event.kind = EventKind::kAllocate;
    event.thread = thread;
    event.time_ns = now_ns_;
    event.size = object.size;
    event.alignment = object.alignment;
    event.object = NewSlot(object.address, object.size, object.alignment);
    Push(event);
  }
}

HeapSnapshot EventBuilder::Snapshot() const {
  auto objects = std::make_shared<std::vector<LiveObject>>();
  objects->reserve(slot_of_.size());
  // By slot, not by hash: the same program gives the same trace.
  for (const Slot& slot : slots_) {
    if (slot.address != 0) objects->push_back({slot.address, slot.size, slot.alignment});
  }
  return objects;
}

void EventBuilder::TakeCall(const OrderedRecord& record, CallKind call, Thread& thread) {
  const uint64_t address = AddressOf(*record.record);
  TraceEvent event = NewEvent(IsFree(call) ? EventKind::kFree : EventKind::kAllocate, thread);
  event.call = call;
  event.failed = (FlagsOf(*record.record) & spool::kFailed) != 0;
  if (IsFree(call)) {
    if (IsSizedDelete(call)) event.size = record.record->value;
    TakeFree(event, address);
    return;
  }
  event.size = record.record->value;
  if (!IsRealloc(call)) {
    event.alignment = AlignmentOf(record);
    TakeAllocation(event, address);
    return;
  }
  const bool resizes = (FlagsOf(*record.record) & spool::kResizes) != 0;
  if (!resizes) AbandonResize(thread);
  if (resizes && thread.resizing) {
    TakeResizeEnd(event, address, thread);
  } else if (!resizes || !event.failed) {
    TakeAllocation(event, address);
  }
}

void EventBuilder::TakeAllocation(TraceEvent event, uint64_t address) {
  if (!event.failed) {
    Vacate(address, event.thread);
    event.object = NewSlot(address, event.size, event.alignment);
  }
  Push(event);
}

void EventBuilder::TakeFree(TraceEvent event, uint64_t address) {
  if (address != 0) {
    const auto it = slot_of_.find(address);
    if (it == slot_of_.end()) {
      ++unmatched_records_;
      return;
    }
    event.object = it->second;
    slot_of_.erase(it);
    if (event.size != slots_[event.object].size && options_.lossy && options_.lossy()) event.size = 0;
    FreeSlot(event.object);
  } else {
    event.size = 0;  // a sized delete of null has nothing of that size
  }
  Push(event);
}

// A realloc whose second record was dropped: where its object went is not known, so its life ends here.
void EventBuilder::AbandonResize(Thread& thread) {
  if (!thread.resizing) return;
  thread.resizing = false;
  if (!thread.object.has_value()) return;
  --resizing_;
  ++repaired_addresses_;
  TraceEvent event = NewEvent(EventKind::kFree, thread);
  event.object = *thread.object;
  FreeSlot(event.object);
  Push(event);
}

void EventBuilder::TakeResizeBegin(const OrderedRecord& record, Thread& thread) {
  AbandonResize(thread);
  thread.resizing = true;
  thread.object.reset();
  thread.old_address = AddressOf(*record.record);
  const auto it = slot_of_.find(thread.old_address);
  if (it == slot_of_.end()) {
    ++unmatched_records_;
    return;
  }
  thread.object = it->second;
  slots_[it->second].address = 0;
  slot_of_.erase(it);
  ++resizing_;
}

void EventBuilder::TakeResizeEnd(TraceEvent event, uint64_t address, Thread& thread) {
  thread.resizing = false;
  if (!thread.object.has_value()) {
    if (!event.failed) TakeAllocation(event, address);
    return;
  }
  const uint32_t slot = *thread.object;
  --resizing_;
  event.object = slot;
  if (event.failed && event.size == 0) {
    // glibc's realloc(p, 0) frees and answers null (realloc(3)).
    event.kind = EventKind::kFree;
    event.failed = false;
    FreeSlot(slot);
    Push(event);
    return;
  }
  event.kind = EventKind::kResize;
  const uint64_t now_at = event.failed ? thread.old_address : address;
  Vacate(now_at, event.thread);
  slots_[slot].address = now_at;
  slot_of_[now_at] = slot;
  if (!event.failed) {
    slots_[slot].size = event.size;
    slots_[slot].alignment = 0;
  }
  Push(event);
}

void EventBuilder::TakeSpace(const OrderedRecord& record, Op op, TraceEvent event) {
  event.address = AddressOf(*record.record);
  event.size = record.record->value;
  const uint64_t value = record.extra == nullptr ? 0 : record.extra->value;
  switch (op) {
    case Op::kMap:
      event.argument = value;
      break;
    case Op::kUnmap:
      event.kind = EventKind::kUnmap;
      break;
    case Op::kProtect:
      event.kind = EventKind::kProtect;
      event.argument = value;
      break;
    case Op::kAdvise:
      event.kind = EventKind::kAdvise;
      event.argument = value;
      break;
    case Op::kRemap:
      event.kind = EventKind::kRemap;
      event.argument = value;
      event.alignment = record.extra == nullptr ? 0 : AddressOf(*record.extra);
      break;
    case Op::kBreak:
      event.kind = EventKind::kBreak;
      event.argument = event.size;
      event.size = 0;
      break;
    default:
      return;  // an op of no version: the other side's memory is not to be trusted
  }
  Push(event);
}

void EventBuilder::AddMemorySample(uint64_t vsize_bytes, uint64_t rss_bytes) {
  TraceEvent event;
  event.kind = EventKind::kMemorySample;
  event.time_ns = now_ns_;
  event.size = vsize_bytes;
  event.argument = rss_bytes;
  // Of the process; the event has to name a thread that has not ended.
  if (threads_.empty()) {
    early_sample_ = event;
    return;
  }
  uint32_t first = threads_.begin()->second.number;
  for (const auto& [lane, thread] : threads_) first = std::min(first, thread.number);
  event.thread = first;
  Push(event);
}

TraceEvent EventBuilder::NewEvent(EventKind kind, const Thread& thread) {
  TraceEvent event;
  event.kind = kind;
  event.thread = thread.number;
  event.time_ns = now_ns_;
  return event;
}

uint32_t EventBuilder::NewSlot(uint64_t address, uint64_t size, uint64_t alignment) {
  uint32_t slot;
  if (free_slots_.empty()) {
    slot = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  slots_[slot] = {address, size, alignment};
  slot_of_[address] = slot;
  return slot;
}

void EventBuilder::Vacate(uint64_t address, uint32_t thread) {
  const auto it = slot_of_.find(address);
  if (it == slot_of_.end()) return;
  ++repaired_addresses_;
  TraceEvent event;
  event.kind = EventKind::kFree;
  event.thread = thread;
  event.time_ns = now_ns_;
  event.object = it->second;
  slot_of_.erase(it);
  FreeSlot(event.object);
  Push(event);
}

void EventBuilder::FreeSlot(uint32_t slot) {
  slots_[slot].address = 0;
  free_slots_.push_back(slot);
}

void EventBuilder::Push(const TraceEvent& event) {
  ++events_;
  batch_.push_back(event);
  if (batch_.size() >= kBatchEvents) status_.Update(Flush());
}

absl::Status EventBuilder::Flush() {
  if (status_.ok() && !batch_.empty()) status_ = sink_->Append(batch_.data(), batch_.size());
  batch_.clear();
  return status_;
}

}  // namespace reheap
