// CellStore: answers on disk as they come, so that an interrupted study goes on where it was (row 11 of the walk).
//
// A file beside the result, "RESULT.partial". Each answer is appended as a record of its own,
//
//   length (4 bytes, little-endian)  CRC-32C of the payload (4 bytes)  payload: a serialized Report
//
// first the study's part, then cells in the order they were finished. A process that is killed loses at most the
// record that it was writing: a torn tail is cut off when the file is opened again.
//
// Ownership: owns the descriptor; the file stays until Remove(). Threads: one at a time. Limits: one process at a
// time (flock).
#ifndef REHEAP_SIM_STUDIES_CELL_STORE_H_
#define REHEAP_SIM_STUDIES_CELL_STORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/report.pb.h"

namespace reheap {

// Of the one entry of a cell's answer.
uint64_t CellOf(const proto::Report& answer);

class CellStore {
 public:
  // `part` has tool and study. With `resume` the answers of an earlier run are read; without, there may be none.
  // FailedPrecondition: a file of another study, of another process, or an unexpected one.
  static absl::StatusOr<std::unique_ptr<CellStore>> Open(const std::string& path, const proto::Report& part,
                                                         bool resume);
  ~CellStore();
  CellStore(const CellStore&) = delete;
  CellStore& operator=(const CellStore&) = delete;

  // By cell number.
  const std::map<uint64_t, proto::Report>& answers() const { return answers_; }
  std::map<uint64_t, proto::Report> TakeAnswers() { return std::move(answers_); }
  absl::Status Add(uint64_t cell, const proto::Report& answer);
  // Once the result stands whole.
  void Remove();

 private:
  CellStore(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  absl::Status Read(const proto::Report& part);
  absl::Status Append(const proto::Report& record);
  absl::Status Failed(const char* doing) const;

  const std::string path_;
  const int fd_;
  std::map<uint64_t, proto::Report> answers_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_STUDIES_CELL_STORE_H_
