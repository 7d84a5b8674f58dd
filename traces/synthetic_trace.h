// SyntheticTrace: an endless, seeded stream of events shaped like a program's (tests, benchmarks, `trace
// synth`).
//
// Fills up to a target of live bytes and then holds it: below the target it rather allocates, above it rather
// frees. Which object dies is drawn by age: most die young. Slots are reused last freed first.
// The stream keeps every rule of TraceChecker. The same options give the same events, on every machine.
//
// Ownership: owns its tables. Threads: one at a time. Limits: memory grows with live objects.
#ifndef REHEAP_TRACES_SYNTHETIC_TRACE_H_
#define REHEAP_TRACES_SYNTHETIC_TRACE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "traces/trace_event.h"
#include "traces/trace_writer.h"

namespace reheap {

struct SyntheticTraceOptions {
  uint64_t seed = 1;
  uint64_t live_target_bytes = 16 << 20;
  uint32_t threads = 1;
  // Of a thousand frees, how many come from another thread than the allocation.
  uint32_t cross_thread_frees_per_mille = 20;
  uint32_t resizes_per_mille = 30;     // of all events, about
  uint32_t aligned_per_mille = 10;     // of allocations
  uint32_t same_size_per_mille = 600;  // of allocations: the size that its "call site" always asks for
  uint64_t max_size_bytes = 64 << 10;  // sizes are log-uniform from 1 up to this
  uint64_t tick_ns = 1'000'000;        // times advance by this ...
  uint32_t events_per_tick = 4096;     // ... every so many events
};

class SyntheticTrace {
 public:
  explicit SyntheticTrace(const SyntheticTraceOptions& options = {});

  void Next(TraceEvent* events, size_t count);
  TraceEvent Next();

  uint64_t live_bytes() const { return live_bytes_; }
  size_t live_objects() const { return live_.size(); }

 private:
  struct Object {
    uint32_t slot;
    uint32_t thread;
    uint64_t size;
  };

  uint64_t Random();
  uint64_t Below(uint64_t limit) { return Random() % limit; }
  bool Chance(uint32_t per_mille) { return Below(1000) < per_mille; }
  uint64_t RandomSize();
  size_t Victim();
  void Allocate(TraceEvent* event);
  void Free(TraceEvent* event);
  void Resize(TraceEvent* event);

  const SyntheticTraceOptions options_;
  uint64_t state_;
  uint64_t events_ = 0;
  uint64_t live_bytes_ = 0;
  uint32_t slots_ = 0;
  uint32_t thread_ = 0;
  std::vector<Object> live_;  // about in order of age, the youngest last
  std::vector<uint32_t> free_slots_;
  std::vector<uint64_t> site_sizes_;
};

// Writes a file of `events` events.
absl::Status WriteSyntheticTrace(const std::string& path, const SyntheticTraceOptions& options,
                                 uint64_t events, const TraceWriterOptions& writer_options = {});

}  // namespace reheap

#endif  // REHEAP_TRACES_SYNTHETIC_TRACE_H_
