#include "traces/trace_builder.h"

#include <algorithm>

namespace reheap {

TraceBuilder& TraceBuilder::Event(const TraceEvent& event) {
  events_.push_back(event);
  return *this;
}

TraceBuilder& TraceBuilder::Add(EventKind kind, CallKind call, uint32_t object, uint64_t size) {
  TraceEvent event;
  event.kind = kind;
  event.call = call;
  event.thread = thread_;
  event.object = object;
  event.size = size;
  event.time_ns = time_ns_;
  return Event(event);
}

TraceBuilder& TraceBuilder::Malloc(uint32_t object, uint64_t size) {
  return Add(EventKind::kAllocate, CallKind::kMalloc, object, size);
}

TraceBuilder& TraceBuilder::Calloc(uint32_t object, uint64_t size) {
  return Add(EventKind::kAllocate, CallKind::kCalloc, object, size);
}

TraceBuilder& TraceBuilder::Memalign(uint32_t object, uint64_t alignment, uint64_t size) {
  Add(EventKind::kAllocate, CallKind::kMemalign, object, size);
  events_.back().alignment = alignment;
  return *this;
}

TraceBuilder& TraceBuilder::New(uint32_t object, uint64_t size) {
  return Add(EventKind::kAllocate, CallKind::kNew, object, size);
}

TraceBuilder& TraceBuilder::Realloc(uint32_t object, uint64_t size) {
  return Add(EventKind::kResize, CallKind::kRealloc, object, size);
}

TraceBuilder& TraceBuilder::Free(uint32_t object) {
  return Add(EventKind::kFree, CallKind::kFree, object, 0);
}

TraceBuilder& TraceBuilder::FreeNull() { return Free(kNoObject); }

TraceBuilder& TraceBuilder::Delete(uint32_t object) {
  return Add(EventKind::kFree, CallKind::kDelete, object, 0);
}

TraceBuilder& TraceBuilder::FailedMalloc(uint64_t size) {
  Malloc(kNoObject, size);
  events_.back().failed = true;
  return *this;
}

TraceBuilder& TraceBuilder::ThreadStart() {
  return Add(EventKind::kThreadStart, CallKind::kUnknown, kNoObject, 0);
}

TraceBuilder& TraceBuilder::ThreadEnd() {
  return Add(EventKind::kThreadEnd, CallKind::kUnknown, kNoObject, 0);
}

TraceBuilder& TraceBuilder::Map(uint64_t address, uint64_t size, uint32_t protection, uint32_t flags) {
  Add(EventKind::kMap, CallKind::kUnknown, kNoObject, size);
  events_.back().address = address;
  events_.back().argument = protection | uint64_t{flags} << 32;
  return *this;
}

TraceBuilder& TraceBuilder::Unmap(uint64_t address, uint64_t size) {
  Add(EventKind::kUnmap, CallKind::kUnknown, kNoObject, size);
  events_.back().address = address;
  return *this;
}

TraceBuilder& TraceBuilder::Break(uint64_t address) {
  Add(EventKind::kBreak, CallKind::kUnknown, kNoObject, 0);
  events_.back().address = address;
  return *this;
}

TraceBuilder& TraceBuilder::MemorySample(uint64_t vsize_bytes, uint64_t rss_bytes) {
  Add(EventKind::kMemorySample, CallKind::kUnknown, kNoObject, vsize_bytes);
  events_.back().argument = rss_bytes;
  return *this;
}

TraceBuilder& TraceBuilder::Thread(uint32_t thread) {
  thread_ = thread;
  return *this;
}

TraceBuilder& TraceBuilder::Time(uint64_t time_ns) {
  time_ns_ = time_ns;
  return *this;
}

TraceBuilder& TraceBuilder::Dropped(uint64_t events) {
  dropped_events_ = events;
  return *this;
}

absl::Status TraceBuilder::WriteTo(const std::string& path, const TraceWriterOptions& options) const {
  absl::StatusOr<std::unique_ptr<TraceWriter>> writer = TraceWriter::Create(path, header_, options);
  if (!writer.ok()) return writer.status();
  uint32_t threads = 0;
  for (const TraceEvent& event : events_) threads = std::max(threads, event.thread + 1);
  for (uint32_t i = 0; i < threads; ++i) {
    proto::TraceThread thread;
    thread.set_tid(static_cast<int32_t>(100 + i));
    (*writer)->AddThread(thread);
  }
  (*writer)->set_dropped_events(dropped_events_);
  absl::Status status = (*writer)->Append(events_.data(), events_.size());
  return status.ok() ? (*writer)->Finish() : status;
}

}  // namespace reheap
