// Placement by named cases on a small made-up platform: one rule changes per case.
#include "sim/os/placement.h"

#include <gtest/gtest.h>

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;

// 16 MiB of addresses, searched down from 12 MiB.
Platform Small() {
  Platform p;
  p.machine.os_page_bytes = p.machine.granularity_bytes = kPage;
  p.machine.user_start = kPage;
  p.machine.user_end = 16 * kMiB;
  p.placement.direction = Direction::kTopDown;
  p.placement.base = BaseRule::kFixedAddress;
  p.placement.base_bytes = 12 * kMiB;
  p.placement.fallback_base = 4 * kMiB;
  return p;
}

std::optional<Addr> Choose(const Platform& p, const AddressSpace& space, uint64_t hint, uint64_t bytes) {
  const Placement placement(&p, Addr(p.placement.base_bytes), {Addr(kMiB), kMiB});
  return placement.Choose(space, placement.Effective(Addr(hint)), bytes);
}

AddressSpace Space() { return AddressSpace(MergeRule::kBothSidesSameWriter, true); }

TEST(PlacementTest, TopDownTakesTheUpperEndOfTheHighestGap) {
  const Platform p = Small();
  AddressSpace space = Space();
  space.Insert({Addr(11 * kMiB), kMiB - kPage}, {});
  EXPECT_EQ(Choose(p, space, 0, kPage), Addr(12 * kMiB - kPage));
  EXPECT_EQ(Choose(p, space, 0, 2 * kPage), Addr(11 * kMiB - 2 * kPage));
}

TEST(PlacementTest, BottomUpTakesTheLowerEndOfTheLowestGap) {
  Platform p = Small();
  p.placement.direction = Direction::kBottomUp;
  AddressSpace space = Space();
  space.Insert({Addr(12 * kMiB + kPage), kPage}, {});
  EXPECT_EQ(Choose(p, space, 0, kPage), Addr(12 * kMiB));
  EXPECT_EQ(Choose(p, space, 0, 2 * kPage), Addr(12 * kMiB + 2 * kPage));
}

TEST(PlacementTest, SearchesOnceMoreFromTheFallback) {
  const Platform p = Small();
  AddressSpace space = Space();
  space.Insert({Addr(kPage), 12 * kMiB - kPage}, {});
  EXPECT_EQ(Choose(p, space, 0, kPage), Addr(12 * kMiB));
  EXPECT_EQ(Choose(p, space, 0, 5 * kMiB), std::nullopt);
}

TEST(PlacementTest, HintRules) {
  Platform p = Small();
  AddressSpace space = Space();
  space.Insert({Addr(6 * kMiB), 2 * kPage}, {});
  p.placement.hint = HintRule::kExactOrAnywhere;
  EXPECT_EQ(Choose(p, space, 5 * kMiB, kPage), Addr(5 * kMiB));
  EXPECT_EQ(Choose(p, space, 6 * kMiB, kPage), Addr(12 * kMiB - kPage));
  EXPECT_EQ(Choose(p, space, 16 * kMiB - kPage, kPage), Addr(16 * kMiB - kPage)) << "up to the user's end";
  EXPECT_EQ(Choose(p, space, 16 * kMiB - kPage, 2 * kPage), Addr(12 * kMiB - 2 * kPage)) << "beyond it";
  p.placement.hint = HintRule::kLowerBound;
  EXPECT_EQ(Choose(p, space, 6 * kMiB, kPage), Addr(6 * kMiB + 2 * kPage));
  p.placement.hint = HintRule::kExactOrRefused;
  EXPECT_EQ(Choose(p, space, 5 * kMiB, kPage), Addr(5 * kMiB));
  EXPECT_EQ(Choose(p, space, 6 * kMiB, kPage), std::nullopt);
}

TEST(PlacementTest, HintsAreRoundedRaisedAndIgnored) {
  Platform p = Small();
  const auto effective = [&p](uint64_t hint) {
    return Placement(&p, Addr(p.placement.base_bytes), {Addr(kMiB), kMiB}).Effective(Addr(hint)).value();
  };
  EXPECT_EQ(effective(5), 0u);
  EXPECT_EQ(effective(3 * kPage + 5), 3 * kPage);
  p.placement.hint_rounding = HintRounding::kUp;
  EXPECT_EQ(effective(3 * kPage + 5), 4 * kPage);
  p.placement.hint_floor = 65536;
  EXPECT_EQ(effective(3 * kPage), 65536u);
  EXPECT_EQ(effective(0), 0u);
  EXPECT_EQ(effective(kMiB + kPage), kMiB + kPage);
  p.placement.hint_in_data_ignored = true;
  EXPECT_EQ(effective(kMiB + kPage), 0u);
  EXPECT_EQ(effective(2 * kMiB), 2 * kMiB);
}

TEST(PlacementTest, MultiplesOfAHugePageAreAlignedToIt) {
  Platform p = Small();
  p.placement.base_bytes = 11 * kMiB + 3 * kPage;
  p.placement.huge_alignment_bytes = 2 * kMiB;
  AddressSpace space = Space();
  EXPECT_EQ(Choose(p, space, 0, 2 * kMiB), Addr(8 * kMiB));
  EXPECT_EQ(Choose(p, space, 0, 2 * kMiB + kPage), Addr(9 * kMiB + 2 * kPage));
  // A gap that begins and ends aligned: its upper end, as for any other length.
  p.placement.base_bytes = 12 * kMiB;
  EXPECT_EQ(Choose(p, space, 0, 2 * kMiB), Addr(10 * kMiB));
  p.placement.base_bytes = 11 * kMiB + 3 * kPage;
  // A hint, even a useless one, switches it off.
  space.Insert({Addr(kPage), kPage}, {});
  EXPECT_EQ(Choose(p, space, kPage, 2 * kMiB), Addr(9 * kMiB + 3 * kPage));
}

// linux 6.1: files alone, and from the gap's own start when that is a multiple.
TEST(PlacementTest, HugePagesOfFilesOnlyAndAtTheGapsStart) {
  Platform p = Small();
  p.placement.huge_alignment_bytes = 2 * kMiB;
  PlaceRequest file{Addr(), 2 * kMiB};
  file.content = PlaceRequest::Content::kFile;
  const auto place = [&](const PlaceRequest& request) {
    return Placement(&p, Addr(p.placement.base_bytes), {}).Choose(Space(), request);
  };
  EXPECT_EQ(place(file), Addr(10 * kMiB));
  p.placement.huge_aligned_at_gap_start = true;
  EXPECT_EQ(place(file), Addr(8 * kMiB));
  p.placement.base_bytes = 11 * kMiB + 3 * kPage;
  EXPECT_EQ(place(file), Addr(8 * kMiB));
  EXPECT_EQ(Choose(p, Space(), 0, 2 * kMiB), Addr(8 * kMiB));
  p.placement.huge_alignment_for_files_only = true;
  EXPECT_EQ(place(file), Addr(8 * kMiB));
  EXPECT_EQ(Choose(p, Space(), 0, 2 * kMiB), Addr(9 * kMiB + 3 * kPage));
}

TEST(PlacementTest, StackKeepsItsGuardGap) {
  Platform p = Small();
  p.placement.stack_guard_bytes = kMiB;
  AddressSpace space = Space();
  MappingTraits stack;
  stack.kind = MappingKind::kStack;
  space.InsertImage({Addr(11 * kMiB), 2 * kMiB}, stack, true);
  EXPECT_EQ(Choose(p, space, 0, kPage), Addr(10 * kMiB - kPage));
  p.placement.hint = HintRule::kExactOrAnywhere;
  EXPECT_EQ(Choose(p, space, 11 * kMiB - kPage, kPage), Addr(10 * kMiB - kPage));
}

TEST(PlacementTest, AStackBelowItsOwnGuardGapIsNoEndlessSearch) {
  Platform p = Small();
  p.placement.stack_guard_bytes = kMiB;
  AddressSpace space = Space();
  MappingTraits stack;
  stack.kind = MappingKind::kStack;
  space.InsertImage({Addr(16 * kPage), 12 * kMiB - 16 * kPage}, stack, true);
  EXPECT_EQ(Choose(p, space, 0, kPage), Addr(12 * kMiB)) << "from the fallback";
  // Linux goes around at 0 and finds a place that no process can have; the fallback is not asked.
  p.placement.stack_guard_wraps = true;
  EXPECT_EQ(Choose(p, space, 0, kPage), std::nullopt);
  p.placement.huge_alignment_bytes = 4 * kPage;
  EXPECT_EQ(Choose(p, space, 0, 4 * kPage), std::nullopt);
  // What does not fit below the stack at all was never in its guard.
  EXPECT_EQ(Choose(p, space, 0, 16 * kPage), Addr(12 * kMiB + 4 * kPage));
}

TEST(PlacementTest, GranulesRoundTheStartUp) {
  Platform p = Small();
  p.machine.granularity_bytes = 65536;
  p.placement.direction = Direction::kBottomUp;
  p.placement.hint = HintRule::kExactOrRefused;
  AddressSpace space = Space();
  space.Insert({Addr(12 * kMiB), kPage}, {});
  EXPECT_EQ(Choose(p, space, 0, kPage), Addr(12 * kMiB + 65536));
}

TEST(PlacementTest, BaseRules) {
  Platform p = Small();
  p.machine.user_end = 0x7ffffffff000;
  p.placement.base = BaseRule::kBelowStackLimit;
  p.placement.base_bytes = 128 * kMiB;
  p.placement.stack_guard_bytes = kMiB;
  EXPECT_EQ(PlacementBase(p, 8 * kMiB, Addr()),
            Addr(0x7ffff7fff000));  // linux, 8 MiB of stack: the least gap
  EXPECT_EQ(PlacementBase(p, kGiB, Addr()), Addr(0x7fffbfeff000));
  EXPECT_EQ(PlacementBase(p, ~uint64_t{0}, Addr()),
            RoundUp(Addr(0x7ffffffff000 - 0x7ffffffff000 / 6 * 5), kPage));
  p.placement.base = BaseRule::kAboveData;
  p.placement.base_bytes = 32 * kGiB;
  EXPECT_EQ(PlacementBase(p, 0, Addr(0x425010)), Addr(0x800426000));
}

}  // namespace
}  // namespace reheap
