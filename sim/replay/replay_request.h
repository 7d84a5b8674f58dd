// ReplayRequest: which replays to run, and RunReplays, which runs them (rows 6 to 11 of the walk).
//
// The request is a grid: every strategy x world x platform x limit (and every other malloc named in `targets`)
// is one row of the report. Each row reads the trace from its start; nothing of one row reaches the next, but
// that a virtual row of this host's own platform starts from the mappings of the real row before it, so that
// the two can be compared byte by byte.
//
// Threads: one; real rows run in child processes that end with the call. Limits: those of the trace reader.
#ifndef REHEAP_SIM_REPLAY_REPLAY_REQUEST_H_
#define REHEAP_SIM_REPLAY_REPLAY_REQUEST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "alloc/addr.h"
#include "proto/report.pb.h"

namespace reheap {

struct ReplayRequest {
  std::string trace_path;
  std::vector<std::string> strategies;  // catalogue names or paths of textproto files; at least one for "heap"
  bool real = false;
  bool virtual_world = false;
  std::vector<std::string> platforms;   // of the virtual world; catalogue names
  // Bytes; nullopt = unlimited. Empty lists mean {nullopt}.
  std::vector<std::optional<uint64_t>> address_limits;
  std::vector<std::optional<uint64_t>> data_limits;
  std::vector<int> overcommit_modes;    // virtual world; empty = the platform's default
  // Virtual world; empty = the platform's default.
  std::vector<std::optional<uint64_t>> memory_limits;  // cgroup memory.max; nullopt = unlimited
  std::vector<uint64_t> max_mappings;                  // vm.max_map_count
  std::vector<uint64_t> ram_bytes;
  std::vector<uint64_t> swap_bytes;                    // of the machine; page files on windows
  std::vector<std::optional<uint64_t>> job_commits;    // of a windows job; nullopt = unlimited
  std::vector<std::optional<uint64_t>> stack_limits;   // RLIMIT_STACK at exec; nullopt = unlimited
  std::vector<std::string> thp;                        // "never", "madvise", "always"
  uint32_t cpus = 2;                    // of the modelled machine, for strategies that ask
  std::vector<std::string> targets;     // "heap", "malloc:glibc", "malloc:/path/lib.so"; empty = {"heap"}
  std::string order = "total";          // the one order of this version
  std::string touch = "none";           // "none" or "full": write to every OS page of each object
  std::string maps_path;                // a saved /proc/PID/maps to start from; empty = the trace's own
  // Instead: a named image (sim/os/images), or "platform" for the platform's own small one.
  std::string image;
  bool allow_cut_off = false;           // replay the whole blocks of a trace that was cut off
  std::string foreign = "replay";       // the program's own address-space calls: "replay" or "ignore"
  std::string thread_stacks = "glibc";  // modelled on the thread events, or "none"; with foreign "replay" alone
  bool measure_lookup = true;           // real rows: time page-map lookups after the replay
  // Address ranges that somebody else holds before the heap starts, in either world; whole OS pages.
  std::vector<AddrRange> squatters;
};

// Told how far a long job is.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  // `done` of `total` events over all rows (0 = not known); `doing` says what is at hand. Called about every
  // 8,192 events.
  virtual void Progress(const std::string& doing, uint64_t done, uint64_t total) = 0;
};

// Errors: InvalidArgument for a request that cannot be run (it names the word), others for an unreadable trace
// or maps file (they name file, offset and reason). A refusal by an OS is a row, not an error. `progress` may
// be null.
absl::StatusOr<proto::Report> RunReplays(const ReplayRequest& request, ProgressSink* progress);

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_REPLAY_REQUEST_H_
