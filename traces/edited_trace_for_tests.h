// What tests of the editors ask of a file: its events, its header and trailer, and that no rule is broken.
//
// Functions of a path. Threads: any.
#ifndef REHEAP_TRACES_EDITED_TRACE_FOR_TESTS_H_
#define REHEAP_TRACES_EDITED_TRACE_FOR_TESTS_H_

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "traces/trace_checker.h"
#include "traces/trace_cursor.h"
#include "traces/trace_event.h"

namespace reheap {

// "allocate 3: thread 0, 64 bytes ..." in place of gtest's dump of bytes.
inline void PrintTo(const TraceEvent& event, std::ostream* out) {
  *out << EventKindName(event.kind) << " by " << CallKindName(event.call) << ", object "
       << static_cast<int32_t>(event.object) << ", thread " << event.thread << ", size " << event.size
       << ", alignment " << event.alignment << ", time " << event.time_ns << ", address " << std::hex
       << event.address << ", argument " << event.argument << std::dec << (event.failed ? ", failed" : "");
}

struct TraceFile {
  proto::TraceHeader header;
  proto::TraceTrailer trailer;
  std::vector<TraceEvent> events;
};

inline TraceFile ReadTrace(const std::string& path) {
  TraceFile file;
  absl::StatusOr<std::unique_ptr<TraceCursor>> cursor = TraceCursor::Open(path);
  EXPECT_TRUE(cursor.ok()) << cursor.status();
  if (!cursor.ok()) return file;
  file.header = (*cursor)->header();
  EXPECT_NE((*cursor)->trailer(), nullptr) << path;
  if ((*cursor)->trailer() != nullptr) file.trailer = *(*cursor)->trailer();
  TraceEvent event;
  while (true) {
    absl::StatusOr<size_t> count = (*cursor)->NextBatch(&event, 1);
    EXPECT_TRUE(count.ok()) << count.status();
    if (!count.ok() || *count == 0) return file;
    file.events.push_back(event);
  }
}

// Reads it, and fails the test when it breaks a rule.
inline TraceFile ReadSoundTrace(const std::string& path) {
  absl::StatusOr<TraceCheckReport> report = CheckTrace(path);
  EXPECT_TRUE(report.ok()) << report.status();
  if (report.ok()) {
    for (const TraceViolation& violation : report->violations)
      ADD_FAILURE() << path << ": " << violation.ToString();
  }
  return ReadTrace(path);
}

}  // namespace reheap

#endif  // REHEAP_TRACES_EDITED_TRACE_FOR_TESTS_H_
