// ProgressBar: how far a long job is, on stderr.
//
// A bar with rate and time left when a terminal is watching, a line every 10 s when not, nothing when quiet.
//
// Ownership: the stream outlives it. Threads: one. Cost: a clock read per call; callers report per batch.
#ifndef REHEAP_TOOLS_PROGRESS_H_
#define REHEAP_TOOLS_PROGRESS_H_

#include <chrono>
#include <functional>
#include <ostream>
#include <string>

#include "sim/replay/replay_request.h"

namespace reheap {

class ProgressBar final : public ProgressSink {
 public:
  using Clock = std::function<std::chrono::nanoseconds()>;

  // `clock` counts from anywhere and never goes back.
  ProgressBar(std::ostream& stream, bool is_terminal, bool quiet, Clock clock = SteadyClock());
  // Removes an unfinished bar, so that what follows starts on a clean line.
  ~ProgressBar() override;
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void Progress(const std::string& doing, uint64_t done, uint64_t total) override;

 private:
  static Clock SteadyClock();

  std::ostream& stream_;
  const bool is_terminal_;
  const bool quiet_;
  const Clock clock_;
  const std::chrono::nanoseconds start_;
  std::chrono::nanoseconds last_shown_;
  bool bar_shown_ = false;
};

}  // namespace reheap

#endif  // REHEAP_TOOLS_PROGRESS_H_
