#include "tools/write_output.h"

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "traces/output_file.h"

namespace reheap {

absl::Status WriteOutput(const std::string& path, absl::string_view contents) {
  absl::StatusOr<std::unique_ptr<OutputFile>> file = OutputFile::Create(path);
  if (!file.ok()) return file.status();
  const absl::Status written = (*file)->Write(std::string_view(contents.data(), contents.size()));
  return written.ok() ? (*file)->Commit() : written;
}

}  // namespace reheap
