#include "sim/studies/strategy_changes.h"

#include <set>

#include "alloc/addr.h"
#include "gtest/gtest.h"
#include "sim/strategies/strategy_catalog.h"

namespace reheap {
namespace {

proto::Strategy Reserve17g() {
  const absl::StatusOr<CatalogStrategy> loaded = LoadStrategy("go-2011-02-reserve17g");
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  return loaded->text;
}

// RESERVE -> PRETEND alone is no plan: a pretended range cannot move. The two words together are the mail's.
TEST(StrategyChangesTest, TheTwoWordsOfTheMailAreOneChange) {
  const StrategyChange* found = nullptr;
  const std::vector<StrategyChange> changes = SingleChanges(Reserve17g(), {});
  for (const StrategyChange& change : changes) {
    if (change.field == "reservation.firmness + reservation.on_conflict") found = &change;
  }
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->from, "RESERVE, RELOCATE");
  EXPECT_EQ(found->to, "PRETEND, DIE");
  EXPECT_EQ(found->plan.strategy.firmness, Firmness::kPretend);
  EXPECT_EQ(found->plan.strategy.on_conflict, OnConflict::kDie);
}

TEST(StrategyChangesTest, EachPlanOnceAndEachSizeFalling) {
  std::set<std::string> seen;
  uint64_t before = ~uint64_t{0};
  int sizes = 0;
  for (const StrategyChange& change : SingleChanges(Reserve17g(), {"reservation.heap_bytes"})) {
    EXPECT_TRUE(seen.insert(change.field + change.to).second) << change.field << " " << change.to;
    EXPECT_LT(change.size_bytes, before);
    EXPECT_EQ(change.plan.strategy.heap_bytes, change.size_bytes);
    before = change.size_bytes;
    ++sizes;
  }
  EXPECT_EQ(sizes, 4);
}

TEST(StrategyChangesTest, AFieldIsAllThatIsChangedWhenItIsAsked) {
  const std::vector<StrategyChange> changes = SingleChanges(Reserve17g(), {"tables.page_map_place"});
  ASSERT_FALSE(changes.empty());
  for (const StrategyChange& change : changes) EXPECT_EQ(change.field.rfind("tables.page_map_place", 0), 0u);
}

TEST(StrategyChangesTest, FieldsAreThoseOfTheSchema) {
  const std::vector<std::string> fields = ChangeableStrategyFields();
  for (const char* field : {"reservation.firmness", "reservation.heap_bytes", "reservation.hints", "growth.retry_exact"}) {
    EXPECT_NE(std::find(fields.begin(), fields.end(), field), fields.end()) << field;
  }
  for (const char* field : {"name", "word_bits", "reservation", "reservation.hints.base"}) {
    EXPECT_EQ(std::find(fields.begin(), fields.end(), field), fields.end()) << field;
  }
}

}  // namespace
}  // namespace reheap
