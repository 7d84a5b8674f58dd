// Process facts: the trace header of a recorded process image (row 3 of the walk).
//
// What the recorder copied into the spool at its start (mappings, arguments, limits), and what this machine
// says about itself. Values only. Threads: any. Limits: Linux; a fact that cannot be read is left unset.
#ifndef REHEAP_TRACES_PROCESS_FACTS_H_
#define REHEAP_TRACES_PROCESS_FACTS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "proto/trace.pb.h"
#include "traces/spool_reader.h"

namespace reheap {

proto::TraceHeader DescribeProcess(const SpoolReader& spool);

// One line of /proc/PID/maps; nullopt: it is not one.
std::optional<proto::Mapping> ParseMapsLine(absl::string_view line);

// Whether the process is there and still the one that made the spool. A zombie whose other threads run on is alive.
bool ProcessIsAlive(int32_t pid, uint64_t process_start_ticks);

// Nanoseconds per tick of the time stamp counter, measured against CLOCK_MONOTONIC; 0 = no such counter here.
double TscTickNs();

}  // namespace reheap

#endif  // REHEAP_TRACES_PROCESS_FACTS_H_
