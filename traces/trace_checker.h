// TraceChecker: the rules that a trace's events keep, and the places where one does not (`reheap trace
// check`).
//
// Stands beside row 5 of the walk: whatever reads events can pass them through it. It never repairs and never
// stops at the first fault: it counts every break of every rule, and keeps the first ones with their place.
//
// Ownership: owns its tables. Threads: one at a time. Limits: 17 bytes per slot and 2 per thread; violations
// kept up to a bound, counted without one.
#ifndef REHEAP_TRACES_TRACE_CHECKER_H_
#define REHEAP_TRACES_TRACE_CHECKER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/trace.pb.h"
#include "traces/slot_table.h"
#include "traces/trace_event.h"
#include "traces/trace_reader.h"
#include "traces/trace_totals.h"

namespace reheap {

enum class TraceRule : uint8_t {
  kAllocateIntoLiveSlot,  // the object there was not freed
  kFreeOfFreeSlot,
  kResizeOfDeadSlot,
  kAllocateWithoutObject,  // succeeded, and names none
  kResizeWithoutObject,
  kFailedWithObject,      // an allocation that failed has no object
  kSizeOnUnsizedFree,     // only sized operator delete knows a size
  kSizedFreeOfOtherSize,  // and then it must be the object's
  kObjectOnOtherEvent,    // thread and address-space events have none
  kObjectOutOfRange,      // not below the trailer's slot_count
  kAlignmentNotPowerOfTwo,
  kUnknownThread,        // not in the trailer's thread table
  kEventAfterThreadEnd,  // or a second end
  kThreadStartedTwice,   // or after its first event
  kTimeGoesBackwards,
  kCallOfOtherKind,  // e.g. an allocation by free()
  kMapWithoutSize,
  kTrailerDiffers,  // counts of the trailer against the events
  kNoTrailer,       // the file was cut off
};
inline constexpr int kTraceRuleCount = 19;

const char* TraceRuleName(TraceRule rule);  // "free of a free slot", ...; never null

struct TraceViolation {
  TraceRule rule;
  uint64_t block = 0;
  uint64_t event = 0;  // number in the trace, from 0; the number of events when the place is the end
  uint32_t thread = 0;
  uint64_t time_ns = 0;
  uint32_t object = kNoObject;
  std::string detail;  // what was found and what was expected

  // "block 3, event 196702, thread 4, 12.5 ms: free of a free slot: object 17 ..."
  std::string ToString() const;
};

struct TraceCheckReport {
  uint64_t events = 0;
  uint64_t blocks = 0;
  uint64_t dropped_events = 0;
  uint64_t file_bytes = 0;  // 0 when no file was checked
  bool cut_off = false;     // the file ends without trailer
  std::array<uint64_t, kTraceRuleCount> counts{};
  std::vector<TraceViolation> violations;  // the first ones

  uint64_t total() const;
  bool ok() const { return total() == 0; }
};

struct TraceCheckerOptions {
  size_t max_violations = 100;
};

class TraceChecker {
 public:
  explicit TraceChecker(const TraceCheckerOptions& options = {}) : options_(options) {}

  // Before the first event, when they are known: rules about threads and slots need them.
  void ExpectTrailer(const proto::TraceTrailer& trailer);

  // Events in order, all of one block.
  void Check(uint64_t block, const TraceEvent* events, size_t count);

  // What was found so far; the counts of events and blocks are Finish()'s.
  const TraceCheckReport& so_far() const { return report_; }

  // After the last event. `trailer` null = the file was cut off.
  TraceCheckReport Finish(const proto::TraceTrailer* trailer);

 private:
  struct Object {
    uint64_t size = 0;
    bool live = false;
  };
  enum class ThreadState : uint8_t { kUnseen, kActive, kEnded };

  void CheckThread(const TraceEvent& event);
  void CheckCall(const TraceEvent& event);
  void CheckAllocate(const TraceEvent& event);
  void CheckFree(const TraceEvent& event);
  void CheckResize(const TraceEvent& event);
  void CheckOther(const TraceEvent& event);
  void CheckTrailer(const proto::TraceTrailer& trailer);
  void Compare(const char* what, uint64_t trailer, uint64_t events);
  void Report(TraceRule rule, const TraceEvent& event, std::string detail);

  const TraceCheckerOptions options_;
  TraceCheckReport report_;
  TraceTotals totals_;
  SlotTable<Object> objects_;
  SlotTable<ThreadState> threads_;
  bool has_limits_ = false;
  uint64_t thread_limit_ = 0;
  uint64_t slot_limit_ = 0;
  uint64_t block_ = 0;
  uint64_t last_time_ns_ = 0;
};

// Checks a whole file. An unreadable one is a Status; a readable one that breaks rules is a report.
absl::StatusOr<TraceCheckReport> CheckTrace(const std::string& path, const TraceCheckerOptions& options = {});
absl::StatusOr<TraceCheckReport> CheckTrace(std::unique_ptr<TraceReader> reader,
                                            const TraceCheckerOptions& options = {});

}  // namespace reheap

#endif  // REHEAP_TRACES_TRACE_CHECKER_H_
