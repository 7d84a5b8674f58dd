// ProbeLookup: what one page-to-span lookup costs on a page map that a replay has populated (row 10 of the
// walk).
//
// Figures are measured, in nanoseconds of this thread's CPU time, and only mean something beside the
// baseline: the same visits, reading 8 bytes each from a plain array with one element per heap page. The
// harness is the same for both, so that ratio and difference are the page map's own.
//
//   dependent     each lookup needs the result of the one before (a pointer chase: the latency)
//   independent   lookups overlap as far as the processor can (the throughput)
//
// The order of visits is made beforehand and streamed, so that choosing the next page is not on the chain.
// Ownership: an order owns its arrays (16 bytes per visit, 8 per page of baseline). Threads: one. Allocates:
// call it when memory is no longer being measured.
#ifndef REHEAP_SIM_METRICS_LOOKUP_PROBE_H_
#define REHEAP_SIM_METRICS_LOOKUP_PROBE_H_

#include <time.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "alloc/addr.h"

namespace reheap {

struct LookupProbeResult {
  double lookup_ns = 0;    // one dependent lookup in the page map
  double baseline_ns = 0;  // one dependent read of 8 bytes, same visits, same number of pages
};

// A sequence of visits to heap pages, and the baseline's array.
class LookupOrder {
 public:
  // `next_rank(previous rank)` chooses each visit: an index into `pages`, which are distinct.
  // Preconditions: pages is not empty.
  template <class NextRank>
  LookupOrder(std::span<const PageId> pages, uint64_t visits, NextRank next_rank)
      : baseline_(pages.size(), 1) {
    pages_.reserve(visits);
    ranks_.reserve(visits);
    for (uint64_t rank = 0; pages_.size() < visits;) {
      rank = next_rank(rank);
      pages_.push_back(pages[rank].value());
      ranks_.push_back(rank);
    }
  }

  uint64_t visits() const { return pages_.size(); }

  // The sums that these answer are of no use but to keep the loads; the caller must use them up.
  template <class Map>
  uint64_t DependentLookups(const Map& map) const {
    return Chase(pages_, [&map](uint64_t page) { return map.Get(PageId(page)).value(); });
  }
  template <class Map>
  uint64_t IndependentLookups(const Map& map) const {
    uint64_t sum = 0;
    for (uint64_t page : pages_) sum += map.Get(PageId(page)).value();
    return sum;
  }
  uint64_t DependentReads() const {
    return Chase(ranks_, [this](uint64_t rank) { return baseline_[rank]; });
  }
  uint64_t IndependentReads() const {
    uint64_t sum = 0;
    for (uint64_t rank : ranks_) sum += baseline_[rank];
    return sum;
  }

 private:
  template <class Read>
  static uint64_t Chase(const std::vector<uint64_t>& where, Read read) {
    uint64_t zero = 0;
    asm volatile("" : "+r"(zero));  // the compiler must not know that the chain is artificial
    uint64_t answer = 0;
    for (uint64_t w : where) answer = read(w ^ (answer & zero));
    return answer;
  }

  std::vector<uint64_t> pages_;     // visit k: this heap page ...
  std::vector<uint64_t> ranks_;     // ... which is this element of the baseline
  std::vector<uint64_t> baseline_;  // one per heap page, written
};

// Nanoseconds of CPU time that `work()`, which answers an integer, takes.
template <class Work>
double ThreadCpuNs(Work work) {
  const auto now = [] {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
  };
  const double start = now();
  uint64_t result = work();
  asm volatile("" : : "r"(result));
  return now() - start;
}

// Measures `map`, in which `pages` (distinct heap pages) are populated, by `lookups` visits in random order.
// The best of three rounds, map and baseline in turn, so that a disturbance hits both. Zeros when there is
// nothing to visit.
template <class PageMap>
LookupProbeResult ProbeLookup(const PageMap& map, std::span<const PageId> pages, uint64_t seed,
                              uint64_t lookups) {
  if (pages.empty() || lookups == 0) return {};
  std::mt19937_64 random(seed);
  const LookupOrder order(pages, lookups, [&](uint64_t) { return random() % pages.size(); });
  constexpr int kRounds = 3;
  LookupProbeResult best;
  for (int round = 0; round < kRounds; ++round) {
    const double per_visit = 1.0 / static_cast<double>(lookups);
    const double lookup_ns = per_visit * ThreadCpuNs([&] { return order.DependentLookups(map); });
    const double baseline_ns = per_visit * ThreadCpuNs([&] { return order.DependentReads(); });
    best.lookup_ns = round == 0 ? lookup_ns : std::min(best.lookup_ns, lookup_ns);
    best.baseline_ns = round == 0 ? baseline_ns : std::min(best.baseline_ns, baseline_ns);
  }
  return best;
}

}  // namespace reheap

#endif  // REHEAP_SIM_METRICS_LOOKUP_PROBE_H_
