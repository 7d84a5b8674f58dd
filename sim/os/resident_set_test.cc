// ResidentSet: states, huge pages and page tables against a plain map of pages, and its memory over a terabyte.
#include "sim/os/resident_set.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kHuge = 2 * kMiB;
constexpr Addr kAt(0x100000000000);

ResidentSet Amd64() { return ResidentSet(kPage, kHuge, 3); }

TEST(ResidentSetTest, APageHasOneState) {
  ResidentSet set = Amd64();
  EXPECT_EQ(set.At(kAt), PageState::kAbsent);
  set.Put(kAt + 5, PageState::kZero);
  EXPECT_EQ(set.At(kAt), PageState::kZero);
  EXPECT_EQ(set.resident_pages(), 0u);
  set.Put(kAt, PageState::kAnonymous);
  EXPECT_EQ(set.At(kAt), PageState::kAnonymous);
  EXPECT_EQ(set.anonymous_pages(), 1u);
  set.Put(kAt + kPage, PageState::kShared);
  set.Put(kAt + 2 * kPage, PageState::kFile);
  set.Put(kAt + 3 * kPage, PageState::kGuard);
  EXPECT_EQ(set.resident_pages(), 3u);
  set.ClearButGuards({kAt, 4 * kPage});
  EXPECT_EQ(set.resident_pages(), 0u);
  EXPECT_EQ(set.At(kAt + 3 * kPage), PageState::kGuard);
  set.CheckInvariants();
}

TEST(ResidentSetTest, TablesStayUntilNoMappingReachesIntoThem) {
  ResidentSet set = Amd64();
  set.Put(kAt, PageState::kAnonymous);
  EXPECT_EQ(set.tables().bytes(), 3 * kPage);
  set.Put(kAt + kHuge, PageState::kZero);
  EXPECT_EQ(set.tables().bytes(), 4 * kPage);
  set.Put(kAt + kGiB, PageState::kAnonymous);
  EXPECT_EQ(set.tables().bytes(), 6 * kPage);
  set.Clear({kAt, 2 * kGiB});
  EXPECT_EQ(set.tables().bytes(), 6 * kPage) << "empty is not gone";
  set.DropTablesWithin({kAt + kPage, 2 * kGiB});  // something is mapped below kAt + kPage
  EXPECT_EQ(set.tables().bytes(), 3 * kPage);
  set.DropTablesWithin({kAt - kPage, 2 * kGiB});
  EXPECT_EQ(set.tables().bytes(), 1 * kPage) << "something is mapped within the 512 GiB";
  set.DropTablesWithin({Addr(), uint64_t{1} << 63});
  EXPECT_EQ(set.tables().bytes(), 0u);
}

TEST(ResidentSetTest, AHugePageBreaksWhereItIsCut) {
  ResidentSet set = Amd64();
  set.PutHuge(kAt + 77 * kPage, PageState::kAnonymous);
  EXPECT_EQ(set.anonymous_pages(), 512u);
  EXPECT_EQ(set.tables().bytes(), 3 * kPage);
  EXPECT_TRUE(set.IsHuge(kAt));
  set.BreakHugeAt(kAt);
  set.BreakHugeAt(kAt + kHuge);
  EXPECT_TRUE(set.IsHuge(kAt)) << "its own ends do not cut it";
  set.Clear({kAt + 10 * kPage, kPage});
  EXPECT_FALSE(set.IsHuge(kAt));
  EXPECT_EQ(set.anonymous_pages(), 511u);
  set.Clear({kAt, kHuge});
  EXPECT_EQ(set.anonymous_pages(), 0u);
  EXPECT_EQ(set.tables().bytes(), 3 * kPage);
  set.CheckInvariants();
}

TEST(ResidentSetTest, AWholeHugePageTakesItsTableAlong) {
  ResidentSet set = Amd64();
  set.PutHuge(kAt, PageState::kAnonymous);
  set.PutHuge(kAt + kHuge, PageState::kZero);
  EXPECT_EQ(set.tables().bytes(), 4 * kPage);
  set.Clear({kAt, 2 * kHuge});
  EXPECT_EQ(set.tables().bytes(), 2 * kPage);
}

TEST(ResidentSetTest, SplittingAFolioGivesBackWhatWasNeverWritten) {
  ResidentSet set = Amd64();
  set.PutHuge(kAt, PageState::kAnonymous);
  set.NoteWrite(kAt);
  set.NoteWrite(kAt + 2 * kPage);
  set.MarkLazy({kAt, kHuge});
  EXPECT_EQ(set.anonymous_pages(), 512u) << "as a whole it stays one";
  set.MarkLazy({kAt, kPage});
  EXPECT_EQ(set.anonymous_pages(), 2u);
  EXPECT_EQ(set.At(kAt + kPage), PageState::kZero);
  set.CheckInvariants();
}

TEST(ResidentSetTest, LazyPagesGoFirstToLast) {
  ResidentSet set = Amd64();
  for (uint64_t i = 0; i < 8; ++i) set.Put(kAt + i * kPage, PageState::kAnonymous);
  set.MarkLazy({kAt + 2 * kPage, 4 * kPage});
  set.NoteWrite(kAt + 2 * kPage);
  EXPECT_EQ(set.lazy_pages(), 3u);
  EXPECT_EQ(set.TakeLazy(2), 2u);
  EXPECT_EQ(set.At(kAt + 4 * kPage), PageState::kAbsent);
  EXPECT_EQ(set.At(kAt + 5 * kPage), PageState::kAnonymous);
  EXPECT_EQ(set.TakeLazy(9), 1u);
  EXPECT_EQ(set.anonymous_pages(), 5u);
}

TEST(ResidentSetTest, MovedPagesKeepTheirStates) {
  ResidentSet set = Amd64();
  set.PutHuge(kAt, PageState::kAnonymous);
  set.Put(kAt + kHuge, PageState::kZero);
  set.Put(kAt + kHuge + kPage, PageState::kGuard);
  set.Move({kAt, 2 * kHuge}, kAt + kGiB);
  EXPECT_TRUE(set.IsHuge(kAt + kGiB));
  EXPECT_EQ(set.At(kAt + kGiB + kHuge + kPage), PageState::kGuard);
  EXPECT_EQ(set.At(kAt), PageState::kAbsent);
  set.Move({kAt + kGiB, kHuge}, kAt + kPage);
  EXPECT_FALSE(set.IsHuge(kAt + kPage));
  EXPECT_EQ(set.anonymous_pages(), 512u);
  set.CheckInvariants();
}

TEST(ResidentSetTest, ASplitLeavesTheZeroPageOrWhatWasThere) {
  for (const bool leaves_zero_page : {true, false}) {
    ResidentSet set(kPage, kHuge, 3, leaves_zero_page);
    set.PutHuge(kAt, PageState::kAnonymous);
    set.NoteWrite(kAt + kPage);
    set.SplitFolios({kAt, kPage});
    EXPECT_FALSE(set.IsHuge(kAt));
    EXPECT_EQ(set.anonymous_pages(), leaves_zero_page ? 1u : 512u);
    EXPECT_EQ(set.At(kAt), leaves_zero_page ? PageState::kZero : PageState::kAnonymous);
    EXPECT_EQ(set.At(kAt + kPage), PageState::kAnonymous);
    set.CheckInvariants();
  }
}

// Two million pages all over 1 TiB, then all of it forgotten by one call; and as many huge pages as fit.
TEST(ResidentSetTest, ATerabyteComesAndGoesInBoundedMemory) {
  ResidentSet set = Amd64();
  for (uint64_t at = 0; at < kTiB; at += 512 * kKiB) set.Put(Addr(at), PageState::kAnonymous);
  EXPECT_EQ(set.anonymous_pages(), kTiB / (512 * kKiB));
  EXPECT_LT(set.memory_bytes(), 50 * kMiB);
  set.Clear({Addr(0), kTiB});
  EXPECT_LT(set.memory_bytes(), kMiB) << "the tables";
  set.DropTablesWithin({Addr(0), uint64_t{1} << 63});
  EXPECT_EQ(set.memory_bytes(), 0u);
  for (uint64_t at = 0; at < kTiB; at += kHuge) set.PutHuge(Addr(at), PageState::kAnonymous);
  EXPECT_EQ(set.anonymous_pages(), kTiB / kPage);
  EXPECT_LT(set.memory_bytes(), 50 * kMiB);
}

TEST(ResidentSetTest, RandomOperationsAgreeWithAMap) {
  const char* given = std::getenv("REHEAP_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device()();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  ResidentSet set = Amd64();
  std::map<uint64_t, PageState> model;
  const auto forget = [&model](uint64_t page, uint64_t count, bool guards) {
    for (auto it = model.lower_bound(page); it != model.end() && it->first < page + count;) {
      it = !guards && it->second == PageState::kGuard ? std::next(it) : model.erase(it);
    }
  };
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t first = kAt.value() / kPage, page = first + random() % 2048;
    const Addr a(page * kPage);
    switch (random() % 8) {
      case 0: {
        const uint64_t block = page / 512 * 512;
        const auto there = model.lower_bound(block);
        if (there != model.end() && there->first < block + 512) break;
        const PageState state = random() % 2 ? PageState::kAnonymous : PageState::kZero;
        set.PutHuge(a, state);
        for (uint64_t p = block; p < block + 512; ++p) model[p] = state;
        break;
      }
      case 1:
      case 2: {
        const uint64_t count = random() % 1200;
        const bool guards = random() % 2;
        guards ? set.Clear({a, count * kPage}) : set.ClearButGuards({a, count * kPage});
        forget(page, count, guards);
        break;
      }
      case 3:
        set.BreakHugeAt(a);
        break;
      default: {
        if (set.IsHuge(a)) break;
        const auto state = static_cast<PageState>(1 + random() % 5);
        set.Put(a, state);
        model[page] = state;
      }
    }
    uint64_t resident = 0;
    for (const auto& [p, state] : model) resident += state != PageState::kZero && state != PageState::kGuard;
    ASSERT_EQ(set.resident_pages(), resident);
    const auto found = model.find(page);
    ASSERT_EQ(set.At(a), found == model.end() ? PageState::kAbsent : found->second);
    if (i % 1000 == 0) set.CheckInvariants();
  }
}

}  // namespace
}  // namespace reheap
