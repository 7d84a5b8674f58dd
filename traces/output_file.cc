#include "traces/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"

namespace reheap {

OutputFile::OutputFile(std::string path, std::string temporary, int fd)
    : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd) {}

OutputFile::~OutputFile() {
  if (fd_ >= 0) close(fd_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

absl::StatusOr<std::unique_ptr<OutputFile>> OutputFile::Create(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": open"));
    return std::unique_ptr<OutputFile>(new OutputFile(path, "", fd));
  }
  // A number is taken when this process writes the path twice at once, or a killed process had our id.
  for (int number = 0;; ++number) {
    std::string temporary = absl::StrCat(path, ".", getpid(), "-", number, ".partial");
    const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0) return std::unique_ptr<OutputFile>(new OutputFile(path, std::move(temporary), fd));
    if (errno != EEXIST) return absl::ErrnoToStatus(errno, absl::StrCat(temporary, ": create"));
  }
}

absl::Status OutputFile::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat(temporary_.empty() ? path_ : temporary_, ": offset ",
                                                     bytes_written_, ": write"));
    }
    bytes.remove_prefix(static_cast<size_t>(written));
    bytes_written_ += static_cast<uint64_t>(written);
  }
  return absl::OkStatus();
}

absl::Status OutputFile::Commit() {
  const int fd = std::exchange(fd_, -1);
  // Some file systems report a failed write only here.
  if (close(fd) != 0) return absl::ErrnoToStatus(errno, absl::StrCat(path_, ": close"));
  if (!temporary_.empty()) {
    if (rename(temporary_.c_str(), path_.c_str()) != 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat(temporary_, ": rename to ", path_));
    }
    temporary_.clear();
  }
  return absl::OkStatus();
}

}  // namespace reheap
