#include "sim/os/range_labels.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace reheap {
namespace {

using Label = RangeLabels::Label;

AddrRange Range(uint64_t start, uint64_t end) { return {Addr(start), end - start}; }

std::vector<std::pair<AddrRange, Label>> Pieces(const RangeLabels& labels, AddrRange range) {
  std::vector<std::pair<AddrRange, Label>> pieces;
  labels.ForEachPiece(range, [&](AddrRange piece, Label label) { pieces.emplace_back(piece, label); });
  return pieces;
}

TEST(RangeLabelsTest, TheLastLabelHolds) {
  RangeLabels labels;
  labels.Set(Range(10, 20), 1);
  labels.Set(Range(14, 16), 2);
  EXPECT_EQ(labels.count(), 3u);
  const auto pieces = Pieces(labels, Range(5, 25));
  ASSERT_EQ(pieces.size(), 5u);
  EXPECT_EQ(pieces[0].second, 0u);
  EXPECT_EQ(pieces[1].second, 1u);
  EXPECT_EQ(pieces[2].second, 2u);
  EXPECT_EQ(pieces[2].first.start, Addr(14));
  EXPECT_EQ(pieces[3].second, 1u);
  EXPECT_EQ(pieces[4].first.bytes, 5u);
  labels.Set(Range(14, 16), 1);
  EXPECT_EQ(labels.count(), 1u) << "neighbours with one label are one entry";
  labels.Set(Range(0, 100), 0);
  EXPECT_EQ(labels.count(), 0u);
}

TEST(RangeLabelsTest, AgreesWithATableOfPages) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  RangeLabels labels;
  std::vector<Label> table(200);
  for (int step = 0; step < 5000; ++step) {
    const uint64_t a = random() % table.size(), b = random() % (table.size() + 1);
    const Label label = random() % 4;
    if (a >= b) continue;
    labels.Set(Range(a, b), label);
    std::fill(table.begin() + static_cast<ptrdiff_t>(a), table.begin() + static_cast<ptrdiff_t>(b), label);
    labels.CheckInvariants();
    uint64_t at = 0;
    for (const auto& [piece, found] : Pieces(labels, Range(0, table.size()))) {
      ASSERT_EQ(piece.start.value(), at);
      for (; at < piece.end().value(); ++at) ASSERT_EQ(table[at], found) << "step " << step << ", " << at;
    }
    ASSERT_EQ(at, table.size());
  }
}

}  // namespace
}  // namespace reheap
