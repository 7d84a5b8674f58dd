// BandSearch on fates that are known: each is a function of the limit, and what is found is compared with it.
#include "sim/studies/band_search.h"

#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace reheap {
namespace {

Fate Lives() { return {true, proto::SURVIVED, "", "", std::nullopt}; }
Fate Dies(uint64_t event = 7) { return {false, proto::LATE_ABORT, "RLIMIT_AS", "", event}; }
Fate NeverStarts() { return {false, proto::STARTUP_ABORT, "RLIMIT_AS", "", std::nullopt}; }

size_t RunSearch(const std::function<Fate(uint64_t)>& fate, BandSearch* search) {
  size_t rounds = 0;
  for (std::vector<uint64_t> next; next = search->Next(), !next.empty(); ++rounds) {
    for (uint64_t limit : next) search->Take(limit, fate(limit));
  }
  return rounds;
}

TEST(BandSearchTest, FindsOneEdgeToItsResolution) {
  for (uint64_t edge : {5000u, 65536u, 99999u, 1000000u}) {
    BandSearch search({.from = 4096, .to = 1 << 20, .resolution = 64, .unit = 1});
    RunSearch([&](uint64_t limit) { return limit >= edge ? Lives() : Dies(); }, &search);
    ASSERT_TRUE(search.Smallest()) << edge;
    EXPECT_GE(*search.Smallest(), edge);
    EXPECT_LE(*search.Smallest() - edge, 64u);
    EXPECT_EQ(search.Safe(), search.Smallest());
    EXPECT_LE(search.EdgeWidth(), 64u);
    ASSERT_EQ(search.Bands().size(), 2u);
    EXPECT_EQ(search.Bands()[0].outcome(), proto::LATE_ABORT);
    EXPECT_EQ(search.Bands()[1].from_bytes(), *search.Smallest());
    EXPECT_EQ(search.Bands()[1].to_bytes(), uint64_t{1 << 20});
  }
}

// As Go 1.0 does: well at 128, badly from 194 to 256, well again above. A search that trusts one edge answers wrong.
TEST(BandSearchTest, MoreNeedNotBeBetter) {
  const auto fate = [](uint64_t limit) {
    if (limit < 100) return NeverStarts();
    return limit < 194 || limit >= 300 ? Lives() : Dies(limit);
  };
  BandSearch search({.from = 50, .to = 1000, .resolution = 1, .unit = 1});
  RunSearch(fate, &search);
  EXPECT_EQ(search.Smallest(), 100u);
  EXPECT_EQ(search.Safe(), 300u);
  const std::vector<proto::LimitBand> bands = search.Bands();
  ASSERT_EQ(bands.size(), 4u);
  EXPECT_EQ(bands[0].outcome(), proto::STARTUP_ABORT);
  EXPECT_EQ(bands[1].from_bytes(), 100u);
  EXPECT_EQ(bands[1].to_bytes(), 193u);
  EXPECT_EQ(bands[2].from_bytes(), 194u);
  EXPECT_EQ(bands[2].to_bytes(), 299u);
  EXPECT_EQ(bands[2].event(), 299u);  // at its upper end
  EXPECT_EQ(bands[3].from_bytes(), 300u);
}

// The scan steps from 128 to 152 to 181: a band between two of them is seen only when a point is put there.
TEST(BandSearchTest, APointFindsABandThatTheScanStepsOver) {
  const auto fate = [](uint64_t limit) { return limit >= 160 && limit < 170 ? Dies() : Lives(); };
  BandSearch blind({.from = 16, .to = 1024, .resolution = 1, .unit = 1});
  RunSearch(fate, &blind);
  EXPECT_EQ(blind.Bands().size(), 1u);
  BandSearch told({.from = 16, .to = 1024, .resolution = 1, .unit = 1});
  told.AddPoint(165);
  told.AddPoint(4);     // outside: no matter
  told.AddPoint(4096);
  RunSearch(fate, &told);
  ASSERT_EQ(told.Bands().size(), 3u);
  EXPECT_EQ(told.Bands()[1].from_bytes(), 160u);
  EXPECT_EQ(told.Bands()[1].to_bytes(), 169u);
  EXPECT_EQ(told.Safe(), 170u);
  EXPECT_EQ(told.Smallest(), 16u);
}

TEST(BandSearchTest, NothingLivesAndEverythingLives) {
  BandSearch none({.from = 1, .to = 64, .resolution = 1, .unit = 1});
  EXPECT_EQ(RunSearch([](uint64_t) { return Dies(); }, &none), 1u);
  EXPECT_FALSE(none.Smallest());
  EXPECT_FALSE(none.Safe());
  BandSearch all({.from = 1, .to = 64, .resolution = 1, .unit = 1});
  RunSearch([](uint64_t) { return Lives(); }, &all);
  EXPECT_EQ(all.Smallest(), 1u);
  EXPECT_EQ(all.Safe(), 1u);
  EXPECT_EQ(all.EdgeWidth(), 0u);
}

TEST(BandSearchTest, LimitsTriedAreWholePages) {
  BandSearch search({.from = 1 << 20, .to = 1 << 24, .resolution = 4096, .unit = 4096});
  RunSearch(
      [](uint64_t limit) {
        EXPECT_EQ(limit % 4096, 0u);
        return limit >= 5 * 1000 * 1000 ? Lives() : Dies();
      },
      &search);
  EXPECT_EQ(*search.Smallest(), (uint64_t{5000000} + 4095) / 4096 * 4096);
}

// With two fates each edge stays one edge; with many, each half may be another: page by page would be replayed.
TEST(BandSearchTest, EndsWhenFatesHaveNoPattern) {
  BandSearch search({.from = 1, .to = 1 << 20, .resolution = 1, .unit = 1});
  RunSearch(
      [](uint64_t limit) {
        Fate fate = Dies();
        fate.mode = std::to_string(limit * 2654435761u >> 7 & 15);
        return fate;
      },
      &search);
  EXPECT_LE(search.tries(), BandSearch::kMaxTries);
  EXPECT_GT(search.EdgeWidth(), 1u);  // and says that edges are not as sharp as was asked
}

TEST(BandSearchTest, AFallBackLivesAndARefusedMappingOfTheProgramDoesNot) {
  proto::Run run;
  run.set_outcome(proto::DEGRADED);
  EXPECT_FALSE(FateOf(run).lives);
  run.set_degraded_mode("arena 256 MiB");
  EXPECT_TRUE(FateOf(run).lives);
}

}  // namespace
}  // namespace reheap
