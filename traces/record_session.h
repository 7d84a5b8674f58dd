// RecordProgram: runs a program under the recorder and collects while it runs (rows 1 to 3 of the walk; what
// `reheap record` is made of).
//
// Makes a private spool directory (mode 0700), puts the recorder library into it, starts the program with LD_PRELOAD,
// steps the collector about every millisecond, and removes the directory at the end. The program keeps its stdin,
// stdout, stderr, process group and exit status. SIGINT, SIGTERM, SIGHUP and SIGQUIT that reach this process are
// forwarded to the program while it runs; afterwards one ends the wait for its descendants.
//
// Ownership: nothing outlives the call but the trace files. Threads: call from one at a time (signal dispositions
// belong to the process). Limits: processes that outlive the root one are recorded for `linger_ms` more.
#ifndef REHEAP_TRACES_RECORD_SESSION_H_
#define REHEAP_TRACES_RECORD_SESSION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "traces/collector.h"

namespace reheap {

struct RecordOptions {
  std::string output;                // path of the root process's trace
  std::vector<std::string> command;  // program and arguments; looked up in PATH
  uint64_t pool_bytes = 0;           // of segments per process image; 0 = the recorder's default (64 MiB)
  std::string spool_parent;          // where to make the spool directory; empty = $TMPDIR, /dev/shm, /tmp
  int zstd_level = 1;
  uint32_t linger_ms = 2000;         // for daemons that the program leaves behind
  bool force_counter_clock = false;  // see recorder_config.h
  // The recorder stands in front of the user's LD_PRELOAD, so that an allocator in there is recorded like libc's.
  // These stand in front of the recorder.
  std::vector<std::string> preload_first;
};

struct RecordResult {
  int wait_status = 0;  // waitpid's, of the root process
  std::vector<RecordedProcess> processes;  // the root's first, when it was recorded
  // When the program itself left no trace: why ("statically linked", ...); else empty.
  std::string not_recorded_reason;
};

// NotFound, PermissionDenied: the program could not be started. Trouble with our own files (a full disk) never ends
// the program: it runs on unrecorded, and the trouble is reported when it has ended.
absl::StatusOr<RecordResult> RecordProgram(const RecordOptions& options);

}  // namespace reheap

#endif  // REHEAP_TRACES_RECORD_SESSION_H_
