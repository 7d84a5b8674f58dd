#include "tools/shard_option.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace reheap {
namespace {

absl::StatusOr<uint32_t> NumberIn(const Environment& environment, const char* name) {
  const char* text = environment(name);
  uint32_t number = 0;
  if (text != nullptr && absl::SimpleAtoi(text, &number)) return number;
  return absl::InvalidArgumentError(
      absl::StrCat("--shard auto: ", name, " is ", text == nullptr ? "not set" : absl::StrCat("'", text, "', no number")));
}

absl::StatusOr<Shard> Checked(uint32_t index, uint32_t count, absl::string_view who) {
  if (count > 0 && index < count) return Shard{index, count};
  return absl::InvalidArgumentError(
      absl::StrCat(who, ": shard ", index, " of ", count, "; shards are numbered from 0, below their count"));
}

absl::StatusOr<Shard> FromBazel(const Environment& environment) {
  const absl::StatusOr<uint32_t> index = NumberIn(environment, "TEST_SHARD_INDEX");
  if (!index.ok()) return index.status();
  const absl::StatusOr<uint32_t> count = NumberIn(environment, "TEST_TOTAL_SHARDS");
  if (!count.ok()) return count.status();
  // How a test tells Bazel that it knows of shards.
  if (const char* path = environment("TEST_SHARD_STATUS_FILE"); path != nullptr && *path != '\0') {
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return absl::InvalidArgumentError(absl::StrCat("TEST_SHARD_STATUS_FILE ", path, ": ", std::strerror(errno)));
    close(fd);
  }
  return Checked(*index, *count, "TEST_SHARD_INDEX");
}

// Array indices may start anywhere and go in steps: --array=1-15:2 has 8 tasks.
absl::StatusOr<Shard> FromSlurm(const Environment& environment) {
  const absl::StatusOr<uint32_t> id = NumberIn(environment, "SLURM_ARRAY_TASK_ID");
  if (!id.ok()) return id.status();
  const absl::StatusOr<uint32_t> count = NumberIn(environment, "SLURM_ARRAY_TASK_COUNT");
  if (!count.ok()) return count.status();
  const absl::StatusOr<uint32_t> first = NumberIn(environment, "SLURM_ARRAY_TASK_MIN");
  if (!first.ok()) return first.status();
  uint32_t step = 1;
  if (environment("SLURM_ARRAY_TASK_STEP") != nullptr) {
    const absl::StatusOr<uint32_t> said = NumberIn(environment, "SLURM_ARRAY_TASK_STEP");
    if (!said.ok()) return said.status();
    step = *said;
  }
  if (step == 0 || *id < *first || (*id - *first) % step != 0) {
    return absl::InvalidArgumentError(absl::StrCat("--shard auto: SLURM_ARRAY_TASK_ID ", *id, " is not one of ", *first,
                                                   ", ", *first + step, ", ...: say --shard I/N by hand"));
  }
  return Checked((*id - *first) / step, *count, "SLURM_ARRAY_TASK_ID");
}

}  // namespace

absl::StatusOr<Shard> ParseShard(const std::string& text, const Environment& environment) {
  if (text.empty()) return Shard{};
  if (text == "auto") {
    const bool bazel = environment("TEST_TOTAL_SHARDS") != nullptr;
    const bool slurm = environment("SLURM_ARRAY_TASK_ID") != nullptr;
    if (bazel && slurm) {
      return absl::InvalidArgumentError(
          "--shard auto: TEST_TOTAL_SHARDS and SLURM_ARRAY_TASK_ID are both set; say --shard I/N by hand");
    }
    if (bazel) return FromBazel(environment);
    return slurm ? FromSlurm(environment) : Shard{};
  }
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  Shard shard;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &shard.index) || !absl::SimpleAtoi(parts[1], &shard.count)) {
    return absl::InvalidArgumentError(absl::StrCat("--shard: '", text, "' is not I/N, like 0/4, or auto"));
  }
  return Checked(shard.index, shard.count, "--shard");
}

}  // namespace reheap
