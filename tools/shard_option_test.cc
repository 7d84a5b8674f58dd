#include "tools/shard_option.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <map>

namespace reheap {
namespace {

using testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

absl::StatusOr<Shard> Parse(const std::string& text, const Variables& variables = {}) {
  return ParseShard(text, [&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

std::string Fault(const std::string& text, const Variables& variables = {}) {
  return std::string(Parse(text, variables).status().message());
}

void ExpectShard(const absl::StatusOr<Shard>& shard, uint32_t index, uint32_t count) {
  ASSERT_TRUE(shard.ok()) << shard.status();
  EXPECT_EQ(shard->index, index);
  EXPECT_EQ(shard->count, count);
}

TEST(ShardOptionTest, ByHand) {
  ExpectShard(Parse(""), 0, 1);
  ExpectShard(Parse("0/1"), 0, 1);
  ExpectShard(Parse("7/8"), 7, 8);
  EXPECT_THAT(Fault("8/8"), HasSubstr("--shard: shard 8 of 8; shards are numbered from 0"));
  EXPECT_THAT(Fault("1"), HasSubstr("'1' is not I/N, like 0/4, or auto"));
  EXPECT_THAT(Fault("1/2/3"), HasSubstr("is not I/N"));
  EXPECT_THAT(Fault("-1/2"), HasSubstr("is not I/N"));
  EXPECT_THAT(Fault("0/0"), HasSubstr("shard 0 of 0"));
}

TEST(ShardOptionTest, Slurm) {
  ExpectShard(Parse("auto"), 0, 1);
  const Variables task = {{"SLURM_ARRAY_TASK_ID", "7"}, {"SLURM_ARRAY_TASK_MIN", "1"}, {"SLURM_ARRAY_TASK_COUNT", "8"}};
  ExpectShard(Parse("auto", task), 6, 8);
  Variables steps = task;
  steps["SLURM_ARRAY_TASK_STEP"] = "2";
  ExpectShard(Parse("auto", steps), 3, 8);
  steps["SLURM_ARRAY_TASK_ID"] = "8";
  EXPECT_THAT(Fault("auto", steps), HasSubstr("SLURM_ARRAY_TASK_ID 8 is not one of 1, 3, ..."));
  EXPECT_THAT(Fault("auto", {{"SLURM_ARRAY_TASK_ID", "7"}}), HasSubstr("SLURM_ARRAY_TASK_COUNT is not set"));
  // A hole in the array: Slurm's count is then not what the indices say.
  EXPECT_THAT(Fault("auto", {{"SLURM_ARRAY_TASK_ID", "7"}, {"SLURM_ARRAY_TASK_MIN", "0"}, {"SLURM_ARRAY_TASK_COUNT", "2"}}),
              HasSubstr("shard 7 of 2"));
  EXPECT_THAT(Fault("auto", {{"SLURM_ARRAY_TASK_ID", "x"}}), HasSubstr("SLURM_ARRAY_TASK_ID is 'x', no number"));
}

TEST(ShardOptionTest, Bazel) {
  const std::string status = testing::TempDir() + "/shard_status";
  unlink(status.c_str());
  const Variables test = {{"TEST_SHARD_INDEX", "2"}, {"TEST_TOTAL_SHARDS", "3"}, {"TEST_SHARD_STATUS_FILE", status}};
  ExpectShard(Parse("auto", test), 2, 3);
  EXPECT_EQ(access(status.c_str(), F_OK), 0);
  EXPECT_THAT(Fault("auto", {{"TEST_TOTAL_SHARDS", "3"}}), HasSubstr("TEST_SHARD_INDEX is not set"));
  Variables both = test;
  both["SLURM_ARRAY_TASK_ID"] = "0";
  EXPECT_THAT(Fault("auto", both), HasSubstr("TEST_TOTAL_SHARDS and SLURM_ARRAY_TASK_ID are both set"));
  // Said by hand, the variables do not matter.
  ExpectShard(Parse("1/2", both), 1, 2);
}

}  // namespace
}  // namespace reheap
