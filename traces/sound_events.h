// SoundEvents: the events of a whole trace that keeps every rule of TraceChecker; anything else is an error.
//
// What `reheap trace cut`, `filter`, `merge` and `anonymize` read from (beside row 5 of the walk). They
// rearrange lives of objects, so they need to be able to trust them: a free has its allocation, a thread ends
// once, time does not go back. A file that was cut off, is damaged or breaks a rule is refused with its name
// and the place, as a replay does; mending is not an editor's business.
//
// Ownership: owns its reader. Threads: one at a time. Limits: memory is one block and the checker's tables
// (33 bytes per slot); slots are believed up to the number of events and a few.
#ifndef REHEAP_TRACES_SOUND_EVENTS_H_
#define REHEAP_TRACES_SOUND_EVENTS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/trace.pb.h"
#include "traces/trace_checker.h"
#include "traces/trace_cursor.h"
#include "traces/trace_event.h"

namespace reheap {

class SoundEvents {
 public:
  static absl::StatusOr<std::unique_ptr<SoundEvents>> Open(const std::string& path);

  const std::string& path() const { return path_; }
  const proto::TraceHeader& header() const { return cursor_->header(); }
  const proto::TraceTrailer& trailer() const { return *cursor_->trailer(); }

  // The next events; valid until the next call. Empty = the end, and then the trailer agreed with them.
  absl::StatusOr<absl::Span<const TraceEvent>> NextBatch();

 private:
  SoundEvents(std::string path, std::unique_ptr<TraceCursor> cursor);

  absl::Status Broken(const TraceCheckReport& report) const;

  const std::string path_;
  std::unique_ptr<TraceCursor> cursor_;
  TraceChecker checker_;
  std::vector<TraceEvent> batch_;
};

}  // namespace reheap

#endif  // REHEAP_TRACES_SOUND_EVENTS_H_
