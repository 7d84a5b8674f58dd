#include "sim/studies/cell_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "alloc/check.h"
#include "traces/crc32c.h"

namespace reheap {
namespace {

constexpr size_t kHeadBytes = 8;

std::string RecordOf(const proto::Report& report) {
  const std::string payload = report.SerializeAsString();
  std::string record(kHeadBytes, '\0');
  for (size_t i = 0; i < 4; ++i) record[i] = static_cast<char>(payload.size() >> 8 * i);
  const uint32_t sum = Crc32c(payload);
  for (size_t i = 0; i < 4; ++i) record[4 + i] = static_cast<char>(sum >> 8 * i);
  return record + payload;
}

uint32_t Number(const char* p) {
  uint32_t number = 0;
  for (size_t i = 0; i < 4; ++i) number |= uint32_t{static_cast<unsigned char>(p[i])} << 8 * i;
  return number;
}

// The record at `offset`; false at the end or at a torn one.
bool ReadRecord(int fd, uint64_t offset, uint64_t file_bytes, proto::Report* report, uint64_t* next) {
  char head[kHeadBytes];
  if (pread(fd, head, kHeadBytes, static_cast<off_t>(offset)) != static_cast<ssize_t>(kHeadBytes)) return false;
  const uint64_t bytes = Number(head);
  if (bytes > file_bytes - offset - kHeadBytes) return false;
  std::string payload(bytes, '\0');
  const ssize_t got = pread(fd, payload.data(), bytes, static_cast<off_t>(offset + kHeadBytes));
  if (got != static_cast<ssize_t>(bytes) || Crc32c(payload) != Number(head + 4)) return false;
  *next = offset + kHeadBytes + bytes;
  return report->ParseFromString(payload);
}

}  // namespace

uint64_t CellOf(const proto::Report& answer) {
  if (answer.runs_size() > 0) return answer.runs(0).cell();
  if (answer.limit_searches_size() > 0) return answer.limit_searches(0).cell();
  if (answer.usable_heaps_size() > 0) return answer.usable_heaps(0).cell();
  if (answer.failure_times_size() > 0) return answer.failure_times(0).cell();
  REHEAP_CHECK(answer.sensitivities_size() > 0);
  return answer.sensitivities(0).cell();
}

absl::StatusOr<std::unique_ptr<CellStore>> CellStore::Open(const std::string& path, const proto::Report& part,
                                                           bool resume) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0) return absl::UnavailableError(absl::StrCat(path, ": cannot open it: ", std::strerror(errno)));
  std::unique_ptr<CellStore> store(new CellStore(path, fd));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": another process is writing it"));
  }
  struct stat file;
  if (fstat(fd, &file) != 0) return store->Failed("read");
  if (file.st_size > 0 && !resume) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": cells of an interrupted run; --resume goes on with it, or delete the file"));
  }
  if (absl::Status status = store->Read(part); !status.ok()) return status;
  return store;
}

CellStore::~CellStore() { close(fd_); }

absl::Status CellStore::Read(const proto::Report& part) {
  struct stat file;
  if (fstat(fd_, &file) != 0) return Failed("read");
  const auto bytes = static_cast<uint64_t>(file.st_size);
  uint64_t end = 0;
  proto::Report record;
  if (bytes > 0 && ReadRecord(fd_, 0, bytes, &record, &end)) {
    if (record.SerializeAsString() != part.SerializeAsString()) {
      return absl::FailedPreconditionError(
          absl::StrCat(path_, ": is of study ", record.study().name(), " ", record.study().digest(), ", shard ",
                       record.study().shard_index(), "/", record.study().shard_count(), ", by ", record.tool(),
                       "; this is study ", part.study().name(), " ", part.study().digest(), ", shard ",
                       part.study().shard_index(), "/", part.study().shard_count(), ", by ", part.tool()));
    }
    for (uint64_t next = end; record.Clear(), ReadRecord(fd_, end, bytes, &record, &next); end = next) {
      answers_[CellOf(record)] = record;
    }
  }
  if (ftruncate(fd_, static_cast<off_t>(end)) != 0) return Failed("cut off the torn end of");
  return end == 0 ? Append(part) : absl::OkStatus();
}

absl::Status CellStore::Add(uint64_t cell, const proto::Report& answer) {
  REHEAP_CHECK_EQ(CellOf(answer), cell);
  if (absl::Status status = Append(answer); !status.ok()) return status;
  answers_[cell] = answer;
  return absl::OkStatus();
}

absl::Status CellStore::Append(const proto::Report& report) {
  const std::string record = RecordOf(report);
  for (size_t written = 0; written < record.size();) {
    const ssize_t n = write(fd_, record.data() + written, record.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Failed("write");
    written += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

absl::Status CellStore::Failed(const char* doing) const {
  return absl::UnavailableError(absl::StrCat(path_, ": cannot ", doing, " it: ", std::strerror(errno)));
}

void CellStore::Remove() { unlink(path_.c_str()); }

}  // namespace reheap
