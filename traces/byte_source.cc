#include "traces/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace reheap {
namespace {

class FileSource final : public ByteSource {
 public:
  FileSource(std::string name, uint64_t size, int fd) : ByteSource(std::move(name), size), fd_(fd) {}
  ~FileSource() override { close(fd_); }

 private:
  absl::Status DoRead(uint64_t offset, size_t bytes, char* out) const override {
    while (bytes != 0) {
      const ssize_t got = pread(fd_, out, bytes, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return absl::ErrnoToStatus(errno, absl::StrFormat("%s: offset %d: read", name(), offset));
      if (got == 0) {
        return absl::OutOfRangeError(
            absl::StrFormat("%s: offset %d: the file became shorter", name(), offset));
      }
      out += got;
      offset += static_cast<uint64_t>(got);
      bytes -= static_cast<size_t>(got);
    }
    return absl::OkStatus();
  }

  const int fd_;
};

class MemorySource final : public ByteSource {
 public:
  MemorySource(std::string name, std::string_view bytes)
      : ByteSource(std::move(name), bytes.size()), bytes_(bytes) {}

 private:
  absl::Status DoRead(uint64_t offset, size_t bytes, char* out) const override {
    std::memcpy(out, bytes_.data() + offset, bytes);
    return absl::OkStatus();
  }

  const std::string_view bytes_;
};

}  // namespace

absl::Status ByteSource::Read(uint64_t offset, size_t bytes, std::string* out) const {
  if (offset > size_ || bytes > size_ - offset) {
    return absl::OutOfRangeError(absl::StrFormat("%s: offset %d: expected %d bytes, the file has %d in all",
                                                 name_, offset, bytes, size_));
  }
  out->resize(bytes);
  if (bytes == 0) return absl::OkStatus();
  return DoRead(offset, bytes, out->data());
}

absl::StatusOr<std::unique_ptr<ByteSource>> OpenFileByteSource(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": open"));
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": offset 0: not a regular file; a trace is read from both ends"));
  }
  return std::make_unique<FileSource>(path, static_cast<uint64_t>(info.st_size), fd);
}

std::unique_ptr<ByteSource> MemoryByteSource(std::string_view bytes, std::string name) {
  return std::make_unique<MemorySource>(std::move(name), bytes);
}

}  // namespace reheap
