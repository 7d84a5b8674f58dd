// BandSearch: where survival changes along one limit, when more need not be better.
//
// A runtime that sizes its heap by the limit it reads may live better with less (Go 1.0 has less heap under 256
// MiB than under 128), so no search may assume that one edge divides good from bad. The range is scanned in
// geometric steps; then every pair of neighbours with different fates is halved until they are close:
//
//   scan      x-----x--------o-----------o---------------x------------------o     x died, o lived
//   halving         x--x-x|o                         o|x-x--             x-x|o
//   bands     [   died    ][      lived      ][        died        ][ lived ]
//
// A band narrower than the scan's step, between two points of one fate, can be missed; AddPoint puts more points
// into the scan.
//
// It knows limits and fates, no replays. Values only: no threads. Limits: kMaxTries, after which edges stay as
// they are (edge_width() says how far).
#ifndef REHEAP_SIM_STUDIES_BAND_SEARCH_H_
#define REHEAP_SIM_STUDIES_BAND_SEARCH_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "proto/report.pb.h"

namespace reheap {

// What became of a program under one limit.
struct Fate {
  bool lives = false;
  proto::Outcome outcome = proto::OUTCOME_UNSPECIFIED;
  std::string rule;
  std::string mode;
  std::optional<uint64_t> event;

  // The event alone makes no other band.
  bool SameBand(const Fate& other) const {
    return lives == other.lives && outcome == other.outcome && rule == other.rule && mode == other.mode;
  }
};

Fate FateOf(const proto::Run& run);

class BandSearch {
 public:
  static constexpr size_t kMaxTries = 2000;

  struct Range {
    uint64_t from = 0;  // more than 0
    uint64_t to = 0;
    uint64_t resolution = 1;  // neighbours of different fate are at most this far apart in the end
    uint64_t unit = 1;        // limits tried are multiples of this, but for `from` and `to`
    uint32_t steps_per_octave = 4;
  };

  explicit BandSearch(const Range& range);

  // One more point for the scan; nothing when it lies outside.
  void AddPoint(uint64_t limit);

  // Limits to try next; empty = done. Each wants one Take before the next Next.
  std::vector<uint64_t> Next();
  void Take(uint64_t limit, Fate fate);

  size_t tries() const { return tried_.size(); }
  // The answer. Bands ascend, no two alike in a row.
  std::vector<proto::LimitBand> Bands() const;
  // Smallest limit that lived; above which all tried lived.
  std::optional<uint64_t> Smallest() const;
  std::optional<uint64_t> Safe() const;
  // Widest gap between neighbours of different bands: the resolution, or more when kMaxTries ended the search.
  uint64_t EdgeWidth() const;

 private:
  using Tried = std::map<uint64_t, Fate>;

  uint64_t Between(uint64_t low, uint64_t high) const;
  // Calls visit(low, high) for neighbours of different bands.
  template <class Visit>
  void ForEachEdge(Visit visit) const;

  const Range range_;
  std::set<uint64_t> scan_;  // not handed out yet
  Tried tried_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_STUDIES_BAND_SEARCH_H_
