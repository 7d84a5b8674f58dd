// ReportReader: saved results become a Report again (row 11 of the walk).
//
//   reheap replay T --save BASE     BASE.json    protobuf's JSON mapping
//   reheap study S --output R       R            binary protobuf
//
// Which of the two a file is, its first byte says: a brace opens JSON, and no Report in binary begins with
// one. Results come from elsewhere (a colleague, an artifact store): whatever the bytes, the answer is a
// Report or a Status that names file and offset. Fields of a newer reheap are skipped (proto/README.md, rule
// 2); a file that names no tool is no result.
//
// Pure functions but for reading the file: no ownership, any thread. Limits: kMaxReportBytes.
#ifndef REHEAP_SIM_REPORT_REPORT_READER_H_
#define REHEAP_SIM_REPORT_REPORT_READER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/report.pb.h"

namespace reheap {

// A study of 10,000 cells with their timelines is 250 MB in binary, 900 MB as JSON. Protobuf itself ends at
// 2 GiB.
inline constexpr uint64_t kMaxReportBytes = 1ull << 30;

// `name` is what messages call the bytes: a path.
absl::StatusOr<proto::Report> ParseReport(absl::string_view bytes, const std::string& name);

absl::StatusOr<proto::Report> ReadReport(const std::string& path);

}  // namespace reheap

#endif  // REHEAP_SIM_REPORT_REPORT_READER_H_
