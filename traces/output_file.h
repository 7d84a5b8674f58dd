// OutputFile: a file that appears under its name whole or not at all.
//
// Writes to `path`.PID-N.partial beside it, which Commit() renames into place and the destructor otherwise
// removes. A `path` that exists and is no regular file (a pipe, /dev/null) is written directly: a rename
// would replace the device. Ownership: owns the descriptor and the temporary. Threads: one at a time.
#ifndef REHEAP_TRACES_OUTPUT_FILE_H_
#define REHEAP_TRACES_OUTPUT_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace reheap {

class OutputFile {
 public:
  static absl::StatusOr<std::unique_ptr<OutputFile>> Create(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  absl::Status Write(std::string_view bytes);
  absl::Status Commit();

  uint64_t bytes_written() const { return bytes_written_; }
  const std::string& path() const { return path_; }

 private:
  OutputFile(std::string path, std::string temporary, int fd);

  const std::string path_;
  std::string temporary_;  // empty = written directly, or renamed already
  int fd_;
  uint64_t bytes_written_ = 0;
};

}  // namespace reheap

#endif  // REHEAP_TRACES_OUTPUT_FILE_H_
