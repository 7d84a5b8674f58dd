// TraceBuilder: a trace spelled out in a test, as events or as a file.
//
//   std::vector<TraceEvent> events = TraceBuilder().Malloc(1, 64).Free(1).events();
//
// Objects are slots, named by the caller: builders do not check, so that tests can build broken traces.
// Thread() and Time() hold for the events that follow. Values only; one thread at a time.
#ifndef REHEAP_TRACES_TRACE_BUILDER_H_
#define REHEAP_TRACES_TRACE_BUILDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "proto/trace.pb.h"
#include "traces/trace_event.h"
#include "traces/trace_writer.h"

namespace reheap {

class TraceBuilder {
 public:
  TraceBuilder& Malloc(uint32_t object, uint64_t size);
  TraceBuilder& Calloc(uint32_t object, uint64_t size);
  TraceBuilder& Memalign(uint32_t object, uint64_t alignment, uint64_t size);
  TraceBuilder& New(uint32_t object, uint64_t size);
  TraceBuilder& Realloc(uint32_t object, uint64_t size);
  TraceBuilder& Free(uint32_t object);
  TraceBuilder& FreeNull();
  TraceBuilder& Delete(uint32_t object);
  TraceBuilder& FailedMalloc(uint64_t size);

  TraceBuilder& ThreadStart();  // of the current thread
  TraceBuilder& ThreadEnd();
  TraceBuilder& Map(uint64_t address, uint64_t size, uint32_t protection, uint32_t flags);
  TraceBuilder& Unmap(uint64_t address, uint64_t size);
  TraceBuilder& Break(uint64_t address);
  TraceBuilder& MemorySample(uint64_t vsize_bytes, uint64_t rss_bytes);

  TraceBuilder& Thread(uint32_t thread);
  TraceBuilder& Time(uint64_t time_ns);
  // Any event, exactly as given.
  TraceBuilder& Event(const TraceEvent& event);

  // Of the file: kept for WriteTo().
  proto::TraceHeader& header() { return header_; }
  TraceBuilder& Dropped(uint64_t events);

  const std::vector<TraceEvent>& events() const { return events_; }
  // Writes a file with one TraceThread (tid 100, 101, ...) for each thread that occurs.
  absl::Status WriteTo(const std::string& path, const TraceWriterOptions& options = {}) const;

 private:
  TraceBuilder& Add(EventKind kind, CallKind call, uint32_t object, uint64_t size);

  proto::TraceHeader header_;
  std::vector<TraceEvent> events_;
  uint32_t thread_ = 0;
  uint64_t time_ns_ = 0;
  uint64_t dropped_events_ = 0;
};

}  // namespace reheap

#endif  // REHEAP_TRACES_TRACE_BUILDER_H_
