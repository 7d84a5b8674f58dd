// LineReader: the lines of an input, in a buffer that does not grow.
//
// A line longer than the buffer allows is answered as such and skipped; NUL bytes are bytes like others. The
// last line need not have an end.
//
// Ownership: its buffer; a line is good until the next call. Threads: one. Limits: memory is fixed.
#ifndef REHEAP_TOOLS_LINE_READER_H_
#define REHEAP_TOOLS_LINE_READER_H_

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

namespace reheap {

class LineReader {
 public:
  enum class Got { kLine, kTooLong, kEnd };

  // `read` as Terminal::read_input. `longest_bytes` = the longest line, without its end.
  LineReader(std::function<size_t(char* to, size_t bytes)> read, size_t longest_bytes);

  Got Next(std::string_view* line);
  // Whether Next answers without waiting for more input.
  bool HasLine() const;

 private:
  bool Fill();

  std::function<size_t(char* to, size_t bytes)> read_;
  const size_t longest_bytes_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;  // what of the buffer is unread
  bool ended_ = false;
};

}  // namespace reheap

#endif  // REHEAP_TOOLS_LINE_READER_H_
