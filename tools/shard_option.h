// ShardOption: which share of a study this process takes, said by hand or by an engine that shares out work.
//
//   --shard 3/8                     the fourth of eight
//   --shard auto   Slurm            SLURM_ARRAY_TASK_ID, _MIN, _STEP, _COUNT of a job array
//                  Bazel            TEST_SHARD_INDEX, TEST_TOTAL_SHARDS; TEST_SHARD_STATUS_FILE is touched
//                  neither          everything
//
// Function of its arguments and of that one file. Threads: one.
#ifndef REHEAP_TOOLS_SHARD_OPTION_H_
#define REHEAP_TOOLS_SHARD_OPTION_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "sim/studies/study_report.h"

namespace reheap {

// The value of a variable; null when it is not set.
using Environment = std::function<const char*(const char* name)>;

// InvalidArgument names the word or the variable that is wrong.
absl::StatusOr<Shard> ParseShard(const std::string& text, const Environment& environment);

}  // namespace reheap

#endif  // REHEAP_TOOLS_SHARD_OPTION_H_
