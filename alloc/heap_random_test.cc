// Heap against an oracle: random calls, every answer compared with a std::map of what is live.
//
// The seed is printed with each failure; REHEAP_SEED=n repeats a run.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "alloc/heap_direct.h"
#include "alloc/heap_stats_for_tests.h"
#include "alloc/scripted_os.h"
#include "alloc/strategies_for_tests.h"

namespace reheap {
namespace {

struct Live {
  uint64_t bytes;
  uint64_t stamp;  // written into the object's first and last bytes
};

template <template <class> class PageMapT>
class Fuzzer {
 public:
  using HeapT = Heap<DirectMemory, PageMapT>;

  Fuzzer(const ReservationStrategy& strategy, uint64_t seed, bool low)
      : random_(seed), seed_(seed), heap_(std::make_unique<HeapT>(os_, memory_, strategy)) {
    if (low) os_.PlaceLow();
    REHEAP_CHECK(heap_->Start().ok());
    for (CacheId& id : caches_) id = heap_->NewCache().value();
  }

  void Run(int steps) {
    for (int n = 0; n < steps && !testing::Test::HasFailure(); ++n) {
      SCOPED_TRACE("seed " + std::to_string(seed_) + ", step " + std::to_string(n));
      Step();
      if (n % 997 == 0) Check();
    }
    SCOPED_TRACE("seed " + std::to_string(seed_) + ", at the end");
    while (!live_.empty()) FreeOne(live_.begin());
    for (CacheId id : caches_) heap_->DropCache(id);
    Check();
    const HeapStats stats = heap_->stats();
    EXPECT_EQ(stats.live_objects, 0);
    EXPECT_EQ(stats.small_spans, 0);
    EXPECT_EQ(stats.free_bytes + stats.discarded_bytes, stats.heap_bytes);
  }

 private:
  using LiveMap = std::map<Addr, Live>;

  uint64_t Below(uint64_t n) { return std::uniform_int_distribution<uint64_t>(0, n - 1)(random_); }
  CacheId AnyCache() { return caches_[Below(kCaches)]; }
  typename LiveMap::iterator AnyLive() {
    typename LiveMap::iterator it = live_.lower_bound(live_.begin()->first + Below(kGiB));
    if (it == live_.end() || Below(2) == 0)
      it = std::next(live_.begin(), static_cast<int>(Below(live_.size())));
    return it;
  }
  // Mostly small, sometimes at a class's or a page's edge, seldom megabytes.
  uint64_t AnySize() {
    switch (Below(16)) {
      case 0:
        return 32 * kKiB - 2 + Below(5);
      case 1:
        return 4096 * (1 + Below(40)) - 1 + Below(3);
      case 2:
        return Below(3 * kMiB);
      case 3:
        return Below(2);
      default:
        return Below(uint64_t{1} << (3 + Below(13)));
    }
  }

  void Step() {
    heap_->Advance(now_ns_ += 1'000'000);
    const uint64_t dice = Below(100);
    if (live_.empty() || dice < 45) {
      Allocate();
    } else if (dice < 85 || live_.size() > 3000) {
      FreeOne(AnyLive());
    } else if (dice < 92) {
      Resize(AnyLive());
    } else if (dice < 97) {
      BadFree();
    } else if (dice < 98) {
      CacheId& id = caches_[Below(kCaches)];
      heap_->DropCache(id);
      id = heap_->NewCache().value();
    } else if (dice < 99) {
      heap_->ReleaseFreePages(1 + Below(4 * kMiB));
    } else {
      os_.RefuseAfter(Below(4));
    }
  }

  void Allocate() {
    const uint64_t bytes = AnySize();
    const uint64_t alignment = Below(4) == 0 ? uint64_t{1} << Below(18) : 1;
    const Addr a = heap_->Malloc(AnyCache(), bytes, alignment);
    if (!a) {
      EXPECT_NE(heap_->last_refusal().rule, Rule::kNone);
      return;
    }
    EXPECT_EQ(a.value() % alignment, 0);
    Remember(a, bytes);
  }

  void Remember(Addr a, uint64_t bytes) {
    const uint64_t usable = heap_->UsableBytes(a);
    EXPECT_GE(usable, std::max<uint64_t>(bytes, 1));
    const auto next = live_.lower_bound(a);
    const Addr next_start = next == live_.end() ? Addr(~uint64_t{0}) : next->first;
    EXPECT_LE((a + usable).value(), next_start.value()) << "overlap";
    if (next != live_.begin()) {
      const auto before = std::prev(next);
      EXPECT_LE((before->first + heap_->UsableBytes(before->first)).value(), a.value()) << "overlap";
    }
    const Live live{bytes, random_()};
    live_[a] = live;
    StampAt(a) = live.stamp;
    StampAt(a + usable - 8) = live.stamp;
  }

  uint64_t& StampAt(Addr a) { return memory_.Write<uint64_t>(a); }

  void CheckStamps(Addr a, const Live& live) {
    const uint64_t usable = heap_->UsableBytes(a);
    EXPECT_EQ(StampAt(a), live.stamp);
    EXPECT_EQ(StampAt(a + usable - 8), live.stamp);
  }

  void FreeOne(typename LiveMap::iterator it) {
    const Addr a = it->first;
    CheckStamps(a, it->second);
    EXPECT_EQ(heap_->Free(AnyCache(), a), FreeError::kNone);
    live_.erase(it);
  }

  void Resize(typename LiveMap::iterator it) {
    const Addr a = it->first;
    CheckStamps(a, it->second);
    const uint64_t bytes = AnySize();
    FreeError error = FreeError::kForeign;
    const Addr to = heap_->Resize(AnyCache(), a, bytes, &error);
    EXPECT_EQ(error, FreeError::kNone);
    if (!to) return;
    live_.erase(it);
    Remember(to, bytes);
  }

  // Anywhere near a live object, but not at one: never accepted.
  void BadFree() {
    const Addr a = AnyLive()->first + Below(200000);
    if (live_.count(a) != 0) return;
    EXPECT_NE(heap_->Free(AnyCache(), a), FreeError::kNone);
    FreeError error = FreeError::kNone;
    EXPECT_FALSE(heap_->Resize(AnyCache(), a, 10, &error));
    EXPECT_NE(error, FreeError::kNone);
  }

  void Check() {
    heap_->CheckInvariants();
    const HeapStats stats = heap_->stats();
    ExpectSameStats(stats, heap_->RecountSlow());
    EXPECT_EQ(stats.live_objects, live_.size());
    uint64_t usable = 0;
    for (const auto& [a, live] : live_) usable += heap_->UsableBytes(a);
    EXPECT_EQ(stats.live_bytes, usable);
    EXPECT_EQ(stats.free_bytes + stats.discarded_bytes + stats.small_span_bytes + stats.large_span_bytes,
              stats.heap_bytes);
  }

  static constexpr int kCaches = 3;

  std::mt19937_64 random_;
  uint64_t seed_;
  ScriptedOs os_;
  DirectMemory memory_;
  std::unique_ptr<HeapT> heap_;
  CacheId caches_[kCaches];
  LiveMap live_;
  uint64_t now_ns_ = 0;  // a millisecond per step
};

template <template <class> class PageMapT>
void RunSeeds(const ReservationStrategy& strategy, bool low = false, uint64_t seeds = 4) {
  const char* given = std::getenv("REHEAP_SEED");
  const uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  for (uint64_t seed = first; seed < first + seeds && !testing::Test::HasFailure(); ++seed) {
    Fuzzer<PageMapT>(strategy, seed, low).Run(20000);
  }
}

TEST(HeapRandom, Reserve17gFlat) { RunSeeds<FlatPageMap>(Go201102Reserve17g()); }
TEST(HeapRandom, PretendFlat) { RunSeeds<FlatPageMap>(Go201102Pretend()); }
TEST(HeapRandom, Radix3) { RunSeeds<Radix3PageMap>(Go2010Radix()); }
TEST(HeapRandom, Arenas8KiB) { RunSeeds<SparseArenaPageMap>(Go111Arenas()); }

// Times of the order of a thousand steps, so that all of it happens in 20,000.
ReleasePlan PlanOf(ReleasePolicy policy, ReleaseMethod method) {
  ReleasePlan plan;
  plan.policy = policy;
  plan.method = method;
  plan.tick_ns = 50'000'000;
  plan.age_ns = 200'000'000;
  plan.pages_freed_per_page = 3;
  plan.decay_ns = 2'000'000'000;
  plan.keep_percent = 10;
  return plan;
}

TEST(HeapRandom, EveryReleasePolicyAndMethod) {
  for (ReleaseMethod method : {ReleaseMethod::kDiscard, ReleaseMethod::kDecommit}) {
    for (ReleasePolicy policy :
         {ReleasePolicy::kIdle, ReleasePolicy::kRate, ReleasePolicy::kDecay, ReleasePolicy::kGoal}) {
      SCOPED_TRACE("policy " + std::to_string(static_cast<int>(policy)) + ", method " +
                   std::to_string(static_cast<int>(method)));
      ReservationStrategy strategy = policy == ReleasePolicy::kDecay ? Go201102Pretend() : Go201102Reserve17g();
      strategy.release = PlanOf(policy, method);
      RunSeeds<FlatPageMap>(strategy, /*low=*/false, /*seeds=*/1);
      ReservationStrategy anywhere = Go2010Radix();
      anywhere.release = strategy.release;
      RunSeeds<Radix3PageMap>(anywhere, /*low=*/false, /*seeds=*/1);
    }
  }
}

TEST(HeapRandom, FlatIndexInTheReservation) {
  ReservationStrategy strategy = Go201102Reserve17g();
  strategy.page_map = PageMapKind::kFlatIndex;
  strategy.page_map_place = TablePlace::kInReservation;
  strategy.commit_method = CommitMethod::kProtect;
  RunSeeds<FlatIndexPageMap>(strategy);
}

TEST(HeapRandom, Radix2Below4GiB) {
  ReservationStrategy strategy = Go2010Radix();
  strategy.word_bits = 32;
  strategy.page_map = PageMapKind::kRadix2;
  RunSeeds<Radix2PageMap>(strategy, /*low=*/true);
}

}  // namespace
}  // namespace reheap
