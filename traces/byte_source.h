// ByteSource: where a trace reader gets its bytes: a file, or memory (tests, fuzzing, a trace just received).
//
// ByteSource owns what it reads from, but for MemoryByteSource, whose bytes must outlive it. Threads: one at
// a time.
#ifndef REHEAP_TRACES_BYTE_SOURCE_H_
#define REHEAP_TRACES_BYTE_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace reheap {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Exactly `bytes` bytes at `offset`. OutOfRange when the source ends before, then `out` is untouched.
  absl::Status Read(uint64_t offset, size_t bytes, std::string* out) const;
  uint64_t size() const { return size_; }
  // Stands in messages.
  const std::string& name() const { return name_; }

 protected:
  ByteSource(std::string name, uint64_t size) : name_(std::move(name)), size_(size) {}

 private:
  // Preconditions: the range is inside the source.
  virtual absl::Status DoRead(uint64_t offset, size_t bytes, char* out) const = 0;

  const std::string name_;
  const uint64_t size_;
};

// Needs a regular file: a trace is read from both ends.
absl::StatusOr<std::unique_ptr<ByteSource>> OpenFileByteSource(const std::string& path);
std::unique_ptr<ByteSource> MemoryByteSource(std::string_view bytes, std::string name);

}  // namespace reheap

#endif  // REHEAP_TRACES_BYTE_SOURCE_H_
