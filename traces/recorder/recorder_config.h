// The environment variables by which the recorder is told what to do (rows 1 and 2 of the walk).
//
// `reheap record` sets them; by hand:  LD_PRELOAD=/path/libreheap_recorder.so REHEAP_SPOOL_DIR=/dev/shm/x prog
//
// Values only. Read once per process image, before the first record. Threads: none yet.
#ifndef REHEAP_TRACES_RECORDER_RECORDER_CONFIG_H_
#define REHEAP_TRACES_RECORDER_RECORDER_CONFIG_H_

#include <stdint.h>
#include <stdlib.h>

namespace reheap::recorder {

// Directory that spool files are made in. Unset or not writable: nothing is recorded.
inline constexpr char kSpoolDirVariable[] = "REHEAP_SPOOL_DIR";
// Bytes of segments per process image, decimal. The file grows to it only when it is needed.
inline constexpr char kPoolBytesVariable[] = "REHEAP_POOL_BYTES";
// "1": a collector recycles segments, so a thread that finds none free waits for it (bounded).
inline constexpr char kCollectorVariable[] = "REHEAP_COLLECTOR";
// "counter": order threads by a shared counter instead of the processor's clock (tests, odd machines).
inline constexpr char kClockVariable[] = "REHEAP_CLOCK";

// 64 MiB: 4.2 M events, a third of a second of the fastest real program measured (12 M events/s).
inline constexpr uint64_t kDefaultPoolBytes = uint64_t{64} << 20;
// Without a collector nothing is recycled and the pool is the size limit: 67 M events.
inline constexpr uint64_t kDefaultUncollectedBytes = uint64_t{1} << 30;
inline constexpr uint64_t kMaxPoolBytes = uint64_t{64} << 30;
// The collector holds a flock(2) on this file of the spool directory; the kernel lets go of it however it ends.
inline constexpr char kLockName[] = "collector.lock";
// A waiting thread looks this often whether the lock is still held,
inline constexpr int64_t kLookForCollectorNs = 10'000'000;
// ends the recording where it cannot look (chroot, no descriptors) after this long without a tick,
inline constexpr int64_t kDeadCollectorNs = 5'000'000'000;
// and after this long in any case counts drops; no thread of the process waits again.
inline constexpr int64_t kLongestWaitNs = 20'000'000'000;

struct RecorderConfig {
  const char* spool_dir = nullptr;  // null: do not record
  uint64_t pool_bytes = 0;
  bool has_collector = false;
  bool force_counter = false;
};

inline RecorderConfig ReadRecorderConfig() {
  RecorderConfig config;
  config.spool_dir = getenv(kSpoolDirVariable);
  const char* collector = getenv(kCollectorVariable);
  config.has_collector = collector != nullptr && collector[0] == '1';
  const char* clock = getenv(kClockVariable);
  config.force_counter = clock != nullptr && clock[0] == 'c';
  config.pool_bytes = config.has_collector ? kDefaultPoolBytes : kDefaultUncollectedBytes;
  if (const char* text = getenv(kPoolBytesVariable)) {
    char* end = nullptr;
    const uint64_t bytes = strtoull(text, &end, 10);
    if (end != text && bytes > 0) config.pool_bytes = bytes < kMaxPoolBytes ? bytes : kMaxPoolBytes;
  }
  return config;
}

}  // namespace reheap::recorder

#endif  // REHEAP_TRACES_RECORDER_RECORDER_CONFIG_H_
