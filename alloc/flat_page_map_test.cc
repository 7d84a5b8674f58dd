#include "alloc/flat_page_map.h"

#include "alloc/flat_index_page_map.h"
#include "alloc/scripted_os.h"
#include "gtest/gtest.h"

namespace reheap {
namespace {

constexpr Addr kHeap(0xf840000000);  // where the 2011 arena started
constexpr uint32_t kShift = 12;

ReservationStrategy Strategy2011() {
  ReservationStrategy strategy;
  strategy.page_map_place = TablePlace::kImageBss;
  return strategy;
}

template <class Map>
class FlatPageMapTest : public testing::Test {
 protected:
  PageMapSetup MapSetup(uint64_t heap_bytes) {
    return {.os = &os_, .strategy = &strategy_, .heap_range = {kHeap, heap_bytes}, .table = {}};
  }
  static constexpr uint64_t kEntryBytes = Map::kKind == PageMapKind::kFlat ? 8 : 4;

  ScriptedOs os_;
  ReservationStrategy strategy_ = Strategy2011();
  DirectMemory memory_;
  Map map_{memory_};
  const PageId first_ = PageId::Containing(kHeap, kShift);
};
using Maps = testing::Types<FlatPageMap<DirectMemory>, FlatIndexPageMap<DirectMemory>>;
TYPED_TEST_SUITE(FlatPageMapTest, Maps);

TYPED_TEST(FlatPageMapTest, SixteenGibibytesOfHeapNeedTheTableOfTheMail) {
  ASSERT_TRUE(this->map_.Init(this->MapSetup(16 * kGiB)).ok());
  EXPECT_EQ(this->map_.Cost().reserved_bytes, (uint64_t{1} << 22) * this->kEntryBytes);
  EXPECT_EQ(this->map_.Cost().reserved_bytes, this->os_.mapped_bytes());
  EXPECT_EQ(this->map_.Cost().resident_bytes, 0);
  EXPECT_EQ(this->map_.Cost().loads_per_lookup, 1);
}

TYPED_TEST(FlatPageMapTest, AnswersZeroEverywhereButWhereSet) {
  ASSERT_TRUE(this->map_.Init(this->MapSetup(kGiB)).ok());
  ASSERT_TRUE(this->map_.Prepare(this->first_ + PageCount(5), PageCount(3)).ok());
  this->map_.Set(this->first_ + PageCount(5), PageCount(3), SpanRef(0x7f0000001000));
  for (uint64_t i = 0; i < 16; ++i) {
    EXPECT_EQ(this->map_.Get(this->first_ + PageCount(i)), SpanRef(i >= 5 && i < 8 ? 0x7f0000001000 : 0))
        << i;
  }
  const PageCount pages(kGiB >> kShift);
  EXPECT_EQ(this->map_.Get(this->first_ - PageCount(1)), SpanRef());
  EXPECT_EQ(this->map_.Get(this->first_ + pages), SpanRef());
  EXPECT_EQ(this->map_.Get(PageId(0)), SpanRef());
  EXPECT_EQ(this->map_.Get(PageId(~uint64_t{0})), SpanRef());
  this->map_.CheckInvariants();
}

TYPED_TEST(FlatPageMapTest, ResidentBytesAreThePagesThatTheKernelHolds) {
  ASSERT_TRUE(this->map_.Init(this->MapSetup(16 * kGiB)).ok());
  // Three far-apart runs; the second crosses an OS page of the table.
  const uint64_t entries_per_os_page = 4096 / this->kEntryBytes;
  this->map_.Set(this->first_, PageCount(1), SpanRef(0x1000));
  this->map_.Set(this->first_ + PageCount(100 * entries_per_os_page - 2), PageCount(5), SpanRef(0x2000));
  this->map_.Set(this->first_ + PageCount((16 * kGiB >> kShift) - 1), PageCount(1), SpanRef(0x3000));
  EXPECT_EQ(this->map_.Cost().resident_bytes, 4 * 4096);
  EXPECT_EQ(this->os_.CountResidentPages(), 4);
  // Cleared entries stay resident, and clearing what was never set touches nothing.
  this->map_.Set(this->first_, PageCount(16 * kGiB >> kShift), SpanRef());
  EXPECT_EQ(this->map_.Cost().resident_bytes, 4 * 4096);
  EXPECT_EQ(this->os_.CountResidentPages(), 4);
  EXPECT_EQ(this->map_.ResidentBytesSlow(), 0);
  this->map_.CheckInvariants();
}

TYPED_TEST(FlatPageMapTest, TakesTheTableFromTheImageWhenTheStrategySaysSo) {
  ScriptedOs image;
  const AddrRange bss = image.MapReady(8 * kMiB, Access::kReadWrite).value();
  this->os_.set_image_bss(bss);
  ASSERT_TRUE(this->map_.Init(this->MapSetup(kGiB)).ok());
  EXPECT_EQ(this->os_.mapped_bytes(), 0);
  this->map_.Set(this->first_, PageCount(1), SpanRef(0x40));
  EXPECT_EQ(image.CountResidentPages(), 1);
}

TYPED_TEST(FlatPageMapTest, PassesTheRefusalOn) {
  this->os_.RefuseAfter(0);
  const OsResult<Done> result = this->map_.Init(this->MapSetup(16 * kGiB));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.refusal().rule, Rule::kAddressLimit);
  EXPECT_EQ(result.refusal().asked_bytes, (uint64_t{1} << 22) * this->kEntryBytes);
}

// Go 1.2: the table is part of the reservation and becomes usable an OS page at a time.
TYPED_TEST(FlatPageMapTest, MakesAReservedTableReadyAsPrepareNeedsIt) {
  PageMapSetup setup = this->MapSetup(kGiB);
  setup.table = this->os_.Reserve(8 * kMiB, Addr()).value();
  setup.table_held = Firmness::kReserve;
  ASSERT_TRUE(this->map_.Init(setup).ok());
  // Nothing is Ready yet; a lookup must not fault.
  EXPECT_EQ(this->map_.Get(this->first_), SpanRef());
  const uint64_t entries_per_os_page = 4096 / this->kEntryBytes;
  ASSERT_TRUE(this->map_.Prepare(this->first_, PageCount(1)).ok());
  ASSERT_TRUE(this->map_.Prepare(this->first_, PageCount(entries_per_os_page)).ok());
  EXPECT_EQ(this->os_.calls(OsOperation::kCommit), 1);
  this->map_.Set(this->first_, PageCount(entries_per_os_page), SpanRef(0x80));
  EXPECT_EQ(this->map_.Get(this->first_ + PageCount(entries_per_os_page)), SpanRef());
  this->os_.RefuseAfter(0);
  EXPECT_FALSE(this->map_.Prepare(this->first_ + PageCount(entries_per_os_page), PageCount(1)).ok());
  EXPECT_EQ(this->map_.Get(this->first_ + PageCount(entries_per_os_page)), SpanRef());
  ASSERT_TRUE(this->map_.Prepare(this->first_, PageCount(kGiB >> kShift)).ok());
  this->map_.Set(this->first_ + PageCount((kGiB >> kShift) - 1), PageCount(1), SpanRef(0xc0));
  EXPECT_EQ(this->map_.Get(this->first_), SpanRef(0x80));
  EXPECT_EQ(this->map_.Get(this->first_ + PageCount((kGiB >> kShift) - 1)), SpanRef(0xc0));
  this->map_.CheckInvariants();
}

TYPED_TEST(FlatPageMapTest, MapsAPretendedTableExactlyThereAndReportsASquatter) {
  PageMapSetup setup = this->MapSetup(kGiB);
  const AddrRange free = this->os_.Reserve(8 * kMiB, Addr()).value();
  ASSERT_TRUE(this->os_.Release(free).ok());  // now nobody's, and likely to stay so
  setup.table = free;
  setup.table_held = Firmness::kPretend;
  ASSERT_TRUE(this->map_.Init(setup).ok());
  ASSERT_TRUE(this->map_.Prepare(this->first_, PageCount(1)).ok());
  this->map_.Set(this->first_, PageCount(1), SpanRef(0x40));
  EXPECT_EQ(this->map_.Get(this->first_), SpanRef(0x40));
  const AddrRange squatter{free.start + 4096, 4096};
  ASSERT_TRUE(this->os_.MapReadyAt(squatter, Access::kReadWrite).ok());
  const OsResult<Done> result = this->map_.Prepare(this->first_, PageCount(4096));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.refusal().rule, Rule::kAddressTaken);
  EXPECT_EQ(result.refusal().wanted, squatter.start);
}

TEST(FlatPageMapDeathTest, APageOutsideTheHeapIsOurMistake) {
  ScriptedOs os;
  const ReservationStrategy strategy = Strategy2011();
  DirectMemory memory;
  FlatPageMap<DirectMemory> map(memory);
  ASSERT_TRUE(map.Init({.os = &os, .strategy = &strategy, .heap_range = {kHeap, kMiB}, .table = {}}).ok());
  EXPECT_DEATH((void)map.Prepare(PageId::Containing(kHeap + kMiB, kShift), PageCount(1)), "CHECK failed");
  EXPECT_DEATH(map.Set(PageId(1), PageCount(1), SpanRef(64)), "CHECK failed");
  const PageId first = PageId::Containing(kHeap, kShift);
  EXPECT_DEATH(map.Set(first, PageCount(~uint64_t{0}), SpanRef(64)), "CHECK failed");
}

}  // namespace
}  // namespace reheap
