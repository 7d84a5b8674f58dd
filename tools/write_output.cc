#include "tools/write_output.h"

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "traces/output_file.h"

namespace reheap {

namespace {

absl::Status Write(const std::string& path, absl::string_view contents) {
  absl::StatusOr<std::unique_ptr<OutputFile>> file = OutputFile::Create(path);
  if (!file.ok()) return file.status();
  const absl::Status written = (*file)->Write(std::string_view(contents.data(), contents.size()));
  return written.ok() ? (*file)->Commit() : written;
}

}  // namespace

absl::Status WriteOutput(const std::string& path, absl::string_view contents) {
  const absl::Status status = Write(path, contents);
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(path, ": cannot write it: ", status.message()));
}

}  // namespace reheap
