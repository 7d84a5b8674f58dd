// History run: one program of history in a process of the model. Test-only.
//
// The program is "hello, world" (one small object), the same with threads, or one that allocates blocks,
// of 64 KiB, until it gets none. Its image is a golden maps file, or a named one with as much of libraries as the
// original had.
//
// Threads: one.
#ifndef REHEAP_TESTS_STORY_HISTORY_HISTORY_RUN_H_
#define REHEAP_TESTS_STORY_HISTORY_HISTORY_RUN_H_

#include <cstdint>
#include <optional>
#include <string>

#include "proto/report.pb.h"
#include "sim/replay/replay_request.h"

namespace reheap {

struct HistoryProgram {
  std::string strategy;
  std::string platform = "linux-amd64";
  std::string image;  // "static", "dynamic", "platform" or the name of a file in tests/golden/images
  uint64_t libraries_bytes = 0;  // mapped beside it, not writable
  uint64_t data_bytes = 0;       // mapped beside it, writable
  uint32_t threads = 1;          // each allocates once
  uint32_t blocks = 0;           // 0 = hello, world
  uint64_t block_bytes = 64 * kKiB;
};

// A request for one virtual row of it, without limits. The trace is written once.
ReplayRequest RequestFor(const HistoryProgram& program);

// Its row. Errors fail the test.
proto::Run RunHistory(const ReplayRequest& request);

bool Lives(const proto::Run& run);

// The smallest limit, in bytes, under which it starts and ends, to `resolution` bytes: all limits up to it
// are refused at the places tried. `of_data`: RLIMIT_DATA, else RLIMIT_AS. Nullopt: not even under 2 % more
// than what it has without a limit.
std::optional<uint64_t> SmallestLimit(ReplayRequest request, bool of_data, uint64_t resolution);

}  // namespace reheap

#endif  // REHEAP_TESTS_STORY_HISTORY_HISTORY_RUN_H_
