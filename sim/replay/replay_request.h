// ReplayRequest: what to replay on what, as the command line asks for it (row 6 of the walk, entry from
// tools).
//
// The lists are crossed: one Run per combination that makes sense (a real world has this kernel only). The
// trace is read once per Run; memory grows with live objects, never with the trace.
//
// Ownership: values; the sink is not owned. Threads: the sink is called on the caller's thread.
#ifndef REHEAP_SIM_REPLAY_REPLAY_REQUEST_H_
#define REHEAP_SIM_REPLAY_REPLAY_REQUEST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/report.pb.h"

namespace reheap {

struct ReplayRequest {
  std::string trace_path;
  std::vector<std::string> strategies;  // names of the catalogue or paths, for target "heap"
  bool real = false;                    // worlds
  bool virtual_ = false;
  std::vector<std::string> platforms;  // names of the catalogue or paths; the virtual world only
  // One Run per element; nullopt = unlimited. Never empty.
  std::vector<std::optional<uint64_t>> address_limits;  // RLIMIT_AS, bytes
  std::vector<std::optional<uint64_t>> data_limits;     // RLIMIT_DATA, bytes
  std::vector<int> overcommit_modes;                    // 0, 1, 2; empty = the platform's own
  std::vector<std::string> targets;                     // "heap", "malloc:glibc", "malloc:/path/lib.so"
  std::string order;                                    // "total"
  std::string touch;                                    // "full", "none"
  std::string maps_path;        // a saved /proc/PID/maps; empty = the trace's own mappings
  bool measure_lookup = false;  // time lookups in the page map that each run leaves
};

// Told how far a long job is.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  // `done` of `total` units (events) over all runs; `doing` says what is at hand. Called often: must be
  // cheap.
  virtual void Progress(const std::string& doing, uint64_t done, uint64_t total) = 0;
};

// One Run per combination, in the order trace, target, strategy, world, platform, limits. An OS refusal is a
// Run with an outcome; a Status is for input that cannot be read or a request that cannot be met. `progress`
// may be null.
absl::StatusOr<proto::Report> RunReplays(const ReplayRequest& request, ProgressSink* progress);

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_REPLAY_REQUEST_H_
