#include "tools/progress.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "sim/report/human_units.h"

namespace reheap {

namespace {

constexpr std::chrono::nanoseconds kBetweenBars = std::chrono::milliseconds(100);
constexpr std::chrono::nanoseconds kBetweenLines = std::chrono::seconds(10);
constexpr int kBarCharacters = 24;

// "41 % (12,345,678 of 30,000,000), 8,123,456 per s, 2.2 s left"
std::string Describe(uint64_t done, uint64_t total, std::chrono::nanoseconds elapsed) {
  const double seconds = static_cast<double>(elapsed.count()) / 1e9;
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  std::string text =
      absl::StrFormat("%3.0f %% (%s of %s)", 100.0 * static_cast<double>(done) / static_cast<double>(total),
                      FormatCount(done), FormatCount(total));
  if (rate > 0) {
    const double left_ns = static_cast<double>(total - done) / rate * 1e9;
    absl::StrAppendFormat(&text, ", %s per s, %s left", FormatCount(static_cast<uint64_t>(rate)),
                          FormatNanoseconds(static_cast<uint64_t>(left_ns)));
  }
  return text;
}

}  // namespace

ProgressBar::ProgressBar(std::ostream& stream, bool is_terminal, bool quiet, Clock clock)
    : stream_(stream),
      is_terminal_(is_terminal),
      quiet_(quiet),
      clock_(std::move(clock)),
      start_(clock_()),
      last_shown_(start_) {}

ProgressBar::~ProgressBar() {
  if (bar_shown_) stream_ << "\r\033[K" << std::flush;
}

ProgressBar::Clock ProgressBar::SteadyClock() {
  return [] { return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()); };
}

void ProgressBar::Progress(const std::string& doing, uint64_t done, uint64_t total) {
  if (quiet_ || total == 0) return;
  const std::chrono::nanoseconds now = clock_();
  if (now - last_shown_ < (is_terminal_ ? kBetweenBars : kBetweenLines)) return;
  last_shown_ = now;
  done = std::min(done, total);
  const std::string text = Describe(done, total, now - start_);
  if (!is_terminal_) {
    stream_ << doing << ": " << text << std::endl;
    return;
  }
  const int filled =
      static_cast<int>(static_cast<double>(done) / static_cast<double>(total) * kBarCharacters);
  stream_ << "\r\033[K[" << std::string(static_cast<size_t>(filled), '#')
          << std::string(static_cast<size_t>(kBarCharacters - filled), '.') << "] " << text << "  " << doing
          << std::flush;
  bar_shown_ = true;
}

}  // namespace reheap
