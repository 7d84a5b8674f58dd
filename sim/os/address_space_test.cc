// AddressSpace against a plain list of pages that knows nothing of trees, and the merge rules by named cases.
#include "sim/os/address_space.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <utility>
#include <vector>

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kPages = 256;  // of the small world that the random test lives in

Addr Page(uint64_t n) { return Addr(kMiB + n * kPage); }
AddrRange Pages(uint64_t first, uint64_t count) { return {Page(first), count * kPage}; }

MappingTraits ReadWrite() {
  MappingTraits traits;
  traits.read = traits.write = traits.charged = true;
  return traits;
}
MappingTraits NoAccess() { return MappingTraits(); }

AddressSpace Modern() { return AddressSpace(MergeRule::kBothSidesSameWriter, true); }

// "first+count first+count ..." in pages.
std::string Layout(const AddressSpace& space) {
  std::string text;
  for (auto id = space.First(); id != AddressSpace::kNone; id = space.Next(id)) {
    const Mapping& m = space.mapping(id);
    text += (text.empty() ? "" : " ") + std::to_string((m.start - Page(0)) / kPage) + "+" +
            std::to_string(m.bytes() / kPage);
  }
  return text;
}

TEST(AddressSpaceTest, EqualNeighboursAreOneMapping) {
  AddressSpace space = Modern();
  space.Insert(Pages(0, 2), ReadWrite());
  space.Insert(Pages(4, 2), ReadWrite());
  EXPECT_EQ(Layout(space), "0+2 4+2");
  space.Insert(Pages(2, 2), ReadWrite());
  EXPECT_EQ(Layout(space), "0+6");
  space.CheckInvariants();
}

TEST(AddressSpaceTest, DifferentAccessStaysApart) {
  AddressSpace space = Modern();
  space.Insert(Pages(0, 2), ReadWrite());
  space.Insert(Pages(2, 2), NoAccess());
  EXPECT_EQ(Layout(space), "0+2 2+2");
}

// Written islands A and C, then B between them: joins A only (measured on linux 6.1, 6.12 and 6.18).
TEST(AddressSpaceTest, PageBetweenTwoWrittenIslandsJoinsTheLeft) {
  AddressSpace space = Modern();
  space.Insert(Pages(0, 2), ReadWrite());
  space.Insert(Pages(3, 2), ReadWrite());
  space.NoteFirstWrite(space.Containing(Page(0)));
  space.NoteFirstWrite(space.Containing(Page(3)));
  space.Insert(Pages(2, 1), ReadWrite());
  EXPECT_EQ(Layout(space), "0+3 3+2");
}

// linux 6.1: the next one first, and who never wrote stays out below one that did.
TEST(AddressSpaceTest, NextFirstKeepsOthersOutBelow) {
  for (const bool below_is_written : {false, true}) {
    AddressSpace space(MergeRule::kBothSidesSameWriter, false);
    space.Insert(Pages(0, 2), ReadWrite());
    space.Insert(Pages(3, 2), ReadWrite());
    if (below_is_written) space.NoteFirstWrite(space.Containing(Page(0)));
    space.NoteFirstWrite(space.Containing(Page(3)));
    space.Insert(Pages(2, 1), ReadWrite(), 0, AddressSpace::Join::kNextFirst);
    EXPECT_EQ(Layout(space), "0+2 2+3");
  }
  AddressSpace space(MergeRule::kBothSidesSameWriter, false);
  space.Insert(Pages(0, 2), ReadWrite());
  space.Insert(Pages(3, 2), ReadWrite());
  space.NoteFirstWrite(space.Containing(Page(0)));
  space.Insert(Pages(2, 1), ReadWrite(), 0, AddressSpace::Join::kNextFirst);
  EXPECT_EQ(Layout(space), "0+5");
}

TEST(AddressSpaceTest, JoinsOnlyTheSideThatItMay) {
  using Join = AddressSpace::Join;
  for (const auto& [join, layout] :
       {std::pair{Join::kBoth, "0+3"}, std::pair{Join::kLeft, "0+2 2+1"}, std::pair{Join::kRight, "0+1 1+2"},
        std::pair{Join::kNone, "0+1 1+1 2+1"}}) {
    AddressSpace space = Modern();
    space.Insert(Pages(0, 1), ReadWrite());
    space.Insert(Pages(2, 1), ReadWrite());
    space.Insert(Pages(1, 1), ReadWrite(), 0, join);
    EXPECT_EQ(Layout(space), layout);
  }
}

TEST(AddressSpaceTest, NeighboursThatShareAWriterMergeAgain) {
  AddressSpace space = Modern();
  space.Insert(Pages(0, 6), ReadWrite());
  space.NoteFirstWrite(space.Containing(Page(0)));
  space.SetTraits(space.Containing(Page(2)), Pages(2, 2), NoAccess());
  EXPECT_EQ(Layout(space), "0+2 2+2 4+2");
  space.SetTraits(space.Containing(Page(2)), Pages(2, 2), ReadWrite());
  EXPECT_EQ(Layout(space), "0+6");
}

TEST(AddressSpaceTest, FirstWriteTakesANeighboursWriterAcrossAccess) {
  AddressSpace space = Modern();
  space.Insert(Pages(0, 2), ReadWrite());
  MappingTraits executable = ReadWrite();
  executable.execute = true;
  space.Insert(Pages(2, 2), executable);
  space.NoteFirstWrite(space.Containing(Page(2)));
  space.NoteFirstWrite(space.Containing(Page(0)));
  EXPECT_EQ(space.mapping(space.Containing(Page(0))).writer, space.mapping(space.Containing(Page(2))).writer);
}

// mprotect of a written piece beside a never written one: two mappings up to linux 6.12, one on 6.18.
TEST(AddressSpaceTest, WrittenPieceJoinsAnUnwrittenNeighbourByTheSwitch) {
  for (const bool joins : {false, true}) {
    AddressSpace space(MergeRule::kBothSidesSameWriter, joins);
    MappingTraits write_only = ReadWrite();
    write_only.read = false;
    space.Insert(Pages(0, 1), ReadWrite());
    space.Insert(Pages(1, 1), write_only);
    space.NoteFirstWrite(space.Containing(Page(0)));
    space.SetTraits(space.Containing(Page(0)), Pages(0, 1), write_only);
    EXPECT_EQ(Layout(space), joins ? "0+2" : "0+1 1+1");
  }
}

// What an unwritten mapping joined with is written from then on, and stays apart from other writers.
TEST(AddressSpaceTest, AJoinedMappingHasTheWriterOfEither) {
  AddressSpace space = Modern();
  space.Insert(Pages(0, 1), ReadWrite());
  space.Insert(Pages(1, 1), NoAccess());
  space.NoteFirstWrite(space.Containing(Page(1)));
  space.SetTraits(space.Containing(Page(1)), Pages(1, 1), ReadWrite());
  ASSERT_EQ(Layout(space), "0+2");
  EXPECT_NE(space.mapping(space.Containing(Page(0))).writer, 0u);
  space.Insert(Pages(3, 1), ReadWrite());
  space.NoteFirstWrite(space.Containing(Page(3)));
  space.Insert(Pages(2, 1), ReadWrite());
  EXPECT_EQ(Layout(space), "0+3 3+1");
}

TEST(AddressSpaceTest, PreviousOnlyNeverJoinsTheNext) {
  AddressSpace space(MergeRule::kPreviousOnly, false);
  space.Insert(Pages(2, 2), ReadWrite());
  space.Insert(Pages(0, 2), ReadWrite());
  EXPECT_EQ(Layout(space), "0+2 2+2");
  space.Insert(Pages(4, 1), ReadWrite());
  EXPECT_EQ(Layout(space), "0+2 2+3");
}

TEST(AddressSpaceTest, ReservationsStayApart) {
  AddressSpace space(MergeRule::kWithinReservation, true);
  MappingTraits first = NoAccess(), second = NoAccess();
  first.origin = Page(0).value();
  second.origin = Page(2).value();
  space.Insert(Pages(0, 2), first);
  space.Insert(Pages(2, 2), second);
  EXPECT_EQ(Layout(space), "0+2 2+2");
}

TEST(AddressSpaceTest, FitsAreHighestAndLowest) {
  AddressSpace space = Modern();
  space.Insert(Pages(4, 2), ReadWrite());
  space.Insert(Pages(10, 2), ReadWrite());
  EXPECT_EQ(space.HighestFit(Page(0), Page(20), 4 * kPage), Page(16));
  EXPECT_EQ(space.HighestFit(Page(0), Page(14), 4 * kPage), Page(6));  // [12, 14) is too small
  EXPECT_EQ(space.HighestFit(Page(0), Page(11), 5 * kPage), std::nullopt);
  EXPECT_EQ(space.HighestFit(Page(7), Page(14), 4 * kPage), std::nullopt);  // clipped below
  EXPECT_EQ(space.LowestFit(Page(0), Page(20), 4 * kPage, kPage), Page(0));
  EXPECT_EQ(space.LowestFit(Page(1), Page(20), 4 * kPage, kPage), Page(6));
  EXPECT_EQ(space.LowestFit(Page(1), Page(20), 5 * kPage, kPage), Page(12));
  EXPECT_EQ(space.LowestFit(Page(1), Page(15), 5 * kPage, kPage), std::nullopt);
  EXPECT_EQ(space.LowestFit(Page(1), Page(20), 3 * kPage, 8 * kPage), Page(16));
}

// The same world page by page.
class PageModel {
 public:
  void Set(AddrRange range, bool mapped, bool writable) {
    for (Addr a = range.start; a < range.end(); a = a + kPage) pages_[Index(a)] = {mapped, writable};
  }
  bool IsFree(AddrRange range) const {
    for (Addr a = range.start; a < range.end(); a = a + kPage) {
      if (pages_[Index(a)].mapped) return false;
    }
    return true;
  }
  std::optional<Addr> Highest(uint64_t lowest, uint64_t highest, uint64_t count) const {
    for (uint64_t at = highest; at >= lowest + count; --at) {
      if (IsFree(Pages(at - count, count))) return Page(at - count);
    }
    return std::nullopt;
  }
  std::optional<Addr> Lowest(uint64_t lowest, uint64_t highest, uint64_t count) const {
    for (uint64_t at = lowest; at + count <= highest; ++at) {
      if (IsFree(Pages(at, count))) return Page(at);
    }
    return std::nullopt;
  }
  uint64_t Mapped() const {
    uint64_t n = 0;
    for (const auto& page : pages_) n += page.mapped;
    return n;
  }
  uint64_t Writable() const {
    uint64_t n = 0;
    for (const auto& page : pages_) n += page.mapped && page.writable;
    return n;
  }

 private:
  struct State {
    bool mapped = false;
    bool writable = false;
  };
  static uint64_t Index(Addr a) { return (a - Page(0)) / kPage; }
  std::vector<State> pages_ = std::vector<State>(kPages);
};

TEST(AddressSpaceTest, RandomChangesAgreeWithAPlainArray) {
  const char* given = std::getenv("REHEAP_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device()();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  AddressSpace space = Modern();
  PageModel model;
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t first = random() % kPages;
    const uint64_t count = 1 + random() % std::min<uint64_t>(kPages - first, 12);
    const AddrRange range = Pages(first, count);
    const bool writable = random() % 2 == 0;
    switch (random() % 4) {
      case 0:
        space.Remove(range);
        model.Set(range, false, false);
        break;
      case 1: {
        const AddressSpace::Id id = space.Containing(range.start);
        if (id == AddressSpace::kNone || !space.mapping(id).range().Contains(range)) continue;
        if (random() % 2 == 0) space.NoteFirstWrite(id);
        space.SetTraits(id, range, writable ? ReadWrite() : NoAccess());
        model.Set(range, true, writable);
        break;
      }
      default:
        ASSERT_EQ(space.Overlaps(range), !model.IsFree(range));
        if (space.Overlaps(range)) continue;
        space.Insert(range, writable ? ReadWrite() : NoAccess());
        model.Set(range, true, writable);
    }
    space.CheckInvariants();
    ASSERT_EQ(space.totals().mapped_bytes, model.Mapped() * kPage);
    ASSERT_EQ(space.totals().data_bytes, model.Writable() * kPage);
    ASSERT_EQ(space.totals().charged_bytes, model.Writable() * kPage);
    const uint64_t low = random() % kPages, high = low + random() % (kPages - low), want = 1 + random() % 20;
    ASSERT_EQ(space.HighestFit(Page(low), Page(high), want * kPage), model.Highest(low, high, want)) << i;
    ASSERT_EQ(space.LowestFit(Page(low), Page(high), want * kPage, kPage), model.Lowest(low, high, want))
        << i;
  }
}

TEST(AddressSpaceDeathTest, InsertOverSomethingIsOurMistake) {
  AddressSpace space = Modern();
  space.Insert(Pages(0, 2), ReadWrite());
  EXPECT_DEATH(space.Insert(Pages(1, 2), NoAccess()), "CHECK failed");
}

}  // namespace
}  // namespace reheap
