// RecordPool and ChunkStream: where records come from and what is in them.
#include "alloc/record_pool.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "alloc/scripted_os.h"

namespace reheap {
namespace {

class RecordPoolTest : public testing::Test {
 protected:
  RecordPoolTest() : chunks_(os_, 128 * kKiB, Access::kReadWrite) {
    small_.Init(memory_, chunks_, 64);
    large_.Init(memory_, chunks_, 4096);
  }
  ~RecordPoolTest() override {
    small_.CheckInvariants();
    large_.CheckInvariants();
  }

  ScriptedOs os_;
  DirectMemory memory_;
  ChunkStream chunks_;
  RecordPool<DirectMemory> small_;
  RecordPool<DirectMemory> large_;
};

TEST_F(RecordPoolTest, AChunkHoldsAsManyRecordsAsFit) {
  ASSERT_TRUE(chunks_.Start().ok());
  EXPECT_EQ(chunks_.mapped_bytes(), 128 * kKiB);
  std::set<Addr> records;
  for (int n = 0; n < 2048; ++n) records.insert(small_.Allocate().value());
  EXPECT_EQ(records.size(), 2048);
  EXPECT_EQ(os_.calls(OsOperation::kMapReady), 1) << "2,048 x 64 B = 128 KiB";
  ASSERT_TRUE(small_.Allocate().ok());
  EXPECT_EQ(os_.calls(OsOperation::kMapReady), 2);
  EXPECT_EQ(small_.live_bytes(), 2049 * 64);
}

TEST_F(RecordPoolTest, RecordsAreAlignedToTheirSize) {
  for (int n = 0; n < 10; ++n) {
    EXPECT_EQ(small_.Allocate().value().value() % 64, 0);
    EXPECT_EQ(large_.Allocate().value().value() % 4096, 0);
  }
}

TEST_F(RecordPoolTest, AFreedRecordIsTheNextAndZero) {
  const Addr first = small_.Allocate().value();
  const Addr second = small_.Allocate().value();
  small_.Free(first);
  small_.Free(second);
  EXPECT_EQ(small_.live_records(), 0);
  EXPECT_EQ(small_.Allocate().value(), second);
  EXPECT_EQ(small_.Allocate().value(), first);
  for (uint64_t n = 0; n < 64; n += 8) {
    EXPECT_EQ(memory_.Read<uint64_t>(first + n), 0) << n;
    EXPECT_EQ(memory_.Read<uint64_t>(second + n), 0) << n << ": the link to the first";
  }
}

TEST_F(RecordPoolTest, OnePoolsMemoryNeverBecomesAnothers) {
  std::vector<Addr> freed;
  for (int n = 0; n < 64; ++n) freed.push_back(small_.Allocate().value());
  for (Addr record : freed) small_.Free(record);
  const AddrRange page{large_.Allocate().value(), 4096};
  for (Addr record : freed) EXPECT_FALSE(page.Contains(record));
}

TEST_F(RecordPoolTest, ARecordLargerThanAChunkGetsItsOwn) {
  RecordPool<DirectMemory> huge;
  huge.Init(memory_, chunks_, 512 * kKiB);
  ASSERT_TRUE(huge.Allocate().ok());
  EXPECT_EQ(chunks_.mapped_bytes(), 512 * kKiB);
}

TEST_F(RecordPoolTest, AChunkBesideTheLastContinuesIt) {
  os_.PlaceLow();
  RecordPool<DirectMemory> halves;
  halves.Init(memory_, chunks_, 64 * kKiB);
  ASSERT_TRUE(large_.Allocate().ok());
  const Addr first = halves.Allocate().value();
  EXPECT_EQ(halves.Allocate().value(), first + 64 * kKiB) << "60 KiB of the first chunk, 4 KiB of the next";
  EXPECT_EQ(os_.calls(OsOperation::kMapReady), 2);
}

TEST_F(RecordPoolTest, EnsureMakesTheNextCallsSafe) {
  ASSERT_TRUE(small_.Ensure(3).ok());
  os_.RefuseAfter(0);
  for (int n = 0; n < 3; ++n) EXPECT_TRUE(small_.Allocate().ok());
  while (os_.calls(OsOperation::kMapReady) == 1) {
    const OsResult<Addr> record = small_.Allocate();
    EXPECT_TRUE(record.ok() || record.refusal().rule == Rule::kAddressLimit);
  }
  EXPECT_TRUE(small_.Allocate().ok()) << "the next chunk is not refused";
}

}  // namespace
}  // namespace reheap
