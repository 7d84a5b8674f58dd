#include "traces/mapping_table.h"

#include <map>
#include <random>

#include "gtest/gtest.h"
#include "traces/trace_builder.h"

namespace reheap {
namespace {

constexpr uint32_t kReadWrite = 3, kPrivateAnonymous = 0x22;
constexpr uint64_t kPage = 4096;

// What is mapped, page by page: the slow way.
using Pages = std::map<uint64_t, uint32_t>;  // address -> protection

void Carry(const TraceEvent& event, Pages* pages) {
  const uint64_t end = event.address + (event.size + kPage - 1) / kPage * kPage;
  for (uint64_t page = event.address; page < end && event.kind != EventKind::kRemap; page += kPage) {
    if (event.kind == EventKind::kMap) (*pages)[page] = static_cast<uint32_t>(event.argument);
    if (event.kind == EventKind::kUnmap) pages->erase(page);
    if (event.kind == EventKind::kProtect && pages->count(page) != 0) {
      (*pages)[page] = static_cast<uint32_t>(event.argument);
    }
  }
}

Pages Image(const proto::TraceHeader& header) {
  Pages pages;
  for (const proto::Mapping& mapping : header.mappings()) {
    for (uint64_t page = mapping.start(); page < mapping.end(); page += kPage) pages[page] = 1;
  }
  return pages;
}

void AddImage(uint64_t start, uint64_t end, proto::TraceHeader* header) {
  proto::Mapping& mapping = *header->add_mappings();
  mapping.set_start(start);
  mapping.set_end(end);
  mapping.set_permissions("r--p");
}

Pages Remade(const proto::TraceHeader& header, const MappingTable& table) {
  Pages pages = Image(header);
  for (const MappingTable::Call& call : table.CallsToRemake()) Carry(call.event, &pages);
  return pages;
}

TEST(MappingTableTest, CallsAtRandomComeToTheSamePages) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 50; ++round) {
    proto::TraceHeader header;
    AddImage(16 * kPage, 24 * kPage, &header);
    AddImage(24 * kPage, 28 * kPage, &header);
    MappingTable table(header);
    Pages pages = Image(header);
    for (uint64_t number = 1; number < 60; ++number) {
      TraceEvent event;
      constexpr EventKind kKinds[] = {EventKind::kMap, EventKind::kUnmap, EventKind::kProtect};
      event.kind = kKinds[random() % 3];
      event.address = random() % 40 * kPage;
      event.size = 1 + random() % (8 * kPage);
      event.argument = event.kind == EventKind::kUnmap ? 0 : random() % 4;
      table.Take(event, number);
      Carry(event, &pages);
    }
    ASSERT_EQ(Remade(header, table), pages) << "round " << round;
  }
}

TEST(MappingTableTest, ARemapMovesItsPieceAndItsPlaceInTheOrder) {
  MappingTable table{proto::TraceHeader()};
  TraceBuilder builder;
  builder.Map(0x10000, 0x2000, kReadWrite, kPrivateAnonymous).Map(0x80000, 0x1000, 1, kPrivateAnonymous);
  TraceEvent remap;
  remap.kind = EventKind::kRemap;
  remap.address = 0x10000;
  remap.alignment = 0x2000;
  remap.argument = 0x90000;
  remap.size = 0x5000;
  builder.Event(remap);
  remap.address = 0x555000;  // nobody's
  builder.Event(remap);
  uint64_t number = 7;
  for (const TraceEvent& event : builder.events()) table.Take(event, number++);
  const std::vector<MappingTable::Call> calls = table.CallsToRemake();
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].number, 7u);
  EXPECT_EQ(calls[0].event.address, 0x90000u);
  EXPECT_EQ(calls[0].event.size, 0x5000u);
  EXPECT_EQ(calls[0].event.argument, kReadWrite | uint64_t{kPrivateAnonymous} << 32);
  EXPECT_EQ(calls[1].event.address, 0x80000u);
}

TEST(MappingTableTest, TheBreakIsOneCallWithAllItsSteps) {
  MappingTable table{proto::TraceHeader()};
  TraceBuilder builder;
  builder.Break(0x1000);  // from where is not known
  builder.Break(0x3000);
  TraceEvent known;
  known.kind = EventKind::kBreak;
  known.address = 0x2800;
  known.argument = ~uint64_t{0} - 0x7ff;  // -0x800
  builder.Event(known);
  uint64_t number = 1;
  for (const TraceEvent& event : builder.events()) table.Take(event, number++);
  const std::vector<MappingTable::Call> calls = table.CallsToRemake();
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].event.address, 0x2800u);
  EXPECT_EQ(calls[0].event.argument, 0x1800u);
  EXPECT_EQ(calls[0].number, 3u);
}

TEST(MappingTableTest, AddressesThatNoProcessHasAreIgnored) {
  proto::TraceHeader header;
  AddImage(~uint64_t{0} - 4095, ~uint64_t{0}, &header);
  MappingTable table(header);
  TraceBuilder builder;
  builder.Map(uint64_t{1} << 63, 4096, 3, 0x22)
      .Map(4096, ~uint64_t{0}, 3, 0x22)
      .Unmap(~uint64_t{0}, 1)
      .Map(0, 0, 3, 0x22);
  for (const TraceEvent& event : builder.events()) table.Take(event, 1);
  EXPECT_TRUE(table.CallsToRemake().empty());
}

}  // namespace
}  // namespace reheap
