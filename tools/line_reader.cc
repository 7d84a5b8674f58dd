#include "tools/line_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace reheap {
namespace {

// Several lines at once, as a pipe delivers them.
constexpr size_t kBufferBytes = 64 * 1024;

}  // namespace

LineReader::LineReader(std::function<size_t(char* to, size_t bytes)> read, size_t longest_bytes)
    : read_(std::move(read)),
      longest_bytes_(longest_bytes),
      buffer_(std::max(kBufferBytes, 2 * (longest_bytes + 1))),
      ended_(read_ == nullptr) {}

// More input behind what is unread; false at the end. Preconditions: there is room once that has moved to the
// front.
bool LineReader::Fill() {
  if (ended_) return false;
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  const size_t got = read_(buffer_.data() + end_, buffer_.size() - end_);
  end_ += got;
  ended_ = got == 0;
  return !ended_;
}

bool LineReader::HasLine() const {
  return ended_ || std::memchr(buffer_.data() + begin_, '\n', end_ - begin_) != nullptr;
}

LineReader::Got LineReader::Next(std::string_view* line) {
  bool too_long = false;
  size_t searched = 0;
  for (;;) {
    const std::string_view unread(buffer_.data() + begin_, end_ - begin_);
    const size_t size = unread.find('\n', searched);
    if (size != std::string_view::npos) {
      *line = unread.substr(0, size);
      begin_ += size + 1;
      return too_long || size > longest_bytes_ ? Got::kTooLong : Got::kLine;
    }
    searched = unread.size();
    if (unread.size() > longest_bytes_) {
      too_long = true;
      begin_ = end_;
      searched = 0;
    }
    if (Fill()) continue;
    // The end, perhaps of a line.
    *line = std::string_view(buffer_.data() + begin_, end_ - begin_);
    begin_ = end_;
    if (too_long) return Got::kTooLong;
    return line->empty() ? Got::kEnd : Got::kLine;
  }
}

}  // namespace reheap
