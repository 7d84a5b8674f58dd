// TraceInfo: what is in a trace: the figures of `reheap trace info` (beside row 5 of the walk).
//
// One walk over the events, so it holds for a file without trailer too. Values only.
// Limits: memory grows with live objects (16 bytes per slot), not with the trace.
#ifndef REHEAP_TRACES_TRACE_INFO_H_
#define REHEAP_TRACES_TRACE_INFO_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/trace.pb.h"
#include "traces/trace_event.h"

namespace reheap {

// Sizes of successful allocations: bucket 0 holds size 0, bucket n sizes from 2^(n-1) up to 2^n - 1.
inline constexpr int kSizeBuckets = 65;

struct TraceInfo {
  proto::TraceHeader header;  // program, host, limits, what is unknown
  std::vector<proto::TraceThread> threads;

  uint64_t events = 0;
  std::array<uint64_t, kEventKindCount> events_by_kind{};
  std::array<uint64_t, kCallKindCount> events_by_call{};
  uint64_t failed_calls = 0;
  uint64_t frees_of_null = 0;
  // Frees of an object by another thread than the one that allocated it; 0 when threads are unknown.
  uint64_t cross_thread_frees = 0;

  uint64_t active_threads = 0;  // threads with at least one event
  uint64_t start_time_ns = 0;   // of the first event
  uint64_t end_time_ns = 0;     // of the last one

  uint64_t allocated_bytes = 0;
  uint64_t peak_live_bytes = 0;
  uint64_t peak_live_objects = 0;
  uint64_t peak_bytes_event = 0;  // number of the event that first reached peak_live_bytes
  uint64_t end_live_bytes = 0;
  uint64_t end_live_objects = 0;
  std::array<uint64_t, kSizeBuckets> size_histogram{};

  uint64_t blocks = 0;
  uint64_t file_bytes = 0;
  bool cut_off = false;  // without trailer: the next two are unknown
  bool ended_in_order = false;
  uint64_t dropped_events = 0;

  double bytes_per_event() const {
    return events == 0 ? 0 : static_cast<double>(file_bytes) / static_cast<double>(events);
  }
};

absl::StatusOr<TraceInfo> ReadTraceInfo(const std::string& path);

}  // namespace reheap

#endif  // REHEAP_TRACES_TRACE_INFO_H_
