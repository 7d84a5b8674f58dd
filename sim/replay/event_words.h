// EventWords: what the program called at an event, in words: "malloc of 1.0 MiB by thread 3" (rows 6 and 11).
//
// Replays know events by number alone; this looks a few of them up in the trace afterwards, through its block
// index.
//
// Threads: one. Limits: those of the trace reader. A trace that was cut off has no index and is read from its
// start.
#ifndef REHEAP_SIM_REPLAY_EVENT_WORDS_H_
#define REHEAP_SIM_REPLAY_EVENT_WORDS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "proto/report.pb.h"
#include "traces/trace_event.h"

namespace reheap {

std::string EventWords(const TraceEvent& event);

// Fills in PeakCause.call and Refusal.call of `runs`, which are replays of the trace. Errors: the reader's.
absl::Status FillCalls(const std::string& trace_path, absl::Span<proto::Run* const> runs);

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_EVENT_WORDS_H_
