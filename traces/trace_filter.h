// FilterTrace: the objects of some threads or sizes, with their whole lives (`reheap trace filter`; from row
// 5 of the walk to row 3).
//
// An object's allocation decides for all of its life, because a stream cannot know what comes later:
//   kept     when the thread that allocates it and the size asked for match
//   resizes  go with their object; one that crosses a bound changes nothing, and is counted
//   frees    go with their object, whoever frees it; so a thread that was not asked for can occur, and then
//            starts with its first kept event and ends where it did
// Failed allocations are judged as if they had succeeded. free(NULL) has a thread and no size: it goes when
// sizes are asked for. Address-space calls are the process's: all are kept, or none (`mappings`). Memory
// samples are of a process with all objects: none is kept. Times, process, host and limits stay as they were.
//
// Function of files; any thread. Limits: one block, and 20 bytes per slot beside SoundEvents.
#ifndef REHEAP_TRACES_TRACE_FILTER_H_
#define REHEAP_TRACES_TRACE_FILTER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace reheap {

struct TraceFilterOptions {
  std::vector<uint32_t> threads = {};  // as TraceEvent::thread; empty = all
  uint64_t min_size_bytes = 0;
  uint64_t max_size_bytes = ~uint64_t{0};
  // False: no address-space calls, and no mappings in the header.
  bool mappings = true;
  std::string how = "reheap trace filter";  // for the header
};

struct TraceFilterReport {
  uint64_t read_events = 0;
  uint64_t kept_events = 0;
  uint64_t objects = 0;
  uint64_t kept_objects = 0;
  uint64_t kept_frees_by_others = 0;  // by threads that were not asked for
  uint64_t crossing_resizes = 0;      // across a size bound, of any object of the threads asked for
};

// UnfitRequest (edited_trace.h) when the trace has no such thread.
absl::StatusOr<TraceFilterReport> FilterTrace(const std::string& path, const std::string& out,
                                              const TraceFilterOptions& options);

}  // namespace reheap

#endif  // REHEAP_TRACES_TRACE_FILTER_H_
