// The allocator in every world: the same random calls on the running kernel and on each modelled platform.
//
// The calls depend on the seed alone. What Heap answers (which free is rejected, how many bytes of what are
// where) must then depend on the plan alone, not on the world below: where the plan fixes the addresses,
// those too. On the modelled kernels ShadowMemory also proves that the allocator never touches a page that is
// not usable.
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "alloc/heap_direct.h"
#include "alloc/heap_stats_for_tests.h"
#include "alloc/scripted_os.h"
#include "alloc/strategies_for_tests.h"
#include "sim/os/platform_catalog.h"
#include "sim/os/shadow_memory.h"
#include "sim/os/virtual_os.h"

namespace reheap {
namespace {

// What a run shows to its program.
struct Story {
  std::vector<Addr> answers;  // less the heap's start, when the plan has one range
  HeapStats stats;
};

template <Memory M, template <class> class PageMapT>
Story Tell(Os& os, M& memory, const ReservationStrategy& strategy, uint64_t seed) {
  auto heap = std::make_unique<Heap<M, PageMapT>>(os, memory, strategy);
  Story story;
  const OsResult<Done> started = heap->Start();
  EXPECT_TRUE(started.ok()) << strategy.name << ": "
                            << (started.ok() ? "" : RuleName(started.refusal().rule));
  if (!started.ok()) return story;
  const Addr origin = heap->arena().heap_range().start;
  const CacheId caches[] = {heap->NewCache().value(), heap->NewCache().value()};
  std::mt19937_64 random(seed);
  std::vector<Addr> live;
  for (int n = 0; n < 15000; ++n) {
    const CacheId cache = caches[random() % 2];
    const uint64_t dice = random() % 1000;
    if (live.empty() || dice < 520) {
      const uint64_t top_bytes = uint64_t{1} << (3 + random() % 17);
      const uint64_t bytes = random() % top_bytes;
      // Up to a heap page: beyond, the answer depends on where the OS put the heap.
      const uint64_t alignment = random() % 8 == 0 ? uint64_t{1} << random() % 13 : 1;
      const Addr a = heap->Malloc(cache, bytes, alignment);
      EXPECT_TRUE(a);
      memory.Touch(a, bytes);
      live.push_back(a);
      story.answers.push_back(origin ? Addr(a - origin) : Addr());
    } else if (dice < 990) {
      Addr& victim = live[random() % live.size()];
      EXPECT_EQ(heap->Free(cache, victim), FreeError::kNone);
      EXPECT_NE(heap->Free(cache, victim + 1), FreeError::kNone);
      victim = live.back();
      live.pop_back();
    } else if (dice < 995) {
      heap->ReleaseFreePages(random() % kMiB);
    } else {
      heap->CheckInvariants();
      ExpectSameStats(heap->stats(), heap->RecountSlow());
    }
  }
  story.stats = heap->stats();
  for (Addr a : live) EXPECT_EQ(heap->Free(caches[0], a), FreeError::kNone);
  for (CacheId cache : caches) heap->DropCache(cache);
  EXPECT_EQ(heap->stats().live_objects, 0);
  heap->CheckInvariants();
  return story;
}

template <template <class> class PageMapT>
Story TellReal(const ReservationStrategy& strategy, uint64_t seed) {
  ScriptedOs os;
  DirectMemory memory;
  return Tell<DirectMemory, PageMapT>(os, memory, strategy, seed);
}

template <template <class> class PageMapT>
Story TellOn(const std::string& platform, const ReservationStrategy& strategy, uint64_t seed) {
  VirtualProcess process;
  process.platform = Platforms().Find(platform);
  REHEAP_CHECK(process.platform != nullptr);
  VirtualOs os(process);
  ShadowMemory memory(&os);
  const Story story = Tell<ShadowMemory, PageMapT>(os, memory, strategy, seed);
  os.CheckInvariants();
  return story;
}

void ExpectSameStory(const Story& a, const Story& b, const std::string& where) {
  SCOPED_TRACE(where);
  ASSERT_EQ(a.answers.size(), b.answers.size());
  for (size_t n = 0; n < a.answers.size(); ++n) {
    ASSERT_EQ(a.answers[n].value(), b.answers[n].value()) << "answer " << n;
  }
  ExpectSameStats(a.stats, b.stats);
  EXPECT_EQ(a.stats.bitmap_bytes, b.stats.bitmap_bytes);
  EXPECT_EQ(a.stats.metadata_used_bytes, b.stats.metadata_used_bytes);
}

constexpr const char* k64BitPlatforms[] = {"linux-amd64", "freebsd-amd64", "darwin-amd64-11",
                                           "windows-amd64"};

TEST(HeapWorlds, OneRangeTellsTheSameStoryEverywhere) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  for (ReservationStrategy strategy : {Go201102Reserve17g(), Go201102Pretend()}) {
    const Story real = TellReal<FlatPageMap>(strategy, seed);
    for (const char* platform : k64BitPlatforms) {
      ExpectSameStory(TellOn<FlatPageMap>(platform, strategy, seed), real, strategy.name + " on " + platform);
    }
    strategy.page_map = PageMapKind::kFlatIndex;
    ExpectSameStory(TellOn<FlatIndexPageMap>("linux-amd64", strategy, seed), real,
                    strategy.name + ", flat-index");
  }
}

// Reserved in the middle of the address space or beside the image: the offsets stay.
TEST(HeapWorlds, ThePlanOf32BitGo) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const ReservationStrategy strategy = Go201102Linux386();
  ExpectSameStory(TellOn<FlatPageMap>("linux-386", strategy, seed), TellReal<FlatPageMap>(strategy, seed),
                  "linux-386");
}

// Where each growth lands is the OS's choice, so addresses and the joining of pieces differ: the objects do
// not.
TEST(HeapWorlds, PiecesAnywhere) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::vector<std::string> platforms(std::begin(k64BitPlatforms), std::end(k64BitPlatforms));
  platforms.insert(platforms.end(), {"windows-amd64-8tib"});
  for (const std::string& platform : platforms) {
    SCOPED_TRACE(platform);
    const Story radix = TellOn<Radix3PageMap>(platform, Go2010Radix(), seed);
    const Story arenas = TellOn<SparseArenaPageMap>(platform, Go111Arenas(), seed);
    EXPECT_EQ(radix.stats.live_objects, arenas.stats.live_objects);
    EXPECT_EQ(radix.answers.size(), arenas.answers.size());
  }
}

// A system that takes nothing back: what is cut off for alignment is lost, and no object notices.
TEST(HeapWorlds, PiecesOfOneMemoryThatOnlyGrows) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const Story mapped = TellOn<Radix3PageMap>("linux-amd64", Go2010Radix(), seed);
  const Story grown = TellOn<Radix3PageMap>("wasm32", Go2010Radix(), seed);
  EXPECT_GT(grown.stats.live_objects, 0u);
  EXPECT_EQ(grown.stats.live_objects, mapped.stats.live_objects);
  EXPECT_EQ(grown.answers.size(), mapped.answers.size());
}

}  // namespace
}  // namespace reheap
